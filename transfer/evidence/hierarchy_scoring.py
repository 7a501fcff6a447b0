"""How well classes and finer ones under them are answered together: what is right at the top counts, whatever is below.

With W the classes that an example has, coarse and fine, and A those it is answered, over all examples

    precision = sum |W & A| / sum |A|    recall = sum |W & A| / sum |W|    F1 = 2 sum |W & A| / sum (|W| + |A|)

Source: Kiritchenko, Matwin & Famili (2005), "Functional annotation of genes using hierarchical text categorization";
Silla & Freitas (2011), "A survey of hierarchical classification across different application domains", section 5.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.grouping import number_groups
from transfer.data.targets import known
from transfer.evidence.resampling import Floats, bootstrap, ratio
from transfer.labellings import Labelling, Output
from transfer.output_scores import OutputScore

Values = NDArray[Any]
NAMES = ("hierarchical precision", "hierarchical recall", "hierarchical F1")


def score_hierarchy(
    labelling: Labelling,
    targets: Sequence[Values],
    answers: Sequence[Values],
    *,
    seed: int,
    groups: NDArray[np.int64] | None = None,
) -> tuple[OutputScore, ...]:
    """A score for each softmax output that has others under it, of all of them together.

    A finer answer of which it is not known what it should be counts for nothing, unless the coarser one is wrong: then
    it is wrong as well.

    Args:
        labelling: the outputs.
        targets: their labels.
        answers: of the same shapes, -1 where the answer to the parent denies them.
        seed: of the resamples from which bounds come.
        groups: (n,), numbers of groups of examples that are alike; bounds are wider then.
    """
    scores = []
    for root in labelling:
        tree = _tree(labelling, root) if root.kind == "softmax" and not root.parent else ()
        if len(tree) > 1:
            sizes = _count_classes(labelling, tree, targets, answers)
            scores.append(_score(tree, sizes, groups, seed))
    return tuple(scores)


def _tree(labelling: Labelling, root: Output) -> tuple[Output, ...]:
    """An output and all of softmax under it, coarse ones first."""
    below = [
        each for child in labelling.children(root.name) if child.kind == "softmax" for each in _tree(labelling, child)
    ]
    return (root, *below)


def _score(tree: tuple[Output, ...], sizes: Floats, groups: NDArray[np.int64] | None, seed: int) -> OutputScore:
    rows = sizes[:, 0] > 0
    name, n = ", ".join(each.name for each in tree), int(rows.sum())
    if not n:
        return OutputScore(name, "hierarchy", 0, (), notes=("known of no example here",))
    units = number_groups(None if groups is None else groups[rows], n)
    found = bootstrap(lambda counts: _statistics(counts, sizes[rows]), units, seed)
    notes = () if groups is None else (f"bounds by {units.max() + 1} groups",)
    return OutputScore(name, "hierarchy", n, found.measures(NAMES, (n,) * len(NAMES)), notes=notes)


@dataclass(frozen=True, slots=True, eq=False)
class _Level:
    """An output's answers: (n,), which of them count, and which of these are wrong."""

    counts: NDArray[np.bool_]
    wrong: NDArray[np.bool_]


def _count_classes(
    labelling: Labelling, tree: tuple[Output, ...], targets: Sequence[Values], answers: Sequence[Values]
) -> Floats:
    """(n, 3): |W|, |A| and |W & A| of each example."""
    levels: dict[str, _Level] = {}
    sizes = np.zeros((len(targets[0]), 3))
    for output in tree:
        place = labelling.place(output.name)
        wanted, said = targets[place], answers[place]
        asked, above = known(wanted), levels.get(output.parent)
        counts = (said >= 0) & (asked if above is None else asked | above.wrong)
        levels[output.name] = _Level(counts, counts & (said != wanted))
        sizes += np.stack([asked, counts, asked & (said == wanted)], axis=1)
    return sizes


def _statistics(counts: Floats, sizes: Floats) -> Floats:
    wanted, said, both = (counts @ sizes).T
    return np.stack([ratio(both, said), ratio(both, wanted), ratio(2 * both, wanted + said)], axis=1)
