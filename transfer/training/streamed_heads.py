"""Heads of a labelling on features that are streamed from the disk: ridge in one pass, or logistic in many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from transfer.data.targets import known
from transfer.errors import DataError, Problem
from transfer.labellings import Labelling, Output
from transfer.specs import Progress
from transfer.training.head_moments import Moments, sum_moments
from transfer.training.labelled_folds import folds_labelled
from transfer.training.labels import Labels, logit_places
from transfer.training.logistic import sigmoid_loss, softmax_loss
from transfer.training.ridge import RidgeHead, solve_ridge
from transfer.training.solving import ALWAYS, FOLDS, PENALTIES, SolvedHead
from transfer.training.solving_outputs import SolvedOutput
from transfer.training.streamed_coordinates import StreamedCoordinates
from transfer.training.streamed_logistic import Chosen, learn_streamed
from transfer.training.streaming import Stream

HeadSolver = Literal["logistic", "ridge"]
Array = NDArray[np.float64]
Numbers = NDArray[np.floating[Any]]
_SPARE = 6  # square matrices, d x d, that stand beside those of the folds for a while
_NUMBERS = 40  # arrays as large as the weights of a fold


@dataclass(frozen=True, slots=True, eq=False)
class StreamedOutput:
    """A head, and what has not seen some examples.

    Attributes:
        solved: the optimum.
        without: for each fold (kernel, bias) of a head that has not seen it.
        remark: how it was found, in a sentence.
        resumed: whether passes went on where they were.
    """

    solved: SolvedOutput
    without: Sequence[tuple[Numbers, Numbers]] = field(repr=False)
    remark: str
    resumed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class StreamedHeads:
    """What there is to learn.

    Attributes:
        stream: features of m examples.
        labels: of these.
        solver: how heads are found; numbers are always those of ridge.
        seed: of the folds.
        groups: (m,); examples of one are in one fold. None where there are none.
        memory_bytes: within which sums and heads have to stay.
        state: a file that says where passes stand; None for none.
        progress: told of what is going on.
    """

    stream: Stream
    labels: Labels
    solver: HeadSolver
    seed: int
    groups: NDArray[np.int64] | None
    memory_bytes: int
    state: Path | None
    progress: Progress

    def solve(self, folds: NDArray[np.int64]) -> list[StreamedOutput]:
        """The head of each output.

        Args:
            folds: (m,) in which fold each example is.

        Raises:
            DataError: if labels are not all known, sums do not fit into the memory, or a feature is not finite.
        """
        labelling = self.labels.labelling
        refuse_unstreamed(self.labels)
        refuse_wide(self.stream.width, labelling, self.solver, self.memory_bytes)
        needs_folds = sums_each_fold(labelling, self.solver)
        sums = sum_moments(self.stream, self._targets, folds if needs_folds else None, self.progress)
        whole = sums[0] if len(sums) == 1 else _sum(sums)
        is_logistic = self.solver == "logistic" and any(each.kind != "regression" for each in labelling)
        coordinates = StreamedCoordinates.of(self.stream, whole, self.progress) if is_logistic else None
        found = []
        for output, places, values in zip(labelling, logit_places(labelling), self.labels.targets, strict=True):
            own = [_of_columns(each, places) for each in sums]
            if output.kind == "regression" or coordinates is None:
                found.append(_ridge(solve_ridge(own)))
            else:
                found.append(self._logistic(output, values, coordinates, folds))
        return found

    def _targets(self, which: NDArray[np.int64]) -> Array:
        """(b, K): one of a class, 1 of a yes, numbers as they are."""
        parts = []
        for output, values in zip(self.labels.labelling, self.labels.targets, strict=True):
            chosen = values[which]
            parts.append(np.eye(len(output.classes))[chosen] if output.kind == "softmax" else chosen.astype(np.float64))
        return np.concatenate(parts, axis=1)

    def _logistic(
        self, output: Output, values: NDArray[Any], coordinates: StreamedCoordinates, folds: NDArray[np.int64]
    ) -> StreamedOutput:
        """Two classes are one logit, half of it on either side: what is penalised is their difference."""
        is_softmax = output.kind == "softmax" and len(output.classes) > 2
        is_pair = output.kind == "softmax" and not is_softmax
        targets: NDArray[Any] = values if is_softmax else values[:, None] == 1 if is_pair else values == 1
        outputs = 1 if is_pair else len(output.classes)
        followed = folds_followed(self.stream.width, outputs, self.memory_bytes)
        chosen = learn_streamed(
            coordinates,
            targets,
            softmax_loss if is_softmax else sigmoid_loss,
            np.where(folds < followed, folds, ALWAYS),
            PENALTIES,
            outputs=outputs,
            state=None if self.state is None else self.state.with_name(f"{self.state.name}.{output.name}.npz"),
            progress=self.progress,
        )
        return _as_output(chosen, is_pair=is_pair, is_sigmoid=output.kind == "sigmoid")


def folds_followed(width: int, outputs: int, memory_bytes: int) -> int:
    """How many folds hold something out: as many as may be followed at once."""
    return max(1, min(FOLDS, memory_bytes // (_NUMBERS * 8 * width * outputs)))


def deal_folds(labels: Labels, seed: int, groups: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """(m,) from 0 to FOLDS - 1, about the same share of each class; examples of a group in one."""
    return folds_labelled(labels.labelling, labels.targets, FOLDS, seed, groups=groups)


def sums_each_fold(labelling: Labelling, solver: HeadSolver) -> bool:
    """Whether sums are kept of each fold: where there is a ridge head."""
    return solver == "ridge" or any(each.kind == "regression" for each in labelling)


def sums_bytes(width: int, labelling: Labelling, solver: HeadSolver) -> int:
    """What the sums over features, `width` of them, take in memory: of each fold, and their axes."""
    return ((2 * FOLDS if sums_each_fold(labelling, solver) else 1) + _SPARE) * 8 * width**2


def refuse_wide(width: int, labelling: Labelling, solver: HeadSolver, memory_bytes: int) -> None:
    """Refuse features whose sums do not fit into the memory.

    Raises:
        DataError: in that case, with how much they take.
    """
    needed = sums_bytes(width, labelling, solver)
    if needed > memory_bytes:
        found = Problem("--memory", f"{needed / 2**20:,.0f} MB or more", f"{memory_bytes / 2**20:,.0f} MB")
        raise DataError(
            f"The sums over {width:,} features do not fit into the memory.",
            [found],
            "give more (memory_bytes=…), or compute features at a layer that pools",
        )


def refuse_unstreamed(labels: Labels) -> None:
    """Refuse labels for which sums over all examples do not serve.

    Raises:
        DataError: if some are not known, or an output stands under another.
    """
    problems = [
        Problem(
            each.name,
            "labels of all examples, of no parent",
            f"under {each.parent}" if each.parent else "some not known",
        )
        for each, values in zip(labels.labelling, labels.targets, strict=True)
        if each.parent or not known(values).all()
    ]
    if problems:
        raise DataError(
            "Heads of such outputs are not learnt from a stream of features.",
            problems,
            "give as much --memory as the features take (memory_bytes=…), or leave these outputs out",
        )


def logits_of(
    stream: Stream, heads: Sequence[Sequence[tuple[Numbers, Numbers]]], folds: NDArray[np.int64]
) -> NDArray[np.float32]:
    """(m, K) of a stream, in one pass.

    Args:
        stream: of m examples.
        heads: for each fold those of all outputs, (d, k) and (k,), side by side.
        folds: (m,), by the heads of which fold an example is answered.
    """
    kernels = [np.concatenate([each for each, _ in several], axis=1).astype(np.float32) for several in heads]
    biases = [np.concatenate([each for _, each in several]).astype(np.float32) for several in heads]
    found = np.empty((len(stream), len(biases[0])), np.float32)
    for which, block in stream.blocks():
        for fold in np.unique(folds[which]).tolist():
            own = folds[which] == fold
            found[which[own]] = block[own] @ kernels[fold] + biases[fold]
    return found


def _sum(sums: Sequence[Moments]) -> Moments:
    whole = sums[0]
    for each in sums[1:]:
        whole = whole + each
    return whole


def _of_columns(moments: Moments, places: slice) -> Moments:
    """The same of some of the targets."""
    return Moments(
        moments.count,
        moments.shift,
        moments.sums,
        moments.gram,
        moments.targets[places],
        moments.squares[places],
        moments.cross[:, places],
    )


def _ridge(head: RidgeHead) -> StreamedOutput:
    part = SolvedHead(head.kernel.astype(np.float32), head.bias.astype(np.float32), head.share, head.errors, None)
    solved = SolvedOutput(part.kernel, part.bias, {"": part}, "cross_validated_squared_error")
    told = (
        f"ridge: in one pass; a penalty of {head.share:.2g} an example, chosen from {len(head.errors)} by {FOLDS} folds"
    )
    return StreamedOutput(solved, head.folds, told)


def _as_output(chosen: Chosen, *, is_pair: bool, is_sigmoid: bool) -> StreamedOutput:
    def whole(
        kernel: NDArray[np.float32], bias: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        halves = np.array([[-0.5, 0.5]], np.float32)
        return (kernel @ halves, bias @ halves) if is_pair else (kernel, bias)

    kernel, bias = whole(chosen.kernel, chosen.bias)
    penalties = tuple(chosen.penalties.tolist()) if is_sigmoid else ()
    part = SolvedHead(kernel, bias, chosen.penalty, chosen.log_loss, chosen.accuracy, penalties)
    followed = len(chosen.without)
    folds = f"{FOLDS} folds" if followed == FOLDS else f"{followed} of {FOLDS} folds, as many as the memory holds"
    told = f"logistic: in {chosen.passes} passes; a penalty chosen from {len(chosen.log_loss)} by {folds}"
    solved = SolvedOutput(kernel, bias, {"": part})
    return StreamedOutput(solved, [whole(*each) for each in chosen.without], told, chosen.resumed)
