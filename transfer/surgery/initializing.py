"""Values that new layers start from, by the initialisers in their configs."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from transfer.errors import LayerError, Problem, nearest
from transfer.graphs.graph import Graph, Layer, Ref
from transfer.graphs.shapes import infer_shapes
from transfer.graphs.variables import describe_graph
from transfer.graphs.walking import walk
from transfer.graphs.wrapping import RECURRENT, both_sides, cells_of, is_model, parse_nested, wrapped_layer
from transfer.specs import Json, TensorSpec
from transfer.surgery.initializers import Shape, Values, compute_fans, draw_initial
from transfer.weights.lazy_tensors import LazyTensors
from transfer.weights.reading import numpy_dtype

_ATTENTION = frozenset({"MultiHeadAttention", "GroupQueryAttention", "GroupedQueryAttention"})
_SHORT = 4  # of an axis in a check: an LSTM's bias of one unit


class Drawn(LazyTensors):
    """Initial values of variables, by `layer/role`: each is drawn when it is first asked for, and kept."""

    def __init__(self, variables: Iterable[_Variable], seed: int) -> None:
        self._variables = {each.spec.name: each for each in variables}
        self._seed = seed
        self._values: dict[str, Values] = {}

    def __getitem__(self, name: str) -> Values:
        if name not in self._values:
            self._values[name] = _draw(self._variables[name], self._seed)
        return self._values[name]

    def _listed(self) -> Collection[str]:
        return self._variables

    def dtype_of(self, name: str) -> str:
        """Type of a variable; nothing is drawn for it."""
        return self._variables[name].spec.dtype


def initial_tensors(graph: Graph, layers: Iterable[str], seed: int) -> dict[str, Values]:
    """As `draw_lazily`, with all values drawn."""
    return dict(draw_lazily(graph, layers, seed))


def draw_lazily(graph: Graph, layers: Iterable[str], seed: int) -> Drawn:
    """Initial values of the variables of some layers, by `layer/role`.

    Each variable has a generator of its own, from the seed and its name: what is drawn for one does not depend on the
    others, nor on when it is. Seeds that stand in configs are for Keras and not looked at.

    Args:
        graph: with those layers.
        layers: their names; `outer/inner` for one inside a nested model, the model's name for all in it.
        seed: at least 0.

    Returns:
        In the order of the graph, in the type that each variable has.

    Raises:
        LayerError: if there is no such layer, its variables are not known here, or an initialiser is not. That one
            takes more memory than there is shows only when it is drawn.
    """
    wanted = tuple(dict.fromkeys(layers))
    known = {place.name for place in walk(graph)}
    for name in wanted:
        if name not in known:
            raise LayerError(
                f"{graph.name!r} has no layer {name!r}.", next_step=f"nearest: {nearest(name, sorted(known))}"
            )
    prefixes = tuple(f"{name}/" for name in wanted)
    specs = describe_graph(_around(graph, {name.split("/", 1)[0] for name in wanted}))
    variables = [_Variable(spec, *_holder(graph, name)) for name, spec in specs.items() if name.startswith(prefixes)]
    for each in variables:
        _check_rule(each)
    return Drawn(variables, seed)


def _around(graph: Graph, names: set[str]) -> Graph:
    """Those layers with inputs in place of what feeds them, so that layers of unknown classes elsewhere do not matter.

    Where a shape is not known the whole graph is given back: its description says why.
    """
    shapes = infer_shapes(graph)
    kept = [layer for layer in graph if layer.name in names]
    sources = dict.fromkeys(ref for layer in kept for call in layer.calls[:1] for ref in call.sources)
    if not all(ref in shapes for ref in sources):
        return graph
    inputs = {ref: f"{ref.layer}/{ref.node}/{ref.tensor}" for ref in sources}
    front = [
        Layer(name, "InputLayer", {"name": name, "batch_shape": [None, *shapes[ref]]}) for ref, name in inputs.items()
    ]
    ahead = [
        replace(layer, calls=tuple(call.redirected(lambda ref: Ref(inputs[ref])) for call in layer.calls[:1]))
        for layer in kept
    ]
    return replace(graph, layers=(*front, *ahead), inputs=tuple(Ref(each.name) for each in front), outputs=())


@dataclass(frozen=True, slots=True)
class _Variable:
    """A variable, the layer whose config speaks of it, and its path inside that layer."""

    spec: TensorSpec
    layer: Layer
    role: str


def _check_rule(variable: _Variable) -> None:
    """Refuse at once what no values can be drawn by: a few are, as many axes as there are but short ones."""
    short = tuple(min(size, _SHORT) for size in variable.spec.shape)
    with _telling(variable.spec):
        _initial(variable.layer, variable.role, short, np.random.Generator(np.random.PCG64(0)))


def _draw(variable: _Variable, seed: int) -> Values:
    spec = variable.spec
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, _number(spec.name)])))
    with _telling(spec):
        try:
            if spec.parameters * 8 > sys.maxsize:  # drawn as float64; numpy has no memory error for this
                raise MemoryError
            drawn = _initial(variable.layer, variable.role, spec.shape, generator)
            return np.asarray(drawn, numpy_dtype(spec.dtype))
        except MemoryError as error:
            raise LayerError(
                f"The initial values of {spec.name!r} take more memory than there is.",
                [
                    Problem(
                        spec.name, "what fits into memory", f"{spec.dtype} of {spec.shape}: {spec.size_bytes:,} bytes"
                    )
                ],
            ) from error


@contextmanager
def _telling(spec: TensorSpec) -> Iterator[None]:
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise LayerError(
            f"The initial values of {spec.name!r} cannot be drawn.",
            [Problem(spec.name, "an initialiser as Keras 3 writes it", repr(error)[:200])],
        ) from error


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "big")


def _holder(graph: Graph, name: str) -> tuple[Layer, str]:
    """The layer whose config speaks of a variable, and the variable's path inside it.

    Layers that make others themselves speak for them: `bi/forward_lstm/lstm_cell/kernel` is the `kernel` of the LSTM.
    """
    first, path = name.split("/", 1)
    return _inside(graph.layer(first), path)


def _inside(layer: Layer, path: str) -> tuple[Layer, str]:
    if is_model(layer):
        return _holder(parse_nested(layer, ((),)), path)
    for name, inner in _made_inside(layer):
        if path.startswith(f"{name}/"):
            return _inside(inner, path.removeprefix(f"{name}/"))
    return layer, path


def _made_inside(layer: Layer) -> list[tuple[str, Layer]]:
    if layer.class_name in ("TimeDistributed", "SpectralNormalization"):
        inner = wrapped_layer(layer)
        return [(inner.name, inner)]
    if layer.class_name == "Bidirectional":
        return [(side.name, side) for side in both_sides(layer)]
    return list(cells_of(layer)) if layer.class_name in RECURRENT else []


# What each variable of a layer starts from: an initialiser's name in full, or the option that holds one.
_FIXED = {
    ("SpectralNormalization", "vector_u"): {"class_name": "TruncatedNormal", "config": {"stddev": 0.02}},
    ("Attention", "scale"): "ones",
    ("Attention", "concat_score_weight"): "ones",
    ("AdditiveAttention", "scale"): "glorot_uniform",
    ("RMSNormalization", "scale"): "ones",
    ("Normalization", "mean"): "zeros",
    ("Normalization", "variance"): "ones",
    ("Normalization", "count"): "zeros",
}
_OPTIONS = {
    "kernel": ("kernel_initializer", "glorot_uniform"),
    "bias": ("bias_initializer", "zeros"),
    "depthwise_kernel": ("depthwise_initializer", "glorot_uniform"),
    "pointwise_kernel": ("pointwise_initializer", "glorot_uniform"),
    "recurrent_kernel": ("recurrent_initializer", "orthogonal"),
    "embeddings": ("embeddings_initializer", "uniform"),
    "reverse_embeddings": ("embeddings_initializer", "uniform"),
    "gamma": ("gamma_initializer", "ones"),
    "beta": ("beta_initializer", "zeros"),
    "moving_mean": ("moving_mean_initializer", "zeros"),
    "moving_variance": ("moving_variance_initializer", "ones"),
    "moving_stddev": ("moving_variance_initializer", "ones"),
    "renorm_mean": ("moving_mean_initializer", "zeros"),
    "renorm_stddev": ("moving_variance_initializer", "ones"),
    "alpha": ("alpha_initializer", "zeros"),
}


def _initial(layer: Layer, path: str, shape: Shape, generator: np.random.Generator) -> Values:
    kind, config = layer.class_name, layer.config
    entry: Json
    role = re.sub(r"_\d+$", "", path.rpartition("/")[2])  # where cells of one name stand in a stack, `kernel_1`
    if kind == "LayerScale":
        entry = {"class_name": "Constant", "config": {"value": config["init_values"]}}
    elif kind.startswith("Depthwise") and role == "kernel":
        entry = config.get("depthwise_initializer", "glorot_uniform")
    elif (kind, role) in _FIXED:
        entry = _FIXED[kind, role]
    elif role in _OPTIONS:
        option, otherwise = _OPTIONS[role]
        entry = config.get(option, otherwise)
    else:
        raise _unknown(layer, path, "a variable whose initial values are known here", f"{kind}/{role}")
    drawn = draw_initial(entry, shape, generator, where=f"{layer.name}/{path}", fans=_fans_of(layer, path, shape))
    if role.endswith("_stddev"):
        return np.sqrt(drawn)
    if role == "bias" and _forgets_late(layer):
        units = shape[0] // 4
        drawn[units : 2 * units] = 1  # the gates stand in the order i, f, c, o
    return drawn


def _forgets_late(layer: Layer) -> bool:
    kind = layer.class_name
    return kind in ("LSTMCell", "ConvLSTMCell") and bool(layer.config.get("unit_forget_bias", True))


def _fans_of(layer: Layer, path: str, shape: Shape) -> tuple[int, int]:
    """Fans of an equation's kernel go by its letters: those of the output are out, the rest is in."""
    if layer.class_name == "EinsumDense" and path == "kernel":
        operands, _, target = str(layer.config["equation"]).replace(" ", "").partition("->")
        letters = operands.partition(",")[2]
        out = [letter in target for letter in letters]
    elif layer.class_name in _ATTENTION and path.endswith("/kernel"):
        last = path.startswith("attention_output/")  # (heads, width, …) → …, the others (…) → (heads, width)
        out = [place >= 2 if last else place > 0 for place in range(len(shape))]
    else:
        return compute_fans(shape)
    sides = [[size for size, is_out in zip(shape, out, strict=True) if is_out == side] for side in (False, True)]
    return prod(sides[0]), prod(sides[1])


def _unknown(layer: Layer, path: str, expected: str, found: str) -> LayerError:
    return LayerError(
        f"The initial values of {layer.name!r} are not known: {layer.class_name} has no rule here.",
        [Problem(f"{layer.name}/{path}", expected, found)],
    )
