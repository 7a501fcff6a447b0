"""How many tensors a layer gives."""

from __future__ import annotations

from collections.abc import Mapping

from transfer.errors import LayerError
from transfer.graphs.graph import Call, Graph, Layer
from transfer.graphs.layer_kinds import ATTENTIONS
from transfer.graphs.wrapping import RECURRENT, both_sides, cells_of, is_model, is_operation, parse_nested
from transfer.specs import Json

_SPLITTING = frozenset({"Split", "ArraySplit", "Hsplit", "Vsplit", "Dsplit"})
_PAIRS = frozenset({"TopK", "Moments", "Qr", "Eig", "Eigh", "FFT", "FFT2", "IFFT2", "RFFT", "STFT"})


def count_outputs(graph: Graph, layer: Layer) -> int:
    """The number of outputs of each call of a layer.

    What Keras tells from shapes alone (`Unstack` without a number) counts as far as the graph uses it.

    Args:
        graph: that the layer stands in.
        layer: of that graph.
    """
    refs = [*graph.outputs, *(ref for each in graph for call in each.calls for ref in call.sources)]
    used = max((ref.tensor + 1 for ref in refs if ref.layer == layer.name), default=1)
    try:
        return max(used, _count(layer))
    except (LayerError, KeyError, TypeError, ValueError, IndexError, AttributeError):
        return used  # options of another form: what is used is there


def _count(layer: Layer) -> int:
    kind, config = layer.class_name, layer.config
    call = layer.calls[-1] if layer.calls else Call([], {})
    if is_operation(layer):
        return _of_operation(kind, {**config, **call.kwargs})
    if is_model(layer):
        inner = parse_nested(layer, ((),))
        last = inner.layer(inner.outputs[0].layer)
        return count_outputs(inner, last) if kind == "Sequential" and last.calls else len(inner.outputs)
    if kind in RECURRENT:
        return 1 + _states(layer)
    if kind == "Bidirectional":
        forward, backward = both_sides(layer)
        return (2 if config.get("merge_mode", "concat") is None else 1) + _states(forward) + _states(backward)
    return 2 if kind in ATTENTIONS and call.kwargs.get("return_attention_scores") else 1


def _states(layer: Layer) -> int:
    """How many states a recurrent layer gives beside its output: two for a cell of an LSTM, one for others."""
    if not layer.config.get("return_state"):
        return 0
    return sum(2 if "LSTM" in cell.class_name else 1 for _, cell in cells_of(layer))


def _of_operation(kind: str, options: Mapping[str, Json]) -> int:
    if kind in _SPLITTING:
        given = options["indices_or_sections"]
        return int(given) if isinstance(given, int) else len(given) + 1
    if kind == "Unstack" and options.get("num"):
        return int(options["num"])
    if kind == "SVD":
        return 3 if options.get("compute_uv", True) else 1
    return 2 if kind in _PAIRS else 1
