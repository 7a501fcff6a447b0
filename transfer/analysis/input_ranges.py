"""Whether what goes into a network is scaled as the network expects it, and what the likely slip is if not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from transfer.analysis.moments import Moments
from transfer.plain_json import plain
from transfer.specs import PREPROCESSINGS, Json, Preprocessing

AS_GIVEN, CARD = "as given", "card"
# How many times better another preprocessing must fit. On the shipped MobileNetV2 the right one always fits best; wrong
# ones of photographs fit 2.6 times worse and more, of clip-art 3.9 times and more (but for -1 to 1: 1.0 to 1.2 times).
FACTOR = 2.0
AGAINST_CARD = 10.0  # the same where inputs are prepared as the card says: other data is likelier than a wrong card
_SHARE = 0.05  # of the possible range; what uses less is hardly a picture
_ALIKE = 0.02  # of a range, between preprocessings that are the same
_RANGES: dict[str, tuple[float, float, Preprocessing]] = {
    "0 to 1": (0, 1, PREPROCESSINGS["unit"]),
    "-1 to 1": (-1, 1, PREPROCESSINGS["tf"]),
    "0 to 255": (0, 255, PREPROCESSINGS["raw"]),
    "0 to 65535": (0, 65535, Preprocessing(scale=257.0)),
}


@dataclass(frozen=True, slots=True)
class Slip:
    """Something that looks wrong with the inputs.

    Attributes:
        what: it is.
        next_step: what to do.
    """

    what: str
    next_step: str


@dataclass(frozen=True, slots=True, repr=False)
class InputDrift:
    """What goes into a network, beside what it expects.

    Attributes:
        low: the smallest finite value; NaN where there is none.
        high: the largest.
        mean: of the finite values per channel, up to four of them; one value for more. NaN where there is none.
        std: likewise.
        expected: the values that black and white would have; None where nothing tells.
        by: who says so.
        readings: (preprocessing, how badly it fits the first batch norm, in nats), best first; `as given` is among
            them. Empty without a batch norm, and for what is no image.
        slips: what is wrong.
    """

    low: float
    high: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    expected: tuple[float, float] | None = None
    by: Literal["card", "first batch norm", ""] = ""
    readings: tuple[tuple[str, float], ...] = ()
    slips: tuple[Slip, ...] = ()

    def __str__(self) -> str:
        line = "inputs hold no finite value"
        if self.low <= self.high:
            line = f"inputs {_span(self.low, self.high)}, mean {_listed(self.mean)}, deviation {_listed(self.std)}"
        if self.expected is not None:
            line += f"; {self.by} expects about {_span(*self.expected)}"
        fits = ", ".join(f"{name} {score:.3g}" for name, score in self.readings)
        lines = [line, *([f"fit of the first batch norm, by preprocessing (lower is better): {fits}"] if fits else [])]
        return "\n".join([*lines, *(f"wrong: {each.what}" for each in self.slips)])

    __repr__ = __str__

    def to_json(self) -> Json:
        """As plain values."""
        return plain({**asdict(self), "readings": dict(self.readings)})


def judge_inputs(
    seen: Moments, *, given: Preprocessing | None, card: Preprocessing | None, readings: Mapping[str, float]
) -> InputDrift:
    """Say what is wrong with the values that go into a network.

    Args:
        seen: per channel.
        given: how the inputs were prepared; None where they are taken as they are.
        card: how they should be, if the file's card says so.
        readings: how badly the first batch norm's data fits, by preprocessing: `as given`, and what else was tried.
    """
    low, high = (float(seen.low.min()), float(seen.high.max())) if seen.count.any() else (np.nan, np.nan)
    named = {name: score for name, score in readings.items() if name != AS_GIVEN}
    best = min(named, key=lambda name: named[name], default="")
    wanted = card if card is not None else given
    slips = _against_card(low, high, given, card, readings)
    if not slips and best:
        as_card = given is not None and card is not None and same_arithmetic(given, card)
        factor = AGAINST_CARD if as_card else FACTOR
        slips = _against_norm(low, high, readings[AS_GIVEN], best, named[best], card, factor)
        wanted = _preprocessing(best, card) if slips else wanted
    slips = [*_not_finite(seen), *(slips or _against_range(low, high, given))]
    by: Literal["card", "first batch norm", ""] = "card" if card is not None else "first batch norm" if named else ""
    expected = bounds(wanted) if wanted is not None and by else None
    mean, std = _described(seen)
    ranked = tuple(sorted(readings.items(), key=lambda each: each[1]))
    return InputDrift(low, high, mean, std, expected, by, ranked, tuple(slips))


def prepare(images: NDArray[Any], preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Raw images as they go into a network: the arithmetic alone.

    Args:
        images: (…, c), 0 to 255, red first.
        preprocessing: what is done.
    """
    return reread(images, Preprocessing(), preprocessing)


def reread(values: NDArray[Any], given: Preprocessing, wanted: Preprocessing) -> NDArray[np.float32]:
    """Inputs as another preprocessing would have made them.

    Args:
        values: (…, c), as `given` made them.
        given: that way.
        wanted: the other way.
    """
    channels = values.shape[-1]
    black, white = _ends(given, channels)
    wanted_black, wanted_white = _ends(wanted, channels)
    if (given.color == "bgr") != (wanted.color == "bgr"):
        values, black, white = values[..., ::-1], black[::-1], white[::-1]
    factor = (wanted_white - wanted_black) / (white - black)
    offset = wanted_black - black * factor
    found: NDArray[np.float32] = values * factor.astype(np.float32) + offset.astype(np.float32)
    return found


def candidates(channels: int, given: Preprocessing, card: Preprocessing | None) -> dict[str, Preprocessing]:
    """What is tried on images of 1 or 3 channels: what was given, the card's way, the common ones."""
    ways = {AS_GIVEN: given}
    if card is not None:
        ways[CARD] = card
    common = PREPROCESSINGS.items()
    ways |= {name: each for name, each in common if card is None or not same_arithmetic(each, card)}
    return {name: each for name, each in ways.items() if {len(each.mean), len(each.std)} <= {1, channels}}


def guess_preprocessing(low: float, high: float) -> Preprocessing | None:
    """How images were made that run from `low` to `high`; None where that is no common range."""
    name = _range_of(low, high)
    return _RANGES[name][2] if name else None


def bounds(preprocessing: Preprocessing) -> tuple[float, float]:
    """The smallest and the largest value that a raw image, 0 to 255, can get."""
    ends = _ends(preprocessing, max(len(preprocessing.mean), len(preprocessing.std)))
    return float(ends.min()), float(ends.max())


def same_arithmetic(one: Preprocessing, other: Preprocessing) -> bool:
    """Whether two ways give the same values, up to a fiftieth of their range; size, background and frame aside."""
    channels = max(len(each) for each in (one.mean, one.std, other.mean, other.std))
    if {one.color, other.color} == {"rgb", "bgr"}:
        return False
    ends = [_ends(each, channels) for each in (one, other)]
    span = ends[1][1] - ends[1][0]
    return bool((np.abs(ends[0] - ends[1]) <= _ALIKE * span).all())


def _ends(preprocessing: Preprocessing, channels: int) -> NDArray[np.float64]:
    """(2, channels): what black and white become."""
    mean, std = (np.broadcast_to(each, (channels,)) for each in (preprocessing.mean, preprocessing.std))
    found: NDArray[np.float64] = (np.array([[0.0], [255.0]]) * preprocessing.scale - mean) / std
    return found


def _preprocessing(name: str, card: Preprocessing | None) -> Preprocessing | None:
    return card if name == CARD else PREPROCESSINGS.get(name)


def _against_card(
    low: float, high: float, given: Preprocessing | None, card: Preprocessing | None, readings: Mapping[str, float]
) -> list[Slip]:
    """What was asked for and what the card says, unless the first batch norm sides with the former."""
    if given is None or card is None or same_arithmetic(given, card):
        return []
    if AS_GIVEN in readings and CARD in readings and readings[AS_GIVEN] * FACTOR < readings[CARD]:
        return []
    swapped = replace(given, color="rgb" if given.color == "bgr" else "bgr")
    if same_arithmetic(swapped, card):
        what = "red and blue have changed places, by what the card says"
    else:
        what = f"inputs look like {_looks(low, high)}, this file expects about {_span(*bounds(card))}, as its card says"
    if not any(given.mean) and any(card.mean):
        what += "; no mean is subtracted"
    return [Slip(what, "leave out --preprocessing (preprocessing=…): the card knows")]


def _against_norm(
    low: float, high: float, score: float, best: str, best_score: float, card: Preprocessing | None, factor: float
) -> list[Slip]:
    wanted = _preprocessing(best, card)
    if wanted is None or not score > factor * best_score:
        return []
    times = f"{score / best_score:.0f} times" if best_score > 0 else "far"
    what = (
        f"inputs look like {_looks(low, high)}, this file expects about {_span(*bounds(wanted))}: its first batch norm "
        f"fits {best!r} {times} better"
    )
    step = "the card's preprocessing" if best == CARD else f"--preprocessing {best} (preprocessing={best!r})"
    return [Slip(what, f"prepare them so: {step}, from values of 0 to 255")]


def _against_range(low: float, high: float, given: Preprocessing | None) -> list[Slip]:
    if given is None or np.isnan(low):
        return []
    black, white = bounds(given)
    if high - low >= _SHARE * (white - black):
        return []
    what = f"inputs {_span(low, high)} use {(high - low) / (white - black):.1%} of the range of images, 0 to 255"
    return [Slip(what, "look at the pictures: were they scaled before?")]


def _not_finite(seen: Moments) -> list[Slip]:
    count = int(seen.nonfinite.sum())
    return [Slip(f"values that are NaN or infinite: {count:,}", "mend or leave out these examples")] if count else []


def _described(seen: Moments) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if seen.units <= 4:
        return tuple(map(float, np.where(seen.count > 0, seen.mean, np.nan))), tuple(map(float, seen.std))
    share = seen.count / max(1, seen.count.sum())
    mean = float(share @ seen.mean) if share.any() else np.nan
    spread = share @ (np.where(seen.count > 0, seen.variance, 0) + (seen.mean - mean) ** 2)
    return (mean,), (float(np.sqrt(spread)),)


def _range_of(low: float, high: float) -> str:
    """The common range that values fill, at least to a tenth of it; empty where they fill none."""
    fits = (
        name
        for name, (black, white, _) in _RANGES.items()
        if black <= low and white / 10 < high <= white and (low < 0) == (black < 0)
    )
    return next(fits, "")


def _looks(low: float, high: float) -> str:
    return _range_of(low, high) or _span(low, high)


def _span(low: float, high: float) -> str:
    return f"{low:.3g} to {high:.3g}"


def _listed(values: tuple[float, ...]) -> str:
    return ", ".join(f"{each:.3g}" for each in values)
