"""Which trials a sweep has: the points of one round after the other, and each tried once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from transfer.errors import DataError
from transfer.evidence.sweeps import Trial
from transfer.jobs.sweeps.optuna_studies import next_points, write_study
from transfer.jobs.sweeps.sweep_folders import STUDY, SweepFolder
from transfer.jobs.sweeps.trying_recipes import Trying
from transfer.specs import Progress
from transfer.training.engines import Engine
from transfer.training.recipe_spaces import Point, RecipeSpace

GRID, TPE = "grid", "TPE"


def way_of(space: RecipeSpace, trials: int) -> str:
    """How points are chosen: all of a grid, or by Optuna.

    Args:
        space: what is varied.
        trials: how many at most, beside the recipe as it is.
    """
    return GRID if space.size is not None and space.size <= trials else TPE


def try_all(trying: Trying, rounds: Rounds, engine: Engine, progress: Progress) -> list[Trial]:
    """All trials in the order of their numbers, round by round; those that are done are read."""
    found: list[Trial] = []
    prepare, space, folder = trying.prepare, trying.space, trying.folder
    first: dict[str, int] = {}
    while len(found) < rounds.total:
        tasks = list(enumerate(rounds.next(found), len(found)))
        same = {number: first.setdefault(_recipe_key(space, point), number) for number, point in tasks}
        done = {number: kept for number, point in tasks if (kept := _kept(folder, number, point)) is not None}
        missing = [(number, point) for number, point in tasks if number not in done and same[number] == number]
        progress("trying recipes", len(found) + len(done), rounds.total)
        with folder.interruptible(number for number, _ in missing):
            for trial in engine.map(prepare, missing, lost=trying.lost) if missing else ():
                done[trial.number] = trial
                progress("trying recipes", len(found) + len(done), rounds.total)
        for number, point in tasks:
            if number not in done:
                earlier = (found + [done[each] for each in sorted(done)])[same[number]]
                done[number] = trying.written(replace(earlier, number=number, point=point, same_as=same[number]))
            found.append(done[number])
        write_study(folder.path / STUDY, space, [_told(each) for each in found[1:]])
    return found


@dataclass(frozen=True, slots=True)
class Rounds:
    """The points of one round after the other, the recipe as it is before all.

    Attributes:
        space: what is varied.
        total: of trials, with the recipe as it is.
        at_once: trials of a round that Optuna chooses.
    """

    space: RecipeSpace
    total: int
    at_once: int

    def next(self, found: Sequence[Trial]) -> list[Point]:
        """Those after these trials."""
        before: list[Point] = [] if found else [{}]
        if way_of(self.space, self.total - 1) == GRID:
            return [*before, *self.space.grid()]
        told = [_told(each) for each in found[1:]]
        count = min(self.at_once, self.total - 1 - len(told))
        return [*before, *next_points(self.space, told, count, seed=self.space.recipe.seed)]


def rounds_of(space: RecipeSpace, trials: int, at_once: int) -> Rounds:
    """The rounds of a sweep, of so many trials at most and at once."""
    return Rounds(space, 1 + min(trials, space.size or trials), at_once)


def _recipe_key(space: RecipeSpace, point: Point) -> str:
    """The same for points at which the recipe is the same; of one that is none, its own."""
    try:
        return repr(replace(space.at(point), name="any"))
    except DataError:
        return json.dumps(point, sort_keys=True)


def _told(trial: Trial) -> tuple[Point, float | None]:
    return trial.point, None if trial.accuracy is None else trial.accuracy.value


def _kept(folder: SweepFolder, number: int, point: Point) -> Trial | None:
    """A trial that is done, if it is of this point."""
    found = folder.trial(number)
    return found if found is not None and found.point == point else None
