"""Where the features of a classifier end, for those who do not name a layer."""

from __future__ import annotations

from collections.abc import Sequence

from transfer.errors import LayerError
from transfer.graphs.cutting import single_output, source_before, sources_of
from transfer.graphs.graph import Graph, Layer, Ref
from transfer.graphs.layer_kinds import COMPANIONS, DROPOUTS

PASSIVE = COMPANIONS | {
    "InputLayer",
    "Flatten",
    "Reshape",
    "Permute",
    "Rescaling",
    "Normalization",
    "Resizing",
    "CenterCrop",
}
GLOBAL_POOLINGS = frozenset(f"Global{kind}Pooling{rank}D" for kind in ("Average", "Max") for rank in (1, 2, 3))
CONVOLUTIONS = frozenset(f"{kind}{rank}D" for kind in ("Conv", "Convolution") for rank in (1, 2, 3))

_PROBABILITIES = ("softmax", "log_softmax", "sigmoid")
_AS_LAYERS = ("Softmax", "LogSoftmax", "Sigmoid", "LogSigmoid")
_AFTER_POOLING = COMPANIONS | {"Reshape", "Flatten", "Squeeze", *_AS_LAYERS}


def feature_layer(graph: Graph) -> str:
    """The layer at which a classifier's features end.

    They end at the last global pooling, else at the last `Flatten`, else before the last `Dense`. Where a convolution
    is the classifier they end before it and its dropout: one whose scores are pooled and made probabilities
    (SqueezeNet), or, in a network without pooling and `Dense`, one that ends it with probabilities for each position.

    Only layers that everything passes through count, on the way back from the output: a pooling inside a
    squeeze-and-excitation branch does not. A nested model is one layer. A network without a classifier ends where it
    ends.

    Raises:
        LayerError: if the model has several outputs, or its only layer is the classifier.
    """
    end = single_output(graph)
    refs = [end]
    while len(sources := sources_of(graph, refs[-1])) == 1 and graph.layer(sources[0].layer).calls:
        refs.append(sources[0])
    chain = [graph.layer(ref.layer) for ref in refs]
    for wanted in (GLOBAL_POOLINGS, frozenset({"Flatten"})):
        for place, layer in enumerate(chain):
            # A Flatten at the entrance is no end of features: something must have been learnt before it.
            if layer.class_name in wanted and any(map(_learns, chain[place + 1 :])):
                classifier = _scoring_convolution(chain, place) if wanted is GLOBAL_POOLINGS else None
                return layer.name if classifier is None else _before_classifier(graph, refs, classifier)
    kinds = [layer.class_name for layer in chain]
    if "Dense" not in kinds:
        ending = _ending_convolution(chain)
        return end.layer if ending is None else _before_classifier(graph, refs, ending)
    place = kinds.index("Dense")
    if place + 1 == len(chain) and len(sources_of(graph, refs[place])) == 1:
        raise LayerError(
            f"The only Dense layer of {graph.name!r} stands right after its input: there are no features before it.",
            next_step="keep it as the backbone with --at (at=…)",
        )
    return source_before(graph, refs[place]).layer


def _scoring_convolution(chain: Sequence[Layer], pooling: int) -> int | None:
    """Where the convolution stands whose maps, pooled, are the scores of a classifier; None where there is none.

    Nothing but an activation or dropout may stand between it and the pooling, and nothing that learns behind that; a
    backbone without its classifier gives no probabilities, and one with a normalization behind it is no classifier.
    """
    after = chain[:pooling]
    if not any(map(_gives_probabilities, after)) or any(each.class_name not in _AFTER_POOLING for each in after):
        return None
    return _first_convolution(chain, pooling + 1)


def _ending_convolution(chain: Sequence[Layer]) -> int | None:
    """Where the convolution stands that ends a network with probabilities; None where there is none."""
    place = _first_convolution(chain, 0)
    if place is None or not any(map(_gives_probabilities, chain[: place + 1])):
        return None
    return place


def _first_convolution(chain: Sequence[Layer], start: int) -> int | None:
    """The first from `start`, with nothing but activations and dropout before it and something learnt after it."""
    place = start
    while place < len(chain) and chain[place].class_name in COMPANIONS | set(_AS_LAYERS):
        place += 1
    if place == len(chain) or chain[place].class_name not in CONVOLUTIONS:
        return None
    return place if any(map(_learns, chain[place + 1 :])) else None


def _before_classifier(graph: Graph, refs: Sequence[Ref], place: int) -> str:
    """The layer before a classifying one and its dropout."""
    before = source_before(graph, refs[place])
    while graph.layer(before.layer).class_name in DROPOUTS:
        before = source_before(graph, before)
    return before.layer


def _gives_probabilities(layer: Layer) -> bool:
    return layer.class_name in _AS_LAYERS or layer.config.get("activation") in _PROBABILITIES


def _learns(layer: Layer) -> bool:
    """Whether a layer may hold what training changes, or joins branches that do."""
    kind = layer.class_name
    passive = kind in PASSIVE or kind.startswith(("Random", "ZeroPadding", "Cropping")) or "Pooling" in kind
    return not passive or any(len(call.sources) > 1 for call in layer.calls)


def encoder_layer(graph: Graph) -> str:
    """The layer at which the features of a network end that may or may not have a classifier.

    One has a classifier whose last layer gives probabilities, or is a `Dense` without an activation: logits. Any other
    is an encoder as a whole.

    Raises:
        LayerError: as `feature_layer`.
    """
    last = graph.layer(single_output(graph).layer)
    is_linear = last.class_name == "Dense" and last.config.get("activation") in (None, "linear")
    return feature_layer(graph) if is_linear or _gives_probabilities(last) else last.name
