"""The layers of a head: features pooled and joined, hidden layers, and the one that gives logits."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from transfer.errors import LayerError
from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.graphs.shapes import Shape
from transfer.graphs.walking import walk
from transfer.specs import Head, Json

_ORDERS = frozenset({"Permute", "Reshape", "Transpose"})  # behind them the channels are where they were put


def head_names(head: Head) -> tuple[str, ...]:
    """Names of the layers that a head adds after the features, in order: `label_hidden_1`, `label_dropout`, `label`."""
    return tuple(layer.name for layer in head_layers(head, Ref("features"), 0))


def head_layers(head: Head, features: Ref, seed: int) -> tuple[Layer, ...]:
    """Hidden layers, dropout before each `Dense` but the first hidden one, and the `Dense` of the head's name.

    Args:
        head: what is asked for.
        features: of shape (n, d).
        seed: of the last kernel; those of the other layers follow from it and their names.
    """
    made: list[Layer] = []
    end = features
    for count, units in enumerate(head.hidden, 1):
        name = f"{head.name}_hidden_{count}"
        made.append(_dense(name, units, "relu", _initial("HeUniform", zlib.crc32(f"{seed}/{name}".encode())), end))
        end = Ref(name)
        if head.dropout and count < len(head.hidden):
            made.append(_dropout(f"{head.name}_dropout_{count}", head.dropout, seed, end))
            end = Ref(made[-1].name)
    if head.dropout:
        made.append(_dropout(f"{head.name}_dropout", head.dropout, seed, end))
        end = Ref(made[-1].name)
    return (*made, _dense(head.name, head.classes, "linear", _initial("GlorotUniform", seed), end))


def pooling_layer(name: str, kind: str, features: Ref, rank: int, *, channels_first: bool) -> Layer:
    """A layer that takes the mean (`avg`) or the maximum over all positions.

    Args:
        name: of the new layer.
        kind: `avg` or `max`.
        features: with positions.
        rank: number of axes of positions, 1 to 3.
        channels_first: whether the channels stand before the positions.
    """
    config: dict[str, Json] = {
        "name": name,
        "data_format": "channels_first" if channels_first else "channels_last",
        "keepdims": False,
    }
    what = {"avg": "Average", "max": "Max"}[kind]
    return Layer(name, f"Global{what}Pooling{rank}D", config, (Call([features], {}),))


def joining_layer(name: str, parts: tuple[Ref, ...]) -> Layer:
    """A layer that puts features side by side."""
    return Layer(name, "Concatenate", {"name": name, "axis": -1}, (Call([list(parts)], {}),))


def is_channels_first(graph: Graph, ref: Ref, shapes: Mapping[Ref, Shape]) -> bool:
    """Whether the channels of an image tensor stand before its positions.

    So says the nearest layer before it that has a `data_format`; behind one that reorders axes they count as last.
    """
    seen: set[Ref] = set()
    ahead = [ref]
    while ahead:
        at = ahead.pop(0)
        layer = graph.layer(at.layer)
        if at in seen or layer.class_name in _ORDERS or len(shapes.get(at, ())) != len(shapes[ref]):
            continue
        seen.add(at)
        inside = walk(Graph(layer.name, (layer,), (), ()))
        formats = [place.config["data_format"] for place in inside if place.config.get("data_format")]
        if formats:
            return bool(formats[-1] == "channels_first")
        ahead += layer.calls[at.node].sources if layer.calls else ()
    return False


def _dense(name: str, units: int, activation: str, initial: Json, source: Ref) -> Layer:
    config: dict[str, Json] = {
        "name": name,
        "trainable": True,
        "units": units,
        "activation": activation,
        "use_bias": True,
        "kernel_initializer": initial,
    }
    return Layer(name, "Dense", config, (Call([source], {}),))


def _initial(kind: str, seed: int) -> Json:
    return {"module": "keras.initializers", "class_name": kind, "config": {"seed": seed}, "registered_name": None}


def _dropout(name: str, rate: float, seed: int, source: Ref) -> Layer:
    config: dict[str, Json] = {"name": name, "rate": rate, "seed": zlib.crc32(f"{seed}/{name}".encode())}
    return Layer(name, "Dropout", config, (Call([source], {}),))


def refuse_rank(name: str, rank: int) -> LayerError:
    """The error about features whose axes are not those of a vector, a sequence, an image or a volume."""
    return LayerError(
        f"{name!r} gives features of {rank + 1} axes; expected 1 to 4.",
        next_step="cut at another layer with --at (at=…)",
    )
