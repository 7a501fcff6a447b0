"""The control of pretraining: encoders held against the same network without it, at few and at more labels."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

from transfer.data.example_digests import digest_examples
from transfer.data.forms import LabelledData, as_labelled
from transfer.data.labelled import LabelledSet
from transfer.evidence.curve_points import CurvePoint
from transfer.evidence.proofs import Proof
from transfer.jobs.examples.cached_features import Cache, open_store
from transfer.jobs.examples.checking_outputs import refuse_outputs
from transfer.jobs.examples.dealing_shots import DealtShots, deal_shots
from transfer.jobs.examples.reading_unlabelled import Unlabelled, read_unlabelled
from transfer.jobs.pretraining.contending import (
    PROBE,
    SCRATCH,
    Contender,
    Encoder,
    Lessons,
    Told,
    Way,
    from_scratch,
    open_contender,
    probe_of,
    steps_from_scratch,
    ways_of_encoder,
)
from transfer.jobs.pretraining.pretrained import Pretrained
from transfer.specs import Preprocessing, Progress, silent
from transfer.tabulating import shorten
from transfer.training.feature_store import MEMORY_BYTES
from transfer.training.named_recipes import BATCH

SHOTS = (1, 5, 10, 50)
TEST_SHARE = 0.25
BACKBONE = "mobilenet_v2_imagenet"
_RANDOM = "random features"


def prove(
    encoders: Encoder | Mapping[str, Encoder],
    data: LabelledData,
    *,
    shots: Sequence[int] = SHOTS,
    divisions: int = 5,
    recipe: str = "lp-ft",
    steps: int | None = None,
    backbone: Encoder | None = BACKBONE,
    pretrained_on: Unlabelled | None = None,
    preprocessing: Preprocessing | str | None = None,
    size: tuple[int, int] | None = None,
    test_share: float = TEST_SHARE,
    skip_unreadable: bool = False,
    cache: Cache | str | os.PathLike[str] | None = None,
    memory_bytes: int = MEMORY_BYTES,
    seed: int = 0,
    progress: Progress = silent,
) -> Proof:
    """Say whether pretraining paid: with few and with more labels, beside the same network without it.

    Each encoder is probed and fine-tuned; beside these stand a probe on the same architecture with random weights,
    that architecture trained from random weights, and a probe on a backbone that others trained on many labels. All
    learn from the same labels of each division and answer the same others. Fine-tuning and training from scratch take
    as many steps. What several encoders of one architecture are held against is learnt once.

    Args:
        encoders: what was pretrained, or several by their names: what `pretrain` gave, a checkpoint, a model.
        data: one class each; in any form that `finetune` takes.
        shots: labels a class, each at least 1.
        divisions: of the set, at least 2, each with random weights of its own.
        recipe: by which encoders are fine-tuned; its stages take as many steps in all as `scratch`.
        steps: of both; by default those of `scratch`.
        backbone: the outer reference, at its own size and preprocessing; on images alone. None for none.
        pretrained_on: the examples without labels, to count those of `data` among them.
        preprocessing: of images, where an encoder's card says none.
        size: (h, w) of images; by default what an encoder or its card says.
        test_share: to test on in each division.
        skip_unreadable: whether pictures that cannot be decoded are left out, of which there are fewer shots then.
        cache: where features are kept for other calls.
        memory_bytes: for features in memory; past it they lie on the disk.
        seed: of the first division; the others follow.
        progress: told of what is going on.

    Raises:
        DataError: if the set has not one class for each example, or no number of shots can be tried, or it does not
            fit an encoder.
        LayerError: if an encoder takes no head.
        ValueError: if a number lies outside its range.
    """
    labelled = as_labelled(data)
    refuse_outputs(labelled, "a proof is made")
    if steps is not None and steps < 1:
        raise ValueError(f"steps are at least 1, not {steps}")
    dealt = deal_shots(labelled, shots, divisions=divisions, seed=seed, test_share=test_share)
    named = _named(encoders)
    contenders = [
        open_contender(name, each, labelled, preprocessing=preprocessing, size=size, seed=seed)
        for name, each in named.items()
    ]
    plan = _planned(contenders, recipe, steps, divisions, seed)
    ways, own = plan.ways, [name for each in contenders for name in each.custom_objects]
    known = backbone if backbone is None or _called(backbone) not in named else None
    if known is not None and _are_images(labelled):
        ways = (*ways, _outer(open_contender(_called(known), known, labelled, seed=seed)))
    digests = labelled.digests()
    with open_store(cache, memory_bytes=memory_bytes, own_classes=own) as store:
        tally = _Tally(dealt)
        for number in range(divisions):
            lessons = _lessons(dealt, digests, number, skip_unreadable=skip_unreadable)
            for place, way in enumerate(ways):
                tally.take(lessons.take(way, store, progress))
                progress("proving", number * len(ways) + place + 1, divisions * len(ways))
    taken = tuple((count, steps or steps_from_scratch(count * len(labelled.classes))) for count in dealt.shots)
    notes = (
        *labelled.notes,
        *_learnt_before(contenders, dealt, digests),
        *(
            [f"{_called(known)} is not held against: the examples are no images"]
            if known and len(ways) == len(plan.ways)
            else []
        ),
        *tally.notes,
        *_budget(recipe, taken, divisions),
        *([_overlap(digests, pretrained_on)] if pretrained_on is not None else []),
        *([store.trouble] if store.trouble else []),
    )
    return Proof(labelled.source, tally.points(ways), plan.asked, taken, notes, dealt.left_out)


def _outer(contender: Contender) -> Way:
    return probe_of(f"{contender.name} {PROBE}", lambda _: contender)


def _named(encoders: Encoder | Mapping[str, Encoder]) -> dict[str, Encoder]:
    if isinstance(encoders, Mapping):
        if not encoders:
            raise ValueError("there is no encoder to hold against anything")
        return dict(encoders)
    return {_called(encoders): encoders}


def _called(encoder: Encoder) -> str:
    """What an encoder is called where nobody named it."""
    if isinstance(encoder, Pretrained):
        return encoder.method
    if isinstance(encoder, str | os.PathLike):
        return Path(encoder).name.removesuffix(".weights.h5")
    return encoder.name if isinstance(encoder, keras.Model) else "encoder"


@dataclass(frozen=True, slots=True)
class _Plan:
    """All ways of learning, and which of them is held against which."""

    ways: tuple[Way, ...]
    asked: tuple[tuple[str, str], ...]


def _planned(contenders: Sequence[Contender], recipe: str, steps: int | None, divisions: int, seed: int) -> _Plan:
    """Encoders first, then for each architecture what knows nothing."""
    alike: dict[str, list[Contender]] = {}
    for each in contenders:
        alike.setdefault(each.architecture, []).append(each)
    ways, asked, known = [], list[tuple[str, str]](), list[Way]()
    for some in alike.values():
        suffix = "" if len(alike) == 1 else f" of {some[0].name}"
        first = [ways_of_encoder(each, recipe, steps) for each in some]
        asked += [(name, SCRATCH + suffix) for way in first for name in way.stages.values()]
        known += first
        random = [some[0].untrained(seed + number) for number in range(divisions)]
        ways += [probe_of(_RANDOM + suffix, random.__getitem__), from_scratch(SCRATCH + suffix, some[0], steps)]
    return _Plan((*known, *ways), tuple(asked))


def _lessons(dealt: DealtShots, digests: Sequence[str], number: int, *, skip_unreadable: bool) -> Lessons:
    """The examples of a division that are learnt from at any number of shots or tested on."""
    learnt, tested = {count: dealt.learnt(number, count) for count in dealt.shots}, dealt.tested(number)
    used = np.unique(np.concatenate([*learnt.values(), tested]))
    return Lessons(
        dealt.data.subset(used),
        [digests[row] for row in used],
        {count: np.searchsorted(used, rows) for count, rows in learnt.items()},
        np.searchsorted(used, tested),
        number,
        dealt.seed + number,
        skip_unreadable,
    )


@dataclass(slots=True)
class _Tally:
    """What came of all divisions so far.

    Attributes:
        dealt: the divisions.
        found: by way and number of shots.
        unread: names of examples that could not be read.
    """

    dealt: DealtShots
    found: dict[tuple[str, int], list[Told]] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)

    def take(self, several: Iterable[tuple[int, Told]]) -> None:
        for count, told in several:
            self.found.setdefault((told.way, count), []).append(told)
            self.unread |= told.unread

    @property
    def notes(self) -> tuple[str, ...]:
        if not self.unread:
            return ()
        return (f"{len(self.unread)} examples cannot be read and are left out: {shorten(sorted(self.unread))}",)

    def points(self, ways: Sequence[Way]) -> tuple[CurvePoint, ...]:
        names = [name for way in ways for name in way.stages.values()]
        return tuple(self._point(name, count) for count in self.dealt.shots for name in names)

    def _point(self, way: str, count: int) -> CurvePoint:
        some = self.found[way, count]
        accuracies, learnt = tuple(each.accuracy for each in some), tuple(each.learnt for each in some)
        return CurvePoint(way, count, accuracies, learnt, self.dealt.pools, tuple(each.tested for each in some))


def _are_images(data: LabelledSet) -> bool:
    """Whether examples are pictures, or bytes in the shape of some."""
    if isinstance(data.inputs, tuple):
        return True
    values = data.inputs
    if not isinstance(values, np.ndarray) or values.dtype != np.uint8:
        return False
    return values.ndim == 3 or (values.ndim == 4 and values.shape[-1] in (1, 3))


def _budget(recipe: str, taken: Sequence[tuple[int, int]], divisions: int) -> tuple[str, str]:
    """What was learnt with, in a sentence each."""
    listed = ", ".join(f"{steps:,} at {count}" for count, steps in taken)
    take = f"{SCRATCH} takes steps" if recipe == PROBE else f"{recipe} and {SCRATCH} take as many steps"
    alike = f"{take} of at most {BATCH} examples: {listed} labels a class"
    return alike, f"random weights are drawn anew in each of the {divisions} divisions"


def _learnt_before(contenders: Sequence[Contender], dealt: DealtShots, digests: Sequence[str]) -> list[str]:
    """Which encoders have learnt the labels of examples that are tested on."""
    tested = [digests[row] for row in np.unique(np.concatenate([rows for _, rows in dealt.splits]))]
    return [told for each in contenders for told in (*each.before.notes, *each.before.warnings(tested))]


def _overlap(digests: Sequence[str], pretrained_on: Unlabelled) -> str:
    """How many of the labelled examples were there without labels."""
    inputs = read_unlabelled(pretrained_on)
    seen = frozenset(digest_examples(inputs))
    count = sum(each in seen for each in digests)
    return f"{count:,} of the {len(digests):,} examples were among those pretrained on, without their labels"
