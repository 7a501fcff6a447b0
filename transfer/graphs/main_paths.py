"""The main path of a network whose layers can all be turned round: from its output back to its input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from transfer.errors import LayerError, Problem
from transfer.graphs.call_order import calls_in_order
from transfer.graphs.cutting import single_output
from transfer.graphs.graph import Graph, Layer, Ref
from transfer.graphs.layer_kinds import AUGMENTATIONS, COMPANIONS
from transfer.graphs.wrapping import Shape, is_operation, wrapped_layer

_RANKS = (1, 2, 3)
LEARNING = frozenset(
    {"Dense", "SeparableConv1D", "SeparableConv2D", "DepthwiseConv1D", "DepthwiseConv2D"}
    | {f"Conv{rank}D" for rank in _RANKS}
)
POOLINGS = frozenset(f"{kind}Pooling{rank}D" for kind in ("Max", "Average") for rank in _RANKS)
RESHAPING = frozenset({"Flatten", "Reshape"})
_GLOBAL = frozenset(f"Global{kind}Pooling{rank}D" for kind in ("Max", "Average") for rank in _RANKS)
_SIZING = frozenset(
    {"Resizing", "CenterCrop"}
    | {f"{kind}{rank}D" for kind in ("ZeroPadding", "Cropping", "UpSampling") for rank in _RANKS}
)
_ARITHMETIC = frozenset({"Add", "Subtract", "Multiply", "Maximum", "Minimum"})
_MERGING = _ARITHMETIC | {"Average", "Concatenate"}
_PRESERVING = (
    COMPANIONS
    | AUGMENTATIONS
    | {f"{kind}Normalization" for kind in ("Batch", "Layer", "Group", "RMS", "Unit")}
    | {"InputLayer", "Normalization", "Rescaling", "LayerScale", "StochasticDepth", "CustomScaleLayer"}
)
_MIRRORED = LEARNING | POOLINGS | RESHAPING | _GLOBAL | _SIZING | _MERGING | _PRESERVING
_OPERATIONS = (
    _ARITHMETIC
    | {"Divide", "TrueDivide", "Concatenate", "Identity"}
    | {"Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Gelu", "Silu", "Swish", "HardSilu", "HardSwish", "Mish"}
    | {"Sigmoid", "HardSigmoid", "Tanh", "Softplus", "Softsign"}
)
_EXPECTED = "Dense, a convolution, pooling, reshaping, padding, cropping, an activation, a normalization or a sum"
GIVE_ONE = "give one yourself: --decoder module:function (decoder=…)"


def main_path(graph: Graph, shapes: Mapping[Ref, Shape]) -> tuple[Ref, ...]:
    """The calls from the output back to the input, both among them.

    Where branches meet, the way leads through the one with the most layers that learn. A branch that only scales what
    it meets (squeeze and excitation, whose own map has one position) is no way back.

    Args:
        graph: nested models opened.
        shapes: as `infer_shapes` gives them.

    Raises:
        LayerError: if the graph has several inputs or outputs, a size is open, or a layer cannot be turned round; all
            such layers are named.
    """
    end = single_output(graph)
    if len(graph.inputs) != 1:
        inputs = [Problem(ref.layer, found="an input") for ref in graph.inputs]
        raise LayerError(f"{graph.name!r} has {len(graph.inputs)} inputs; a mirror ends at one.", inputs, GIVE_ONE)
    wrong = list(_unmirrored(graph, shapes))
    if wrong:
        raise LayerError(f"No decoder can be mirrored from {graph.name!r}.", wrong, GIVE_ONE)
    _check_closed(graph, shapes)
    return _longest(graph, shapes, end)


def learns(layer: Layer) -> bool:
    """Whether a layer holds a kernel that makes new channels or units."""
    return not is_operation(layer) and kind_of(layer) in LEARNING


def kind_of(layer: Layer) -> str:
    """Class of a layer; of one with spectral normalization around it that of the inner one."""
    return wrapped_layer(layer).class_name if layer.class_name == "SpectralNormalization" else layer.class_name


def _check_closed(graph: Graph, shapes: Mapping[Ref, Shape]) -> None:
    """Refuse inputs whose sizes are open."""
    wrong = [
        Problem(ref.layer, "a size for each axis", str(shapes[ref]).replace("None", "open"))
        for ref in graph.inputs
        if None in shapes[ref]
    ]
    if wrong:
        raise LayerError(
            f"{graph.name!r} takes inputs of any size; a decoder gives one size.",
            wrong,
            next_step="give the input a shape: --input 96,96,3 (input_shape=…)",
        )


def _unmirrored(graph: Graph, shapes: Mapping[Ref, Shape]) -> Iterator[Problem]:
    """Layers with no way back, each once."""
    for layer in graph:
        sources = [shapes.get(ref) for ref in layer.calls[0].values] if layer.calls else []
        own = shapes.get(Ref(layer.name))
        if not _is_known(layer):
            yield Problem(layer.name, _EXPECTED, _class_of(layer))
        elif _first_channels(layer):
            yield Problem(layer.name, "channels last", f"{layer.class_name} with channels first")
        elif own is None and None not in sources:
            yield Problem(layer.name, "a shape that is known without Keras", layer.class_name)
        elif not is_operation(layer) and kind_of(layer) in _PRESERVING and sources and sources[0] not in (None, own):
            yield Problem(layer.name, f"the shape {sources[0]} again", f"{layer.class_name} gives {own}")


def _is_known(layer: Layer) -> bool:
    if is_operation(layer):
        return layer.class_name in _OPERATIONS
    return layer.module.split(".")[0] == "keras" and kind_of(layer) in _MIRRORED


def _class_of(layer: Layer) -> str:
    own = not layer.module.startswith("keras")
    return f"{layer.class_name}, a class of your own" if own else layer.class_name


def _first_channels(layer: Layer) -> bool:
    config = wrapped_layer(layer).config if layer.class_name == "SpectralNormalization" else layer.config
    return config.get("data_format") == "channels_first"


def _longest(graph: Graph, shapes: Mapping[Ref, Shape], end: Ref) -> tuple[Ref, ...]:
    depths: dict[Ref, int] = {}
    before: dict[Ref, Ref] = {}
    for layer, node, call in calls_in_order(graph):
        ref = Ref(layer.name, node)
        ways = [each for each in _carrying(ref, call.values, shapes) if each in depths]
        if ways:
            before[ref] = max(ways, key=lambda each: depths[each])
        if ways or not layer.calls:
            depths[ref] = (depths[before[ref]] if ways else 0) + learns(layer)
    path = [end]
    while path[-1] in before:
        path.append(before[path[-1]])
    if path[-1] != graph.inputs[0]:
        stuck = Problem(path[-1].layer, "a branch of the size that comes out", graph.layer(path[-1].layer).class_name)
        raise LayerError(f"No decoder can be mirrored from {graph.name!r}.", [stuck], GIVE_ONE)
    return tuple(path)


def _carrying(ref: Ref, sources: Sequence[Ref], shapes: Mapping[Ref, Shape]) -> list[Ref]:
    """The tensors that bring what a call gives: of those that meet in it, the ones of its positions."""
    if len(sources) < 2 or ref not in shapes:
        return [*sources]
    own = shapes[ref]
    found = {each: shapes.get(each, ()) for each in sources}
    return [each for each, shape in found.items() if len(shape) == len(own) and shape[:-1] == own[:-1]]
