"""What a training run tells of each of its epochs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TypeAlias

from transfer.specs import Json


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one pass over the training examples gave.

    Attributes:
        number: from 1.
        loss: mean cross-entropy towards the targets that the stage asks for, in nats an example, penalties left out.
        updates: for each layer that is trained, how far the last step moved its weights: norm of the change over the
            norm of the weights. Biases and scales are left out.
        rate: the learning rate of its last step.
        validation_loss: mean cross-entropy on the validation examples, in nats an example, of the weights that would
            be kept; None without such examples.
        validation_accuracy: share of the validation examples whose class has the largest logit; likewise. Of several
            outputs the mean of those that have classes, of what is known.
        outputs: of several outputs the `loss`, `validation_loss` and `validation_accuracy` of each, by its name; the
            losses above are their weighed sums.
    """

    number: int
    loss: float
    updates: Mapping[str, float] = field(default_factory=dict)
    rate: float = 0.0
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    outputs: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def to_json(self) -> Json:
        """As plain values; of one output nothing is said twice."""
        values = asdict(self)
        return values if self.outputs else {name: each for name, each in values.items() if name != "outputs"}

    def scalars(self) -> dict[str, float]:
        """Each number by a name of its own, those of layers as `updates/LAYER`; what is None is left out."""
        told = {
            "loss": self.loss,
            "rate": self.rate,
            "validation_loss": self.validation_loss,
            "validation_accuracy": self.validation_accuracy,
            **{f"updates/{layer}": size for layer, size in self.updates.items()},
            **{f"{what}/{name}": value for name, found in self.outputs.items() for what, value in found.items()},
        }
        return {name: value for name, value in told.items() if value is not None}


Watch: TypeAlias = Callable[[str, Epoch], None]  # (what the training is called, its next epoch)


def unwatched(*_: object) -> None:
    """The `Watch` of a caller who does not look on."""
