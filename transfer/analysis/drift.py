"""Whether a network meets the kind of data it was trained on, by the statistics that its batch norms have kept."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import islice
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.analysis.input_ranges import InputDrift
from transfer.html_tables import as_html
from transfer.plain_json import plain
from transfer.specs import Json
from transfer.tabulating import Part, format_parts

FAR = 0.5  # nats; a mean that has moved by one standard deviation is as far
# MobileNetV2 at the size on its card: 32 crops of two photographs 0.06, five crops of one up to 0.12, a single whole
# one up to 0.11; 16 of the clip-art pictures at least 0.16. Photographs prepared wrongly (but for the colours' order,
# which shows in the input) 0.23 and more.
MARKED = 0.15
# How many times better red and blue must fit in the other order: photographs 1.11 to 1.12 times and clip-art 1.07 times
# where they have changed places, counting each layer alike; photographs of half the red 1.03 times where they have not,
# and of a third of it 1.12 times. The first batch norm alone is no judge of it.
SWAPPED = 1.05
COLUMNS = ("batch norm", "channels", "positions", "score", "shift", "spread", "")


@dataclass(frozen=True, slots=True)
class LayerDrift:
    """How far one batch norm's data has moved.

    Attributes:
        layer: its name, after those of the models that hold it.
        channels: that it normalizes.
        positions: of each example that it sees: h * w in a network on images, 1 behind pooling.
        score: mean over the channels of the divergence, in nats; infinite where values are not finite.
        shift: mean over the channels of how far the mean has moved, in stored standard deviations.
        spread: geometric mean over the channels of seen standard deviation by stored one.
        cut: where a backbone would end that leaves this layer out; empty where there is no such layer.
    """

    layer: str
    channels: int
    positions: int
    score: float
    shift: float
    spread: float
    cut: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Drift:
    """How far data lies from what a network was trained on.

    Attributes:
        source: the network's name.
        data: where the examples come from.
        examples: how many were looked at.
        layers: batch norms, from input to output; empty for a network without any.
        inputs: what goes into the network.
        colours: mean of the layers' scores, and the same with red and blue in the other order; None where the order is
            known, and for what is no colour image.
        notes: what a reader should know.
    """

    source: str
    data: str
    examples: int
    layers: tuple[LayerDrift, ...]
    inputs: InputDrift
    colours: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()

    @property
    def score(self) -> float | None:
        """Mean over the layers, each counted by the positions it sees; None for a network without batch norm.

        Few positions make poor statistics: layers near the output follow the subjects of the pictures at hand, those
        near the input the kind of picture.
        """
        if not self.layers:
            return None
        positions = [layer.positions for layer in self.layers]
        return float(np.average([layer.score for layer in self.layers], weights=positions))

    @property
    def parts_at(self) -> str | None:
        """The first layer that is far with most of those after it; None where there is none."""
        for place, layer in enumerate(self.layers):
            rest = [each.score for each in islice(self.layers, place, None)]
            if layer.score > FAR and median(rest) > FAR:
                return layer.layer
        return None

    @property
    def is_swapped(self) -> bool:
        """Whether red and blue seem to have changed places."""
        return self.colours is not None and self.colours[0] > SWAPPED * self.colours[1]

    @property
    def remarks(self) -> tuple[str, ...]:
        """The notes, and that red and blue may have changed places where it looks so; it is no proof."""
        if self.colours is None or not self.is_swapped:
            return self.notes
        times = f"{self.colours[0] / self.colours[1]:.2f} times"
        look = "look whether they have changed places (OpenCV reads pictures as BGR); bluish pictures look so as well"
        return (*self.notes, f"red and blue in the other order fit {times} better: {look}")

    @property
    def advice(self) -> tuple[str, ...]:
        """What to do, the most pressing first; empty where the data fits."""
        if self.inputs.slips:
            return tuple(each.next_step for each in self.inputs.slips)
        apart = next((each for each in self.layers if each.layer == self.parts_at), None)
        if apart is not None and apart.cut:
            return (f"cut below {apart.layer!r}, from where on most layers see other values: --at {apart.cut}", _ADAPT)
        if apart is not None or (self.score or 0) >= MARKED:
            return (_ADAPT,)
        return ()

    @property
    def verdict(self) -> str:
        """The result in one line."""
        if self.inputs.slips:
            return f"check the preprocessing: {self.inputs.slips[0].what}"
        score = self.score
        if score is None:
            return "no batch norm has kept statistics; the input shows nothing wrong"
        apart = f", and most layers from {self.parts_at!r} on are far" if self.parts_at else ""
        kind = "other data than in training" if score >= MARKED or apart else "data like that in training"
        return f"score {score:.3f}: {kind}{apart}"

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """A row of `COLUMNS` for each layer."""
        return tuple(map(_row, self.layers))

    @property
    def conclusion(self) -> str:
        """The verdict, what to do, and what a reader should know, a line each."""
        next_steps = [f"next: {each}" for each in self.advice]
        return "\n".join([self.verdict, *next_steps, *(f"note: {each}" for each in self.remarks)])

    def __str__(self) -> str:
        return format_parts(self.parts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html(self.parts)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The lines and the table in print."""
        table = ((COLUMNS, self.rows(), COLUMNS[1:6]),) if self.layers else ()
        return (f"{self.source}, {self.examples} examples of {self.data}", str(self.inputs), *table, self.conclusion)

    def to_json(self) -> Json:
        """As plain values, for `--json`."""
        return plain(
            {
                "schema": 1,
                "source": self.source,
                "data": self.data,
                "examples": self.examples,
                "score": self.score,
                "parts_at": self.parts_at,
                "verdict": self.verdict,
                "advice": self.advice,
                "inputs": self.inputs.to_json(),
                "colours": self.colours,
                "layers": [asdict(layer) for layer in self.layers],
                "notes": self.remarks,
            }
        )


# Measured on the clip-art pictures, 40 a class, six seeds: 0.583 with the statistics as they are, 0.598 a third of the
# way towards those of the pictures, 0.557 all the way. It is worth a try and no sure thing.
_ADAPT = (
    "try batch norm that moves towards these statistics (--batch-norm train, batch_norm='train' of extract), and hold "
    "it against the frozen one"
)


def layer_drift(
    layer: str,
    stored: tuple[NDArray[Any], NDArray[Any]],
    seen: tuple[NDArray[Any], NDArray[Any]],
    *,
    epsilon: float,
    positions: int = 1,
    cut: str = "",
) -> LayerDrift:
    """Compare what a batch norm keeps with what it sees.

    Args:
        layer: its name.
        stored: mean and variance, (channels,) each.
        seen: likewise.
        epsilon: what the layer adds to a variance; in a channel that hardly varies it keeps small numbers small.
        positions: of each example.
        cut: where a backbone would end that leaves the layer out.
    """
    score = float(divergence(*stored, *seen, epsilon=epsilon).mean())
    (mean, variance), (seen_mean, seen_variance) = stored, seen
    deviation = np.sqrt(variance + epsilon)
    shift = float((np.abs(seen_mean - mean) / deviation).mean())
    spread = float(np.exp(np.log(np.sqrt(seen_variance + epsilon) / deviation).mean()))
    finite = bool(np.isfinite([score, shift, spread]).all())
    numbers = (score, shift, spread) if finite else (np.inf, np.inf, np.inf)
    return LayerDrift(layer, len(mean), positions, *numbers, cut)


def divergence(
    mean: NDArray[Any],
    variance: NDArray[Any],
    other_mean: NDArray[Any],
    other_variance: NDArray[Any],
    *,
    epsilon: float = 0.0,
) -> NDArray[np.float64]:
    """How different two Gaussians are: the mean of both Kullback-Leibler divergences, for each channel.

    With a and c the variances, `epsilon` added, and d the distance of the means: (a / c + c / a - 2 + d² / a + d² / c)
    / 4. Moving the mean by one standard deviation costs 1/2, twice the variance 1/8.

    Of the scores that were tried on the shipped MobileNetV2 (distances of means alone, Wasserstein and Hellinger
    distances, the divergence in one direction; means and medians over channels) this one alone ranks the right
    preprocessing before six wrong ones for every set of photographs and of clip-art: it counts what varies too little
    as it counts what varies too much, while the others take values that are too small for a good fit.

    Returns:
        (channels,), in nats.

    Source: Jeffreys (1946), halved; between batch norms as in Li et al. (2016), "Revisiting batch normalization for
    practical domain adaptation".
    """
    a, c = (np.asarray(each, np.float64) + epsilon for each in (variance, other_variance))
    squared = (np.asarray(other_mean, np.float64) - np.asarray(mean, np.float64)) ** 2
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        found: NDArray[np.float64] = (a / c + c / a - 2 + squared * (1 / a + 1 / c)) / 4
    return found


def _row(layer: LayerDrift) -> tuple[str, ...]:
    numbers = (f"{layer.score:.3f}", f"{layer.shift:.2f}", f"{layer.spread:.2f}")
    return (layer.layer, str(layer.channels), str(layer.positions), *numbers, "far" if layer.score > FAR else "")
