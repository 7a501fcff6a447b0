"""From a run in small to the whole: counts times paces."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from math import ceil

from transfer.analysis.estimates import Estimate
from transfer.evidence.baselines import LEARNT_FROM
from transfer.jobs.finetuning.rehearsing import Rehearsal, SolvingPace, StagePace
from transfer.recipes import Recipe, Stage
from transfer.training.coordinates import HELD
from transfer.training.interpolating import ALPHAS
from transfer.training.prefixing import BATCH
from transfer.training.rate_finding import STEPS as RATES

SAVING = 1.2  # writing a run and reading it back takes about so many times as long as restoring the file
_KEEPING = 1.1  # training that writes down where it stands
_FORWARD = 1 / 3  # share of a step that is its pass forwards
_DIGESTS = 3  # times that a run digests each example
_COPIES = 3  # of what goes into a head, in float64, while it is solved
_WRITTEN = 3  # copies of the weights while they are written


@dataclass(frozen=True, slots=True)
class Counts:
    """How many examples take part.

    Attributes:
        learnt: learnt from.
        tried: of those, learnt from in the trial that goes before; 0 for no trial.
        tested: held out.
        kept: whose features an earlier run has kept.
    """

    learnt: int
    tried: int
    tested: int
    kept: int = 0

    @property
    def read(self) -> int:
        """All."""
        return self.learnt + self.tested

    @property
    def tracks(self) -> tuple[int, ...]:
        """What is learnt from, in the trial and in earnest."""
        return (self.tried, self.learnt) if self.tried else (self.learnt,)


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured.

    Attributes:
        starting: seconds until the examples are read: imports, restoring, building, the look at the inputs.
        restoring: seconds of that for the file.
        digesting: seconds for all examples once.
        reading: seconds for one example.
        solving: heads.
        rehearsal: the run in small.
    """

    starting: float
    restoring: float
    digesting: float
    reading: float
    solving: SolvingPace
    rehearsal: Rehearsal


@dataclass(frozen=True, slots=True)
class Sizes:
    """What decides memory, beside the counts.

    Attributes:
        features: d, what goes into the head.
        pixels: values of an example's small copy.
        pixel_type: bytes of each.
        weight_bytes: of the whole network.
        memory_bytes: budget for features.
    """

    features: int
    pixels: int
    pixel_type: int
    weight_bytes: int
    memory_bytes: int


def estimate_run(recipe: Recipe, counts: Counts, measured: Measured, sizes: Sizes) -> Estimate:
    """What a run takes, by what was measured in small."""
    seconds = _seconds(recipe, counts, measured, sizes)
    peak = peak_bytes()
    return Estimate(seconds, _memory(recipe, counts, measured.rehearsal, sizes, peak) if peak else {})


def _seconds(recipe: Recipe, counts: Counts, measured: Measured, sizes: Sizes) -> dict[str, float]:
    small = measured.rehearsal
    pairs = list(zip(recipe.stages, small.stages, strict=True))
    views = sum(_views(stage) for stage in recipe.stages) * counts.learnt
    through = [small.prefix.seconds(_batches(counts.read - counts.kept)), small.prefix.each * _batches(views)]
    through += [pace.between.seconds(_batches(counts.read + _views(stage) * counts.learnt)) for stage, pace in pairs]
    solved = [measured.solving.seconds(count, sizes.features) for count in counts.tracks]
    return {
        "starting": measured.starting,
        "reading": _DIGESTS * measured.digesting + measured.reading * (counts.read - counts.kept + views),
        "features": sum(through),
        "solving": measured.solving.importing + sum(solved) if recipe.stages[0].kind == "probe" else 0.0,
        "tuning": sum(_tuning(stage, pace, counts) for stage, pace in pairs if stage.kind == "tune"),
        "testing": len(pairs) * small.answer.seconds(_batches(counts.tested)),
        "baselines": measured.solving.seconds(min(counts.learnt, LEARNT_FROM), sizes.pixels),
        "saving": SAVING * measured.restoring,
    }


def _tuning(stage: Stage, pace: StagePace, counts: Counts) -> float:
    total = 0.0
    for count in counts.tracks:
        size = min(stage.batch_size, count)
        total += pace.step.seconds(stage.steps or stage.epochs * ceil(count / size))
    passes, held = stage.epochs + len(ALPHAS), counts.learnt - counts.tried
    if counts.tried:
        size = min(stage.batch_size, counts.tried)
        forward = _FORWARD * pace.step.each / size
        total += 2 * _FORWARD * pace.step.first + passes * held * forward
    if stage.rate == "auto":
        total += pace.step.seconds(2 * RATES)
    return total * _KEEPING


def kept_bytes(recipe: Recipe, counts: Counts, small: Rehearsal) -> int:
    """Of all features that a run keeps."""
    rows = small.row_bytes * counts.read
    for stage, pace in zip(recipe.stages, small.stages, strict=True):
        views = _views(stage) * counts.learnt
        rows += pace.row_bytes * (counts.read + views) + small.row_bytes * views
    return rows


def _memory(recipe: Recipe, counts: Counts, small: Rehearsal, sizes: Sizes, peak: int) -> dict[str, int]:
    heads = ((counts.learnt, sizes.features, 4), (min(counts.learnt, LEARNT_FROM), sizes.pixels, sizes.pixel_type))
    return {
        "libraries, network and a batch": peak,
        "features": min(kept_bytes(recipe, counts, small), sizes.memory_bytes),
        "solving": max(*(solving_bytes(*each) for each in heads), _WRITTEN * sizes.weight_bytes),
    }


def solving_bytes(examples: int, width: int, item: int) -> int:
    """In memory while a head is solved: the inputs, and what `coordinates` makes of them."""
    numbers = examples * width
    copied = _COPIES * numbers if numbers <= HELD or examples < width else width**2
    return item * numbers + 8 * copied


def _views(stage: Stage) -> int:
    return stage.views if stage.augment else 0


def _batches(count: int) -> int:
    return ceil(max(0, count) / BATCH)


def peak_bytes() -> int:
    """The most that this process has had in memory; 0 where that cannot be told."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
