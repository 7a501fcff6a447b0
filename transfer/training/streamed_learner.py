"""A learner whose heads are learnt from features that do not fit into the memory, as far as a probe goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.labellings import Labelling
from transfer.training.feature_store import MEMORY_BYTES
from transfer.training.learner import Learner
from transfer.training.probing import HeadInputs
from transfer.training.solving_outputs import SolvedOutput
from transfer.training.streamed_heads import HeadSolver, StreamedHeads, StreamedOutput, deal_folds, logits_of
from transfer.training.streaming import Stream
from transfer.training.temperatures import find_temperature

_VALIDATED = 2**16  # examples, drawn at random, on which a head is calibrated that has not seen them


@dataclass(slots=True)
class StreamedLearner(Learner):
    """As a `Learner` of the recipe `probe`, whose heads all take what it was given.

    Attributes:
        solver: how heads are found.
        memory_bytes: within which that has to stay.
    """

    solver: HeadSolver = "logistic"
    memory_bytes: int = MEMORY_BYTES
    _out: tuple[NDArray[np.int64], NDArray[np.float32]] | None = field(init=False, default=None)

    def solve(self) -> tuple[SolvedOutput, ...]:
        """See `Learner.solve`."""
        places, groups = self._all.places, self._groups_of(self._all.places)
        labels = self._labels[places]
        state = None if self.state_folder is None else self.state_folder / "heads"
        stream = self._stream(places)
        work = StreamedHeads(
            stream, labels, self.solver, self.recipe.seed, groups, self.memory_bytes, state, self.progress
        )
        folds = deal_folds(labels, self.recipe.seed, groups)
        found = work.solve(folds)
        self.remarks += [
            each.remark if labels.labelling.is_single else f"{name}: {each.remark}"
            for name, each in zip(labels.labelling.names, found, strict=True)
        ]
        if any(each.resumed for each in found):
            self.resumed = "the penalties that were tried"
        self._out = self._unseen(found, folds)
        solved = self._as_sure(labels.labelling, [each.solved for each in found])
        tensors: dict[str, Any] = {}
        for head, each in zip(self.heads, solved, strict=True):
            tensors |= {f"{head}/kernel": each.kernel, f"{head}/bias": each.bias}
        self._all.take(tensors)
        self._answers = self._answer
        names = labels.labelling.names if len(self.heads) > 1 else ("",)
        self.history += [line for name, head in zip(names, solved, strict=True) for line in head.lines(name)]
        return tuple(solved)

    def validated(self) -> tuple[NDArray[np.int64], NDArray[np.float32] | None]:
        """See `Learner.validated`: of some examples, by heads that have not seen them."""
        if self._out is None:
            return self._all.places[:0], None
        places, logits = self._out
        return places, self._scales.restored(logits)

    @property
    def head_inputs(self) -> HeadInputs | None:
        """None: they are not in memory."""
        return None

    def _stream(self, places: NDArray[np.int64]) -> Stream:
        return Stream.of(self._features.rows, places, memory_bytes=self.memory_bytes)

    def _answer(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        tensors = self._all.rest.tensors
        heads = [(tensors[f"{head}/kernel"], tensors[f"{head}/bias"]) for head in self.heads]
        return logits_of(self._stream(places), [heads], np.zeros(len(places), np.int64))

    def _unseen(
        self, found: list[StreamedOutput], folds: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Places of some examples, and their logits by heads that have not seen their fold."""
        counts = {len(each.without) for each in found}
        usable = np.flatnonzero(folds < min(counts))
        random = np.random.default_rng(self.recipe.seed)
        chosen = np.sort(random.choice(usable, min(_VALIDATED, len(usable)), replace=False))
        heads = [[each.without[fold] for each in found] for fold in range(min(counts))]
        places = self._all.places[chosen]
        return places, logits_of(self._stream(places), heads, folds[chosen])

    def _as_sure(self, labelling: Labelling, solved: list[SolvedOutput]) -> list[SolvedOutput]:
        """Of a single ridge head the logits at the temperature that suits examples which it has not seen.

        What is asked of several outputs is calibrated by whoever decides, one by one.
        """
        if self.solver != "ridge" or not labelling.is_single or self._out is None:
            return solved
        places, logits = self._out
        steep = logits * _STEEP  # least squares give shares of classes, far too flat for logits
        temperature, loss = find_temperature(labelling.outputs[0], steep, self._labels[places].targets[0])
        factor = _STEEP / temperature
        self._out = places, (logits * factor).astype(np.float32)
        self.remarks.append(
            f"ridge gives no probabilities: its answers were multiplied by {factor:.3g}, which suits {len(places):,} "
            f"examples that it had not learnt from (log loss {loss:.3f})"
        )
        (each,) = solved
        kernel, bias = ((part * factor).astype(np.float32) for part in (each.kernel, each.bias))
        return [SolvedOutput(kernel, bias, each.parts, each.validated)]


_STEEP = 10.0
