"""Flags that say whether a layer is trained: read and set, inside nested models and wrappers too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, replace

from transfer.graphs.graph import Graph, Layer
from transfer.graphs.keras_names import LAYERS, MODELS
from transfer.graphs.weightless import WEIGHTLESS
from transfer.graphs.wrapping import RECURRENT, both_sides, cells_of, is_model, is_operation, read_inner, wrapped_layer
from transfer.specs import BatchNormPolicy, Json, TensorSpec

STATISTICS = "BatchNormalization"  # how classes are called that change under training though no gradient reaches them
_UNTRAINED = frozenset(
    {"moving_mean", "moving_variance", "moving_stddev", "renorm_mean", "renorm_stddev", "mean", "variance", "count"}
    | {"vector_u", "kernel_scale", "embeddings_scale"}
)
WRAPPED = ("layer", "forward_layer", "backward_layer", "cell", "cells")  # options under which wrappers hold layers


@dataclass(frozen=True, slots=True)
class Part:
    """A layer or nested model somewhere in a graph. What a wrapper or a recurrent layer holds is one part with it.

    Attributes:
        path: `outer/inner`.
        is_model: whether it is one; a wrapper around a model counts as such.
        is_trained: what its flag says, and that of a wrapper around it; True for a model itself.
        has_flag: whether it is a layer, no model, that has one: all do but operations and what holds no variable.
    """

    path: str
    is_model: bool
    is_trained: bool
    has_flag: bool

    def lies_in(self, paths: Set[str]) -> bool:
        """Whether it is one of these or inside one."""
        names = self.path.split("/")
        return any("/".join(names[:depth]) in paths for depth in range(1, len(names) + 1))


def parts_of(graph: Graph) -> Iterator[Part]:
    """Outer ones before those inside, in the order of the graph."""
    for layer in graph:
        yield from _part(_entry_of(layer), layer.name, above=True)


def _entry_of(layer: Layer) -> Json:
    named = {"class_name": layer.class_name, "registered_name": layer.registered_name}
    return {"module": layer.module, "config": layer.config, **named}


def _part(entry: Json, path: str, *, above: bool) -> Iterator[Part]:
    inside = _layers_in(entry, path)
    # A model's own flag says nothing of its layers to Keras, which builds them by theirs; a wrapper's reaches inside.
    trained = above and (holds_layers(entry) or entry["config"].get("trainable") is not False)
    yield Part(path, bool(inside), trained, _has_flag(entry) and not inside)
    for _, each, inner in inside:
        yield from _part(each, inner, above=trained)


def _layers_in(entry: Json, path: str) -> list[tuple[int | None, Json, str]]:
    """(place, entry, path) of each layer of a model, or of the model in a wrapper, whose place is None."""
    config = entry["config"]
    if holds_layers(entry):
        return [(k, each, f"{path}/{each['config']['name']}") for k, each in enumerate(config["layers"])]
    held: Json = config.get("layer")
    if is_entry(held) and holds_layers(held):
        return [(None, held, f"{path}/{held['config']['name']}")]
    return []


def holds_layers(entry: Json) -> bool:
    """Whether an entry is that of a model: one of Keras's, or of a class made from it."""
    return "layers" in entry["config"] and (entry["class_name"] in MODELS or "input_layers" in entry["config"])


def _has_flag(entry: Json) -> bool:
    """Whether a layer is told whether it is trained: classes of the caller's too, whatever their configs say."""
    if "trainable" in entry["config"]:
        return True
    module = str(entry.get("module"))
    return entry["class_name"] not in WEIGHTLESS and not module.startswith("keras.src.ops.") and module != "keras.ops"


def is_entry(value: Json) -> bool:
    """Layers stand in configs as `{"class_name": …, "config": {…}}`: in nested models, wrappers, lists of cells."""
    return isinstance(value, dict) and isinstance(value.get("config"), dict) and "class_name" in value


def never_trained(specs: Iterable[TensorSpec]) -> frozenset[str]:
    """Names of variables that no optimizer changes, whatever the flags say.

    These are statistics, counters, quantized kernels with their scales, and what a low-rank adaptation adapts.
    """
    found = list(specs)
    names = {spec.name for spec in found}
    return frozenset(
        spec.name
        for spec in found
        if spec.role in _UNTRAINED
        or spec.dtype.startswith("int")
        or f"{spec.name.rpartition('/')[0]}/lora_{spec.role}_a" in names
    )


def layers_around(layer: Layer, place: str) -> tuple[Layer, ...]:
    """A layer and those inside it that lead to a place, from the outermost to the one that stands there.

    Args:
        layer: the outermost.
        place: names inside it, joined by '/' as in names of tensors; the way ends where no config says what follows.
    """
    for path, inner in _held(layer):
        if f"{place}/".startswith(f"{path}/"):
            return (layer, *layers_around(inner, place[len(path) + 1 :]))
    return (layer,)


def _held(layer: Layer) -> Iterable[tuple[str, Layer]]:
    """(path, layer) of each layer that one holds in its config."""
    if is_model(layer):
        return ((each.name, each) for each in map(read_inner, layer.config["layers"]))
    if layer.class_name == "Bidirectional":
        return [(side.name, side) for side in both_sides(layer)]
    if layer.class_name in RECURRENT:
        return cells_of(layer)
    return [(inner.name, inner)] if is_entry(layer.config.get("layer")) and (inner := wrapped_layer(layer)) else []


def set_trained(graph: Graph, decide: Callable[[Part], bool], policy: BatchNormPolicy) -> Graph:
    """The graph whose layers are trained or not: each that is no model by `decide`, batch norm by the policy."""
    if policy not in ("frozen", "adapt", "train"):
        raise ValueError(f"batch_norm is 'frozen', 'adapt' or 'train', not {policy!r}")
    trained = {part.path: decide(part) for part in parts_of(graph) if not part.is_model}
    return replace(graph, layers=tuple(_with_flags(layer, trained, policy) for layer in graph))


def _with_flags(layer: Layer, trained: Mapping[str, bool], policy: BatchNormPolicy) -> Layer:
    if is_operation(layer):
        return layer
    return replace(layer, config=_model_config(_entry_of(layer), layer.name, trained, policy))


def _model_config(entry: Json, path: str, trained: Mapping[str, bool], policy: BatchNormPolicy) -> Mapping[str, Json]:
    config, inside = entry["config"], _layers_in(entry, path)
    if not inside:
        return _layer_config(entry, trained[path], policy, is_layer=_has_flag(entry)) if path in trained else config
    entries = [{**each, "config": _model_config(each, inner, trained, policy)} for _, each, inner in inside]
    if inside[0][0] is not None:
        return {**config, "layers": entries, **_own_flag(config, entries)}
    (held,) = entries
    flag = _own_flag(config, entries)
    # The flag of a model in a wrapper says nothing: it goes without one.
    bare = {key: value for key, value in held["config"].items() if key != "trainable"}
    return {**config, "layer": {**held, "config": bare}, **flag}


def _own_flag(config: Mapping[str, Json], entries: Iterable[Json]) -> dict[str, Json]:
    """A model or wrapper is trained where anything inside is: its flag is over those inside."""
    return {"trainable": any(map(_is_trained_inside, entries))} if "trainable" in config else {}


def _is_trained_inside(entry: Json) -> bool:
    inside = _layers_in(entry, "")
    if inside:
        return any(_is_trained_inside(inner) for _, inner, _ in inside)
    return bool(entry["config"].get("trainable", False))


def _layer_config(entry: Json, trained: bool, policy: BatchNormPolicy, *, is_layer: bool) -> dict[str, Json]:
    """The config of a layer with its flag, and those of the layers inside it, set."""
    config = entry["config"]
    changed = {key: _inside(value, trained, policy, is_layer=key in WRAPPED) for key, value in config.items()}
    if is_layer:
        if _has_statistics(entry):
            changed["trainable"] = {"frozen": False, "adapt": trained, "train": True}[policy]
        else:
            changed["trainable"] = trained or (policy == "train" and _keeps_statistics(config))
    return changed


def _inside(value: Json, trained: bool, policy: BatchNormPolicy, *, is_layer: bool) -> Json:
    """What an option holds: where it is no layer for sure, it is one if it says so, or is called as one of Keras."""
    if isinstance(value, list):
        return [_inside(each, trained, policy, is_layer=is_layer) for each in value]
    if is_entry(value):
        known = "trainable" in value["config"] or value["class_name"] in LAYERS - WEIGHTLESS
        told = known or (is_layer and _has_flag(value))
        return {**value, "config": _layer_config(value, trained, policy, is_layer=told)}
    return value


def _keeps_statistics(value: Json) -> bool:
    """Whether there is batch normalization somewhere inside: a wrapper that is fixed would fix it."""
    if isinstance(value, list):
        return any(map(_keeps_statistics, value))
    if isinstance(value, Mapping):
        return _has_statistics(value) or any(map(_keeps_statistics, value.values()))
    return False


def _has_statistics(entry: Mapping[str, Json]) -> bool:
    """Whether a class is called so, by its own name or by the one that it is registered under."""
    return any(str(entry.get(key)).endswith(STATISTICS) for key in ("class_name", "registered_name"))
