"""What is trained and what is not, as part of the graph.

Layers are named by their paths, as tensors are: `backbone/conv_1` is the layer `conv_1` inside the nested model
`backbone`, which is not opened for that. Batch normalization is a case of its own, because in training it changes its
statistics although no gradient reaches them. It is fixed, and then runs on what it has stored, where `trainable` is
False on the layer itself. Every function here takes a policy for it:

- `frozen`: all of it is fixed, in trained parts too. The default: batches of a small set make poor statistics.
- `adapt`: it is trained where its part is trained, and fixed where its part is fixed.
- `train`: all of it is trained, in frozen parts too.

Source: of `train` in a frozen network, Frankle et al. (2021), "Training BatchNorm and only BatchNorm".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

from transfer.errors import LayerError, Problem, nearest
from transfer.graphs.blocks import blocks_of, head_of
from transfer.graphs.graph import Graph, Layer, Ref
from transfer.graphs.training_flags import parts_of, set_trained
from transfer.graphs.wrapping import is_model, parse_nested, wrapped_layer
from transfer.specs import BatchNormPolicy

__all__ = [
    "BatchNormPolicy",
    "fits_path",
    "freeze",
    "freeze_all",
    "freeze_up_to",
    "frozen_layers",
    "trainable_layers",
    "unfreeze",
    "unfreeze_all",
    "unfreeze_from",
    "unfreeze_last",
]


def freeze(graph: Graph, patterns: str | Iterable[str], *, batch_norm: BatchNormPolicy = "frozen") -> Graph:
    """Fix layers by name; what is fixed already stays so.

    Args:
        graph: left as it is.
        patterns: of whole paths. `*` stands for any text, '/' too; `re:` in front makes it a regular expression. One
            that fits a nested model or a wrapper reaches all inside.
        batch_norm: what becomes of batch normalization (see above); one that no pattern fits is no part of what is
            fixed here.

    Raises:
        LayerError: if a pattern fits nothing.
    """
    return _set_fitting(graph, patterns, False, batch_norm)


def unfreeze(graph: Graph, patterns: str | Iterable[str], *, batch_norm: BatchNormPolicy = "frozen") -> Graph:
    """Train layers by name; what is trained already stays so. Patterns and policy as for `freeze`.

    Raises:
        LayerError: if a pattern fits nothing.
    """
    return _set_fitting(graph, patterns, True, batch_norm)


def freeze_all(graph: Graph, *, batch_norm: BatchNormPolicy = "frozen") -> Graph:
    """Fix every layer."""
    return set_trained(graph, lambda part: False, batch_norm)  # noqa: ARG005


def unfreeze_all(graph: Graph, *, batch_norm: BatchNormPolicy = "frozen") -> Graph:
    """Train every layer."""
    return set_trained(graph, lambda part: True, batch_norm)  # noqa: ARG005


def freeze_up_to(graph: Graph, name: str, *, batch_norm: BatchNormPolicy = "frozen") -> Graph:
    """Fix a layer and all that it depends on; others stay as they are, a parallel branch for example.

    Args:
        graph: left as it is.
        name: of the layer; for one inside a nested model, `backbone/block3_pool`, what feeds the model is fixed too.
            A layer that is called several times depends on what goes into any of its calls.
        batch_norm: what becomes of batch normalization.

    Raises:
        LayerError: if there is no such layer.
    """
    _check_path(graph, name)
    fixed = _up_to(graph, name)
    return set_trained(graph, lambda part: part.is_trained and not part.lies_in(fixed), batch_norm)


def unfreeze_from(graph: Graph, name: str, *, batch_norm: BatchNormPolicy = "frozen") -> Graph:
    """Train a layer and all after it in the graph's order, and fix all before it.

    Raises:
        LayerError: if there is no such layer.
    """
    _check_path(graph, name)
    leaves = [part for part in parts_of(graph) if not part.is_model]
    place = next((k for k, part in enumerate(leaves) if part.lies_in({name})), len(leaves))
    before = {part.path for part in leaves[:place]}
    return set_trained(graph, lambda part: part.path not in before, batch_norm)


def unfreeze_last(graph: Graph, blocks: int, *, batch_norm: BatchNormPolicy = "frozen") -> Graph:
    """Train the last blocks and the head, and fix everything else.

    Args:
        graph: left as it is.
        blocks: how many; what a block is, and what the head, `graphs.blocks` says. With 0 the head alone is trained.
        batch_norm: what becomes of batch normalization.

    Raises:
        LayerError: if there are fewer blocks.
    """
    if blocks < 0:
        raise ValueError(f"unfreeze_last counts blocks to train: at least 0, not {blocks}")
    found = blocks_of(graph)
    if blocks > len(found):
        raise LayerError(
            f"{graph.name!r} has fewer blocks than {blocks}.",
            [Problem("blocks to train", f"at most {len(found)}", str(blocks))],
            next_step="train all layers instead",
        )
    trained = {path for block in found[len(found) - blocks :] for path in block} | head_of(graph)
    return set_trained(graph, lambda part: part.path in trained, batch_norm)


def frozen_layers(graph: Graph) -> tuple[str, ...]:
    """Paths of the layers that are fixed; a nested model is given by those inside it."""
    return tuple(part.path for part in parts_of(graph) if part.has_flag and not part.is_trained)


def trainable_layers(graph: Graph) -> tuple[str, ...]:
    """Paths of the layers that are trained, whether they hold anything to train or not."""
    return tuple(part.path for part in parts_of(graph) if part.has_flag and part.is_trained)


def fits_path(pattern: str) -> Callable[[str], bool]:
    """Whether a path fits a pattern: `*` for any text, or `re:` and a regular expression for all of it.

    Raises:
        LayerError: if the expression cannot be read.
    """
    if not pattern.startswith("re:"):
        return lambda name: fnmatchcase(name, pattern)
    try:
        expression = re.compile(pattern.removeprefix("re:"))
    except re.error as error:
        raise LayerError(f"{pattern!r} is no regular expression: {error}.") from error
    return lambda name: expression.fullmatch(name) is not None


def _set_fitting(graph: Graph, patterns: str | Iterable[str], trained: bool, policy: BatchNormPolicy) -> Graph:
    paths = [part.path for part in parts_of(graph)]
    chosen: set[str] = set()
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        fitting = set(filter(fits_path(pattern), paths))
        if not fitting:
            raise LayerError(
                f"{graph.name!r} has no layer that fits {pattern!r}.", next_step=f"nearest: {nearest(pattern, paths)}"
            )
        chosen |= fitting
    return set_trained(graph, lambda part: trained if part.lies_in(chosen) else part.is_trained, policy)


def _check_path(graph: Graph, name: str) -> None:
    paths = [part.path for part in parts_of(graph)]
    if name not in paths:
        raise LayerError(f"{graph.name!r} has no layer {name!r}.", next_step=f"nearest: {nearest(name, paths)}")


def _up_to(graph: Graph, name: str) -> set[str]:
    """Paths of a layer and of all that it depends on."""
    first, _, rest = name.partition("/")
    layer = graph.layer(first)
    found = _before(graph, layer)
    if not rest:
        return found | {first}
    prefix = f"{first}/"
    if not is_model(layer):
        layer = wrapped_layer(layer)
        inner, _, rest = rest.partition("/")
        prefix = f"{prefix}{inner}/"
        if not rest:
            return found | {first}
    return found | {f"{prefix}{path}" for path in _up_to(parse_nested(layer, ((),)), rest)}


def _before(graph: Graph, layer: Layer) -> set[str]:
    found: set[str] = set()
    ahead: list[Ref] = [ref for call in layer.calls for ref in call.sources]
    while ahead:
        name = ahead.pop().layer
        if name not in found:
            found.add(name)
            ahead += [ref for call in graph.layer(name).calls for ref in call.sources]
    return found
