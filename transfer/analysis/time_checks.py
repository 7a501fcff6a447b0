"""Whether a run is done within a time limit, by what it is estimated to take."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias

from transfer.analysis.estimates import Estimate, spoken
from transfer.specs import Json

Outcome: TypeAlias = Literal["whole", "cut short", "no run"]
_BEFORE = ("starting", "reading", "features")


@dataclass(frozen=True, slots=True)
class TimeCheck:
    """What a time limit does to a run; printed, it is a sentence.

    Attributes:
        limit: seconds by which the run has to be written.
        learning: of these, the seconds after which learning ends, so that there is time to test and to save.
        ready: seconds after which the head can be solved, or training begun where none is solved before; if learning
            has ended by then, there is no run.
        trained: seconds after which all stages are done.
    """

    limit: float
    learning: float
    ready: float
    trained: float

    @property
    def outcome(self) -> Outcome:
        """What becomes of the run."""
        if self.ready >= self.learning:
            return "no run"
        return "cut short" if self.trained > self.learning else "whole"

    def __str__(self) -> str:
        limit = f"the time limit of {spoken(self.limit)}"
        rest = f"the last {spoken(self.limit - self.learning)} are for testing and saving"
        match self.outcome:
            case "whole":
                return f"{limit} is enough: all is learnt after about {spoken(self.trained)}, and {rest}"
            case "cut short":
                fate = "the best that is found and validated by then is kept"
                return f"{limit} cuts training short: it is done after about {spoken(self.trained)}, and {rest}; {fate}"
            case "no run":
                fate = "there would be no run, and the command would end with 7"
                return f"{limit} is too short: learning begins after about {spoken(self.ready)}, and {rest}; {fate}"

    def to_json(self) -> Json:
        """As plain values."""
        return {**{f"{name}_seconds": seconds for name, seconds in asdict(self).items()}, "outcome": self.outcome}


def check_time(estimate: Estimate, *, limit: float, learning: float) -> TimeCheck:
    """Hold an estimate against a limit; both count from the start of the program.

    Args:
        estimate: of the run, its parts by name.
        limit: seconds by which the run has to be written.
        learning: seconds after which learning has to end.
    """
    seconds = estimate.seconds
    begins = sum(seconds.get(name, 0.0) for name in _BEFORE)
    baselines, solving = seconds.get("baselines", 0.0), seconds.get("solving", 0.0)
    rest = baselines + solving + seconds.get("testing", 0.0) + seconds.get("tuning", 0.0)
    return TimeCheck(limit, learning, begins + (baselines if solving else 0.0), begins + rest)
