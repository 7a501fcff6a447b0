"""What a sweep over a recipe came to: its trials by their validation folds, and the best on examples it never saw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from transfer.evidence.share_differences import ShareDifference
from transfer.html_tables import as_html
from transfer.scores import Interval, Score
from transfer.specs import Json
from transfer.tabulating import Part, Table, format_parts

AS_IT_IS = 0  # number of the trial of the recipe before anything is varied
_NONE = "-"


@dataclass(frozen=True, slots=True)
class Trial:
    """A recipe tried on the validation folds.

    Attributes:
        number: from 1 on; 0 is the recipe as it is.
        point: what was varied: values by fields, as `--set` takes them.
        accuracy: on the examples of all folds, each answered by what has not learnt from it; None where it failed.
        folds: accuracy on each fold.
        loss: cross-entropy in nats an example, by which equals are told apart; None where it failed.
        reason: why it failed; empty where it did not.
        same_as: number of an earlier trial at the same point, which was not repeated; None for all others.
    """

    number: int
    point: dict[str, str]
    accuracy: Interval | None = None
    folds: tuple[float, ...] = ()
    loss: float | None = None
    reason: str = ""
    same_as: int | None = None

    @property
    def name(self) -> str:
        """In a table."""
        return "as it is" if self.number == AS_IT_IS else str(self.number)

    @property
    def rank(self) -> tuple[bool, float, float, int]:
        """The best first: by accuracy, then by loss, then the earliest."""
        if self.accuracy is None or self.loss is None:
            return True, 0.0, 0.0, self.number
        return False, -self.accuracy.value, self.loss, self.number

    @classmethod
    def from_json(cls, told: Json) -> Trial:
        """The inverse of `asdict`.

        Raises:
            KeyError: or a TypeError or ValueError, if it is none.
        """
        accuracy = told["accuracy"]
        return cls(
            number=int(told["number"]),
            point={str(path): str(value) for path, value in told["point"].items()},
            accuracy=None if accuracy is None else Interval(**accuracy),
            folds=tuple(float(each) for each in told["folds"]),
            loss=None if told["loss"] is None else float(told["loss"]),
            reason=str(told["reason"]),
            same_as=None if told["same_as"] is None else int(told["same_as"]),
        )


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep came to; printed, it is a table of trials and what the best of them is worth.

    Attributes:
        source: of the examples.
        recipe: name of the recipe that was varied.
        space: what was varied: a text for each field.
        how: `grid` where every point was tried, else `TPE`.
        seed: of the folds, of what is drawn, and of all learning.
        trials: in the order of their numbers, the recipe as it is first.
        learnt_examples: of the training part, on whose folds trials are compared.
        fold_count: of these.
        tested: scores on the test part, which no trial has seen: `best`, and `as it is`.
        difference: best less as it is on these same examples; None where the best is the recipe as it is.
        folder: where all of it lies.
        command: to type for a run by the best recipe; empty where it cannot be typed.
        notes: what else there is to know.
        warnings: what makes the numbers doubtful.
        reused: whether it stood in its folder already.
    """

    source: str
    recipe: str
    space: dict[str, str]
    how: str
    seed: int
    trials: tuple[Trial, ...]
    learnt_examples: int
    fold_count: int
    tested: dict[str, Score]
    difference: ShareDifference | None
    folder: Path
    command: str = ""
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    reused: bool = field(default=False, compare=False)

    @property
    def ranked(self) -> tuple[Trial, ...]:
        """The trials, the best first; those that failed last."""
        return tuple(sorted(self.trials, key=lambda each: each.rank))

    @property
    def best(self) -> Trial:
        """The trial that validates best."""
        return self.ranked[0]

    @property
    def best_recipe(self) -> Path:
        """Where it is written, as `finetune --recipe` takes it."""
        return self.folder / "best.toml"

    @property
    def told_apart(self) -> bool:
        """Whether the best differs from the recipe as it is by more than chance explains, on the test part."""
        return self.difference is not None and self.difference.told_apart

    @property
    def verdict(self) -> str:
        """Whether the sweep has found something better, in a sentence."""
        if self.difference is None:
            return "no trial validates better than the recipe as it is: keep it"
        if not self.told_apart:
            return "the test part does not tell the best from the recipe as it is: nothing shows that it is better"
        return f"the best is {'better' if self.difference.value > 0 else 'worse'} than the recipe as it is"

    @property
    def table(self) -> Table:
        """Columns, rows and the columns of numbers; the trials by rank."""
        columns = ("trial", *self.space, "validation", "95 % interval", "loss", "")
        return columns, [self._cells(each) for each in self.ranked], ("validation", "loss")

    def _cells(self, trial: Trial) -> tuple[str, ...]:
        values = (trial.point.get(path, _NONE) or "none" for path in self.space)
        remark = f"failed: {trial.reason}" if trial.reason else ""
        if trial.same_as is not None:
            remark = f"as trial {trial.same_as}" if trial.same_as else "as it is"
        share = trial.accuracy
        if share is None or trial.loss is None:
            return trial.name, *values, _NONE, _NONE, _NONE, remark
        bounds = f"{share.low:.3f} to {share.high:.3f}"
        return trial.name, *values, f"{share.value:.3f}", bounds, f"{trial.loss:.3f}", remark

    @property
    def heading(self) -> str:
        """What was done, in a line."""
        tried = len(self.trials) - 1
        counted = "1 trial" if tried == 1 else f"{tried} trials"
        return (
            f"{self.source}: {self.recipe}, {counted} ({self.how}) on {self.fold_count} folds of the "
            f"{self.learnt_examples} examples to learn from"
        )

    @property
    def closing(self) -> Iterator[str]:
        """What it comes to, line by line."""
        base = self.trials[AS_IT_IS]
        if self.difference is not None:
            point = ", ".join(f"{path}={value}" for path, value in self.best.point.items())
            yield f"best      trial {self.best.number} ({point}): {self._scores(self.best, 'best')}"
        yield f"as it is  {self._scores(base, 'as it is')}"
        if self.difference is not None:
            yield f"test      {self.difference.describe('best', 'as it is')}"
        yield f"verdict   {self.verdict}"
        if self.difference is not None and self.best.accuracy is not None:
            tried = sum(not each.reason for each in self.trials)
            yield (
                f"          its validation score is the highest of {tried} on the same folds, which flatters it; "
                "the test score is of one run, after the choice"
            )
        yield f"recipe    {self.best_recipe}"
        if self.command:
            yield f"next      {self.command}"
        yield from (f"note      {each}" for each in self.notes)
        yield from (f"warning   {each}" for each in self.warnings)

    def _scores(self, trial: Trial, name: str) -> str:
        validation = "failed on the folds" if trial.accuracy is None else f"validation {trial.accuracy}"
        tested = self.tested.get(name)
        return f"{validation}, test {tested.accuracy}" if tested else validation

    def __str__(self) -> str:
        return format_parts(self.parts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html(self.parts)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The lines and the table in print."""
        return (self.heading, self.table, *self.closing)

    def to_json(self) -> Json:
        """As plain values."""
        told: dict[str, Any] = asdict(self)
        folder, reused = str(told.pop("folder")), told.pop("reused")
        return {
            "schema": 1,
            "sweep": folder,
            "reused": reused,
            **told,
            "best": self.best.number,
            "best_recipe": str(self.best_recipe),
            "told_apart": self.told_apart,
            "verdict": self.verdict,
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any], folder: Path) -> Sweep:
        """The inverse, of what lies in a folder.

        Raises:
            KeyError: or a TypeError, ValueError or AttributeError, if it is none.
        """
        scores = {
            str(name): Score(each["name"], each["correct"], each["examples"], Interval(**each["accuracy"]))
            for name, each in told["tested"].items()
        }
        plain = {name: told[name] for name in ("source", "recipe", "how", "seed", "command")}
        return cls(
            **plain,
            space=dict(told["space"]),
            trials=tuple(map(Trial.from_json, told["trials"])),
            learnt_examples=int(told["learnt_examples"]),
            fold_count=int(told["fold_count"]),
            tested=scores,
            difference=None if told["difference"] is None else ShareDifference(**told["difference"]),
            folder=folder,
            notes=tuple(map(str, told["notes"])),
            warnings=tuple(map(str, told["warnings"])),
            reused=True,
        )
