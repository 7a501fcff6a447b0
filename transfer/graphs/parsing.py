"""From the config of a functional or Sequential model, of any Keras, to a `Graph` in the words of Keras 3."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from transfer.errors import LayerError, Problem
from transfer.graphs.call_order import calls_in_order
from transfer.graphs.completing import complete_entry
from transfer.graphs.graph import TENSOR, Call, Graph, Layer, Ref
from transfer.graphs.modernizing import modernize
from transfer.graphs.plain_names import with_plain_names
from transfer.graphs.writers import is_modern
from transfer.specs import Json, Writer

FUNCTIONAL = ("Functional", "Model")
DEEPEST = 100  # of nested JSON; real configs stay under 30


def parse_config(config: Json, writer: Writer = Writer()) -> Graph:  # noqa: B008 (a frozen value)
    """Read a model's config: `{"class_name": "Functional" | "Sequential", "config": {…}}`, or what `get_config` gives.

    What an older Keras wrote is read with the meaning that it had there, and comes out in the words of Keras 3: the
    graph computes what the writer computed. Names that hold a '/' hold a `_` in its place.

    Args:
        config: as Keras wrote it; how a model was compiled is left out.
        writer: an unknown one is Keras 3 where the form of the config says so, else Keras 2.

    Raises:
        LayerError: if it is no such config, an edge names a layer that is not there, or a layer of an old Keras does
            what none of Keras 3 does.
    """
    _check_depth(config)
    try:
        if _is_bare(config):
            config = {"class_name": "Functional" if "input_layers" in config else "Sequential", "config": config}
        if not is_modern(config, writer):
            config = modernize(config, writer)
        config = with_plain_names(config)
        kind, inner = config["class_name"], config["config"]
        if kind == "Sequential":
            graph = _parse_sequential(inner)
        elif kind in FUNCTIONAL or {"layers", "input_layers", "output_layers"} <= set(inner):
            graph = _parse_functional(inner)
        else:
            raise LayerError(
                f"A model of class {kind!r} has no graph in its config.",
                next_step="name a builder with --into module:function (into=…)",
            )
        _check_types(graph)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError) as error:
        raise LayerError(
            "The config is not a functional or Sequential model as Keras writes it.",
            [Problem("model_config", "a form of Keras 1, 2 or 3", repr(error))],
        ) from error
    _check_edges(graph)
    return graph


def _is_bare(config: Mapping[str, Json]) -> bool:
    """Whether it is what `get_config` gives: a model without its class. Keras 0 named no class of a layer either."""
    layers = config.get("layers") or ()
    return "class_name" not in config and bool(layers) and all("class_name" in each for each in layers)


def _parse_functional(config: Mapping[str, Json]) -> Graph:
    inputs, input_keys = _ends(config["input_layers"])
    outputs, output_keys = _ends(config["output_layers"])
    layers = tuple(_parse_layer(layer) for layer in config["layers"])
    once = {layer.name for layer in layers if "layers" in layer.config and len(layer.calls) == 1}
    often = {layer.name for layer in layers if counts_from_one(layer)}

    def settle(ref: Ref) -> Ref:
        # Keras miscounts the calls of a nested model with open sizes; where one call is listed, it is the one meant.
        return replace(ref, node=0) if ref.layer in once else ref

    def settle_output(ref: Ref) -> Ref:
        return replace(ref, node=ref.node - 1) if ref.layer in often else settle(ref)

    layers = tuple(replace(layer, calls=tuple(call.redirected(settle) for call in layer.calls)) for layer in layers)
    return Graph(config["name"], layers, inputs, tuple(map(settle_output, outputs)), input_keys, output_keys)


def counts_from_one(layer: Layer) -> bool:
    """Whether Keras 3 counts the calls of a layer from 1 where its outputs are those of the model around it.

    It does so for functional models, and nowhere else: where a layer takes such an output the count starts at 0.
    """
    return "layers" in layer.config and layer.class_name != "Sequential" and len(layer.calls) > 1


def _parse_layer(layer: Mapping[str, Json]) -> Layer:
    calls = tuple(Call(_parse_tensors(node["args"]), _parse_tensors(node["kwargs"])) for node in layer["inbound_nodes"])
    return _layer(layer, layer["name"], calls)


def _layer(layer: Mapping[str, Json], name: str, calls: tuple[Call, ...]) -> Layer:
    layer = complete_entry(layer)
    return Layer(
        name=name,
        class_name=layer["class_name"],
        config=layer["config"],
        calls=calls,
        module=layer["module"] or "",
        registered_name=layer["registered_name"],
    )


def _parse_sequential(config: Mapping[str, Json]) -> Graph:
    """A chain; the input is a layer of its own or, in a model built by its first call, `build_input_shape`."""
    described = config["layers"]
    layers: list[Layer] = []
    if described[0]["class_name"] != "InputLayer":
        shape = config.get("build_input_shape")
        if shape is None:
            raise LayerError(
                f"{config['name']!r} was never built: its config names no input shape.",
                next_step="give the builder with --into (into=…)",
            )
        layers.append(Layer("input", "InputLayer", {"batch_shape": list(shape), "dtype": "float32", "name": "input"}))
    for each in described:
        calls = (Call([Ref(layers[-1].name)], {}),) if layers else ()
        layers.append(_layer(each, each["config"]["name"], calls))
    return Graph(config["name"], tuple(layers), (Ref(layers[0].name),), (Ref(layers[-1].name),))


def _parse_tensors(values: Json) -> Json:
    if isinstance(values, dict):
        if values.get("class_name") == TENSOR:
            return Ref(*values["config"]["keras_history"])
        return {key: _parse_tensors(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [_parse_tensors(value) for value in values]
    return values


def _ends(value: Json) -> tuple[tuple[Ref, ...], tuple[str, ...] | None]:
    """`["x", 0, 0]`, a list of such, or a dictionary of such."""
    if isinstance(value, dict):
        return tuple(Ref(*each) for each in value.values()), tuple(value)
    if value and isinstance(value[0], str):
        return (Ref(*value),), None
    return tuple(Ref(*each) for each in value), None


def _check_types(graph: Graph) -> None:
    """JSON may hold anything in a field's place.

    Raises:
        TypeError: for the first field that is of another kind.
    """
    for layer in graph:
        texts = (layer.name, layer.class_name, layer.module, layer.registered_name or "")
        if not all(isinstance(each, str) for each in texts) or not isinstance(layer.config, Mapping):
            raise TypeError(f"a layer without a name, a class and options: {str(texts)[:80]}")
    refs = [*graph.inputs, *graph.outputs, *(ref for layer in graph for call in layer.calls for ref in call.sources)]
    for ref in refs:
        if not isinstance(ref.layer, str) or not all(type(each) is int for each in (ref.node, ref.tensor)):
            raise TypeError(f"an edge that is no name and two numbers: {str(ref)[:80]}")
    if not isinstance(graph.name, str):
        raise TypeError(f"a model's name that is no text: {str(graph.name)[:80]}")


def _check_edges(graph: Graph) -> None:
    names = set(graph.names)
    if len(names) != len(graph.layers):
        twice = sorted({name for name in graph.names if graph.names.count(name) > 1})
        raise LayerError(
            f"{graph.name!r} has several layers of one name.",
            [Problem(name, "once", "several times") for name in twice],
        )
    wanted = [(layer.name, ref) for layer in graph for call in layer.calls for ref in call.sources]
    wanted += [("output", ref) for ref in (*graph.inputs, *graph.outputs)]
    calls = {layer.name: max(1, len(layer.calls)) for layer in graph}
    loose = [
        Problem(
            where, "a layer of this graph", ref.layer if ref.layer not in names else f"call {ref.node} of {ref.layer}"
        )
        for where, ref in wanted
        if ref.node not in range(calls.get(ref.layer, 0))
    ]
    if loose:
        raise LayerError(f"{graph.name!r} has edges that lead nowhere.", loose)
    _check_order(graph)


def _check_order(graph: Graph) -> None:
    """Every call can be made once its inputs are there: no layer waits for itself."""
    made = {(layer.name, node) for layer, node, _ in calls_in_order(graph)}
    stuck = [layer.name for layer in graph if any((layer.name, node) not in made for node in range(len(layer.calls)))]
    if stuck:
        raise LayerError(
            f"{graph.name!r} has layers in a circle.", [Problem(name, found="waits for itself") for name in stuck]
        )


def _check_depth(values: Json) -> None:
    """Configs are walked by recursion: what is nested without end is refused first."""
    level, depth = [values], 0
    while level:
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
            if isinstance(inner, dict | list)
        ]
        depth += 1
        if depth > DEEPEST:
            raise LayerError(
                "The config is nested too deeply to be a model's.",
                [Problem("config", f"at most {DEEPEST} levels", "more")],
            )
