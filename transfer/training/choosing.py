"""What is kept of a stage: the weights before it, those after it, or some on the line between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import keras

from transfer.specs import Json
from transfer.training.feature_rows import Rows
from transfer.training.features import Answering
from transfer.training.interpolating import Weights, keep_best
from transfer.training.labels import Labels
from transfer.training.temperatures import find_temperatures


@dataclass(frozen=True, slots=True)
class Choice:
    """What was kept of a stage.

    Attributes:
        alpha: how far from the weights before it (0) to those after it (1).
        temperatures: by which the logits of each output are divided at alpha, so that they are as sure as they should
            be; 1 where the weights before are kept, which stay what they were.
        before: validation loss at 0, in nats an example, at the temperature that suits it best; so are the others.
        after: at 1.
        kept: at alpha.
        examples: that were validated on.
        outputs: of several outputs the losses before and kept, by their names.
    """

    alpha: float
    temperatures: tuple[float, ...]
    before: float
    after: float
    kept: float
    examples: int
    outputs: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def to_json(self) -> Json:
        """As plain values; of one output its temperature alone."""
        values = asdict(self)
        outputs, temperatures = values.pop("outputs"), values.pop("temperatures")
        return (
            {**values, "outputs": outputs, "temperatures": temperatures}
            if outputs
            else {**values, "temperature": temperatures[0]}
        )

    def __str__(self) -> str:
        between = f"{self.alpha:.0%} of the way from the weights before it to those after it was kept"
        what = {0.0: "the weights before it were kept", 1.0: "all of it was kept"}.get(self.alpha, between)
        return (
            f"of tuning, {what}: validation loss {self.kept:.3f} on {self.examples} examples "
            f"({self.before:.3f} before, {self.after:.3f} after, each at its best temperature){self._worse}"
        )

    @property
    def _worse(self) -> str:
        """The outputs that lose by what is kept, though all together gain."""
        lost = [
            f"{name} ({kept:.3f} for {before:.3f})" for name, (before, kept) in self.outputs.items() if kept > before
        ]
        return f"; worse than before it: {', '.join(lost)}" if lost else ""


def choose(
    model: keras.Model, answer: Answering, before: Weights, after: Weights, rows: Rows, labels: Labels
) -> Choice:
    """Give a model the weights on the line that validate best.

    Args:
        model: features to logits; its variables have these names.
        answer: its logits for features.
        before: the weights before a stage.
        after: those after it.
        rows: (m, …) features of examples that neither side has learnt from.
        labels: of them.
    """
    chosen = keep_best(model, before, after, lambda: find_temperatures(answer(rows), labels))
    start, kept = chosen.tried[0.0], chosen.tried[chosen.alpha]
    outputs = dict(zip(labels.labelling.names, zip(start.losses, kept.losses, strict=True), strict=True))
    return Choice(
        alpha=chosen.alpha,
        temperatures=kept.temperatures if chosen.alpha else (1.0,) * len(labels.labelling),
        before=start.loss,
        after=chosen.tried[1.0].loss,
        kept=kept.loss,
        examples=len(labels),
        outputs=outputs if len(outputs) > 1 else {},
    )
