"""Dividing a labelled set into what is learnt from and what is tested on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from transfer.data.labelled import LabelledSet
from transfer.data.labelled_splits import split_labelled
from transfer.data.targets import known
from transfer.errors import DataError, Problem
from transfer.labellings import Output
from transfer.training.labels import Labels


def divide(
    data: LabelledSet, *, seed: int, shots: int | None, test_share: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places of the examples to learn from, and of those to test on; groups stay together.

    Raises:
        DataError: if a class has too few examples.
    """
    return split_labelled(
        data.labelling,
        data.targets,
        seed=seed,
        groups=data.groups,
        shots=shots,
        test_share=test_share,
        names=data.names,
    )


def refuse_unlearnt(labels: Labels) -> tuple[str, ...]:
    """What is not among the examples to learn from, in a sentence; of a single output it is refused.

    Args:
        labels: of the examples to learn from.

    Raises:
        DataError: if a class of a single output is not there, or nothing is known of one of several.
    """
    lost = {output.name: _lost(output, values) for output, values in zip(labels.labelling, labels.targets, strict=True)}
    if labels.labelling.is_single and (names := next(iter(lost.values()))):
        raise DataError(
            "Some classes have no training example.",
            [Problem(f"class {name!r}", "at least 1 example", "0") for name in names],
        )
    pairs = zip(labels.labelling, labels.targets, strict=True)
    empty = [output.name for output, values in pairs if not known(values).any()]
    if empty:
        count = "1 output" if len(empty) == 1 else f"{len(empty)} outputs"
        raise DataError(
            f"Nothing is known of {count} among the examples to learn from.",
            [Problem(name, "a known label", "none") for name in empty],
            "add labels, or leave these outputs out",
        )
    told = [f"{name}: {', '.join(names)}" for name, names in lost.items() if names]
    return (f"no example to learn from for {'; '.join(told)}: they are hardly ever answered",) if told else ()


def _lost(output: Output, values: NDArray[np.generic]) -> list[str]:
    """Classes that no example has; labels without a yes; numbers of which none is known."""
    if output.kind == "softmax":
        counts = np.bincount(values[known(values)].astype(np.int64), minlength=len(output.classes))
    else:
        counts = (values == 1).sum(0) if output.kind == "sigmoid" else known(values).sum(0)
    return [name for name, count in zip(output.classes, counts.tolist(), strict=True) if not count]
