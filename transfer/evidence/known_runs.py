"""What is known of a finished run, as far as comparing takes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from transfer.benchmarks import Benchmark
from transfer.evidence.share_differences import ShareDifference, differ_by_bounds, differ_on_same
from transfer.output_scores import Measure, OutputScore
from transfer.scores import Score
from transfer.specs import Json

Answer: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class KeptAnswers:
    """Which test examples each way of answering has right, as `answers.json` holds it.

    Attributes:
        examples: their names.
        ways: by the name of the way, (n,).
        digests: of the examples' contents; empty where they were not kept.
        groups: of the examples, likewise.
    """

    examples: tuple[str, ...]
    ways: Mapping[str, Answer]
    digests: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunCost:
    """What a run's network and the run itself cost.

    Attributes:
        parameters: of `model.keras`; None where its architecture could not be read.
        trained: of these, those that its last stage could change.
        flops: for one example; None likewise, and where no size of the input is known.
        is_least: whether there are layers that nothing is known of, so that `flops` are at least that many.
        seconds: that the run took, what it did before its features aside; None where nothing was kept of it.
        size_bytes: of all files of the run.
    """

    parameters: int | None = None
    trained: int | None = None
    flops: int | None = None
    is_least: bool = False
    seconds: float | None = None
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class KnownRun:
    """A finished run.

    Attributes:
        name: by which it is told from others.
        folder: where it lies.
        score: of the model that was kept; None where there are only numbers.
        outputs: of the same model, each with its measures; empty where it has one class of several.
        baselines: scores of the simple things, on the same examples.
        baseline_outputs: of each baseline the measures, likewise.
        cost: of the network and the run.
        asked: `run.json`.
        answers: None where the run kept none.
        problems: what does not fit together in the folder.
        benchmark: how far it stands from the benchmark that its request names; None where it names none.
    """

    name: str
    folder: str
    score: Score | None
    outputs: tuple[OutputScore, ...]
    baselines: tuple[Score, ...]
    baseline_outputs: tuple[tuple[OutputScore, ...], ...]
    cost: RunCost
    asked: Json = field(repr=False)
    answers: KeptAnswers | None = field(default=None, repr=False)
    problems: tuple[str, ...] = ()
    benchmark: Benchmark | None = None

    @property
    def own(self) -> Answer | None:
        """(n,) of the test examples, whether the model that was kept has each right."""
        return None if self.answers is None or self.score is None else self.answers.ways.get(self.score.name)

    @property
    def tested(self) -> tuple[str, ...]:
        """Names of the examples that it was tested on."""
        split = self.asked.get("split") or {}
        return self.answers.examples if self.answers else tuple(split.get("test") or ())

    @property
    def learnt(self) -> frozenset[str]:
        """Names of the examples that it learnt from."""
        return frozenset((self.asked.get("split") or {}).get("train") or ())

    @property
    def test_set(self) -> Json:
        """The set that the tested examples are from, as `run.json` has it."""
        return self.asked.get("test") or self.asked.get("data") or {}

    @property
    def task(self) -> Json:
        """What is asked of an example: the outputs with their classes, whatever their weights in training."""
        data = self.asked.get("data") or {}
        outputs = (data.get("labelling") or {}).get("outputs")
        if not outputs:
            return sorted(map(str, data.get("classes") or ()))
        told = ("name", "kind", "parent")
        return [[*(each.get(name, "") for name in told), *sorted(each.get("classes") or ())] for each in outputs]

    @property
    def groups_unknown(self) -> bool:
        """Whether its examples were of groups, which its interval shows, and nobody kept which."""
        from transfer.evidence.intervals import wilson

        if self.score is None or (self.answers and self.answers.groups):
            return False
        usual = wilson(self.score.correct, self.score.examples)
        return abs(usual.low - self.score.accuracy.low) + abs(usual.high - self.score.accuracy.high) > _ROUNDING

    def over(self, baseline: Score) -> ShareDifference | None:
        """How much better it is than a baseline: on the same examples where it is known which were right."""
        if self.score is None:
            return None
        other = None if self.answers is None else self.answers.ways.get(baseline.name)
        if self.own is None or other is None or self.answers is None:
            return differ_by_bounds(self.score.accuracy, baseline.accuracy)
        return differ_on_same(self.own, other, numbered(self.answers.groups))


@dataclass(frozen=True, slots=True)
class NoRun:
    """A folder that is no finished run, or cannot be read.

    Attributes:
        name: by which it is told from others.
        folder: where it lies.
        reason: in a sentence.
    """

    name: str
    folder: str
    reason: str


_ROUNDING = 1e-9


def numbered(groups: tuple[str, ...]) -> NDArray[np.int64] | None:
    """Groups by number; None of none."""
    return np.unique(groups, return_inverse=True)[1].astype(np.int64) if groups else None


def foremost_of(outputs: tuple[OutputScore, ...]) -> tuple[tuple[OutputScore, Measure], ...]:
    """Each output with the measure that stands for it, where it has one."""
    return tuple((each, each.foremost) for each in outputs if each.foremost is not None)
