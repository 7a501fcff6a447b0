"""The one place that knows Optuna: which points a sweep tries next, and the study that it leaves in a file.

Points must not depend on which trial is done first. So they are asked for in rounds, all of a round before any of it
is tried, and what came of a round is told in the order of its trials. Each point is drawn by a sampler of its own,
whose seed follows from the sweep's and its number: a sweep that was killed asks for what it would have asked for.

Source: Bergstra, Bardenet, Bengio & Kégl (2011), "Algorithms for hyper-parameter optimization", NIPS 24, for the
tree-structured Parzen estimator.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from transfer.errors import OutputError
from transfer.placing import placed_file
from transfer.training.recipe_spaces import Choices, Point, RecipeSpace, Space

Told: TypeAlias = Sequence[
    tuple[Point, float | None]
]  # points in order, with their accuracy; None of those that failed

NAME = "sweep"
_ADVICE = "pip install 'h5transfer[sweep]'"


def load_optuna() -> Any:
    """Optuna.

    Raises:
        OutputError: if it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise OutputError(f"A sweep needs Optuna, which cannot be imported: {error}.", next_step=_ADVICE) from error
    return optuna


def next_points(space: RecipeSpace, told: Told, count: int, *, seed: int) -> list[Point]:
    """The points of a round.

    Args:
        space: what is varied.
        told: all points of the rounds before it.
        count: of the points.
        seed: of the sweep.
    """
    optuna = load_optuna()
    with _quiet(optuna):
        study = optuna.create_study(direction="maximize")
        _tell(optuna, study, space, told)
        points = []
        for number in range(len(told), len(told) + count):
            study.sampler = optuna.samplers.TPESampler(seed=_seed(seed, number))
            found = study.ask(_distributions(optuna, space)).params
            points.append({path: _text(each, found[path]) for path, each in space.spaces.items()})
        return points


def write_study(path: Path, space: RecipeSpace, told: Told) -> None:
    """Put all that was told so far into a file of SQLite, as a study that Optuna and its tools open.

    Raises:
        OutputError: if it cannot be written.
    """
    optuna = load_optuna()
    with placed_file(path, force=True) as temporary, _quiet(optuna):
        # A connection of its own, as a path within an address would be read for what it holds: '?', '%'.
        connect = {"creator": lambda: sqlite3.connect(temporary, check_same_thread=False)}
        storage = optuna.storages.RDBStorage("sqlite://", engine_kwargs=connect)
        try:
            study = optuna.create_study(study_name=NAME, direction="maximize", storage=storage)
            _tell(optuna, study, space, told)
        finally:
            storage.remove_session()
            storage.engine.dispose()


def _tell(optuna: Any, study: Any, space: RecipeSpace, told: Told) -> None:
    distributions = _distributions(optuna, space)
    for point, accuracy in told:
        params = {path: _value(each, point[path]) for path, each in space.spaces.items()}
        state = optuna.trial.TrialState.FAIL if accuracy is None else optuna.trial.TrialState.COMPLETE
        study.add_trial(
            optuna.trial.create_trial(state=state, params=params, distributions=distributions, value=accuracy)
        )


def _distributions(optuna: Any, space: RecipeSpace) -> dict[str, Any]:
    return {path: _distribution(optuna.distributions, each) for path, each in space.spaces.items()}


def _distribution(kinds: Any, space: Space) -> Any:
    if isinstance(space, Choices):
        return kinds.CategoricalDistribution(space.values)
    if space.is_whole:
        return kinds.IntDistribution(int(space.low), int(space.high), log=space.is_log)
    return kinds.FloatDistribution(space.low, space.high, log=space.is_log)


def _text(space: Space, value: Any) -> str:
    return str(value) if isinstance(space, Choices) else space.text(value)


def _value(space: Space, text: str) -> str | float:
    return text if isinstance(space, Choices) else int(text) if space.is_whole else float(text)


def _seed(seed: int, number: int) -> int:
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


@contextmanager
def _quiet(optuna: Any) -> Iterator[None]:
    """Without the lines that Optuna writes of each study."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
