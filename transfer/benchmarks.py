"""A strong result that a run is held against, and how far from it the run stands."""

from __future__ import annotations

from dataclasses import dataclass

from transfer.output_scores import Measure
from transfer.scores import Interval, Score
from transfer.specs import Json


@dataclass(frozen=True, slots=True)
class OutputMargin:
    """How far from the benchmark a run stands in one output, each by its own score: nothing is paired.

    Attributes:
        output: its name.
        own: what the run comes to, in the measure that stands for the output.
        benchmark: the same measure of the benchmark, on the same examples.
        value: how much better the run is; above 0 is better, also where less is.
    """

    output: str
    own: Measure
    benchmark: Measure
    value: float

    def __str__(self) -> str:
        return f"{self.output}: {self.benchmark}, this run {self.own}: {self.value:+.3f}"


@dataclass(frozen=True, slots=True)
class Benchmark:
    """How far a run stands from a strong result, on the examples that both answered and neither learnt from.

    Attributes:
        name: of the benchmark: `probe on FILE`, or `run FOLDER`.
        way: what of the run is held against it: `tuned`, say.
        score: of the benchmark on these examples; of several outputs how often all is right. None where there are only
            numbers, and where the two have no example in common.
        own: of the run, likewise.
        value: the share of right answers of the run less that of the benchmark; None likewise.
        low: of its 95 % interval.
        high: likewise.
        p_value: two-sided, by the answers to the same examples.
        is_told_apart: whether the two differ by more than chance explains.
        outputs: of several outputs, and of numbers, each one's margin; empty where the two were tested on other
            examples.
        is_of_all: whether `score` is how often all of several outputs is right.
        note: what to mind; empty for nothing.
    """

    name: str
    way: str
    score: Score | None = None
    own: Score | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    is_told_apart: bool = False
    outputs: tuple[OutputMargin, ...] = ()
    is_of_all: bool = False
    note: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        """As it stands in print."""
        told = (self._told,) if self._told else ()
        named = () if told else (f"benchmark {self.name}",)
        return (*named, *told, *(f"          {each}" for each in self.outputs), *self._notes)

    @property
    def _told(self) -> str:
        if self.score is None or self.value is None:
            return ""
        bounds = "" if self.low is None or self.high is None else f" [{self.low:+.3f}, {self.high:+.3f}]"
        verdict = "" if self.is_told_apart else "; that does not tell the two apart"
        all_right = "all right " if self.is_of_all else ""
        margin = f"{self.way} - benchmark = {self.value:+.3f}{bounds}"
        return (
            f"benchmark {self.name} {all_right}{self.score.accuracy}; {margin} on the same {self.score.examples} "
            f"examples (exact p {self.p_value:.2g}){verdict}"
        )

    @property
    def _notes(self) -> tuple[str, ...]:
        return (f"          {self.note}",) if self.note else ()

    @classmethod
    def from_json(cls, values: Json) -> Benchmark:
        """The inverse of `dataclasses.asdict`."""

        def score(each: Json) -> Score | None:
            return Score(**{**each, "accuracy": Interval(**each["accuracy"])}) if each else None

        outputs = tuple(
            OutputMargin(**{**each, "own": Measure(**each["own"]), "benchmark": Measure(**each["benchmark"])})
            for each in values["outputs"]
        )
        return cls(
            **{
                "is_of_all": bool(outputs),
                **values,
                "score": score(values["score"]),
                "own": score(values["own"]),
                "outputs": outputs,
            }
        )
