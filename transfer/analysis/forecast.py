"""What a run would do and cost, stage by stage."""

from __future__ import annotations

from dataclasses import dataclass

from transfer.analysis.throughput import Throughput
from transfer.analysis.training_cost import TrainingCost
from transfer.specs import Json
from transfer.tabulating import format_scaled, format_table

COLUMNS = (
    "stage",
    "trained from",
    "parameters",
    "examples",
    "epochs",
    "once",
    "per epoch",
    "kept: per epoch",
    "kept: size",
)


@dataclass(frozen=True, slots=True)
class StageForecast:
    """What one stage would cost, in multiply-adds over all its examples.

    Attributes:
        kind: `probe` or `tune`.
        first: the first layer that is trained.
        examples: that are learnt from in each epoch; of the probe all examples.
        epochs: how often; the probe's features are computed once and its head is solved on them, which costs little.
        cost: of a step, per example.
        read: examples whose features are computed, those to test on among them.
        tried: examples of the trial that goes before, on a part, to see how far to go; 0 for none.
    """

    kind: str
    first: str
    examples: int
    epochs: int
    cost: TrainingCost
    read: int
    tried: int = 0

    @property
    def once(self) -> int:
        """Running what is frozen over all examples, to keep its output."""
        return self.read * self.cost.prefix

    @property
    def per_epoch(self) -> int:
        """The whole network forwards, and backwards as far as it is trained."""
        return self.examples * self.cost.step

    @property
    def per_epoch_kept(self) -> int:
        """The same from kept features on."""
        return self.examples * self.cost.cached_step

    @property
    def kept_bytes(self) -> int:
        """What the kept features take."""
        return self.read * self.cost.feature_bytes

    @property
    def training(self) -> int:
        """All epochs from kept features on, the trial's among them; solving the probe is not counted."""
        return 0 if self.kind == "probe" else self.epochs * (self.examples + self.tried) * self.cost.cached_step

    @property
    def total(self) -> int:
        """What the stage would do without kept features: the whole network in each epoch."""
        return self.once if self.kind == "probe" else self.epochs * (self.examples + self.tried) * self.cost.step

    def to_json(self) -> Json:
        """As plain values."""
        names = ("kind", "first", "examples", "epochs", "once", "per_epoch", "per_epoch_kept", "kept_bytes")
        return {**{name: getattr(self, name) for name in (*names, "training", "total")}, "step": self.cost.to_json()}


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run would do and cost; printed, it is a table.

    Attributes:
        classes: of the new head.
        train_examples: that would be learnt from.
        test_examples: that would be held out.
        stages: in order.
        throughput: of the network on this machine, measured.
        notes: how the network and its input would be prepared.
        warnings: what looks wrong with the inputs.
    """

    classes: tuple[str, ...]
    train_examples: int
    test_examples: int
    stages: tuple[StageForecast, ...]
    throughput: Throughput
    notes: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """What the run does: what no stage trains runs once over all examples, further stretches once a stage."""
        once = [stage.once for stage in self.stages]
        return sum(once) - (len(once) - 1) * min(once) + sum(stage.training for stage in self.stages)

    @property
    def total_without(self) -> int:
        """What it would do without kept features."""
        return sum(stage.total for stage in self.stages)

    def seconds(self, macs: int) -> float:
        """About how long so many multiply-adds take here, at the speed of the forward pass."""
        return 2 * macs / (1e9 * self.throughput.gflops)

    def __str__(self) -> str:
        rows = [
            (
                each.kind,
                each.first,
                f"{each.cost.trainable:,}",
                str(each.examples),
                str(each.epochs),
                *(f"{format_scaled(macs)}MAC" for macs in (each.once, each.per_epoch, each.per_epoch_kept)),
                f"{format_scaled(each.kept_bytes)}B",
            )
            for each in self.stages
        ]
        lines = [
            f"would learn {len(self.classes)} classes from {self.train_examples} examples and test on "
            f"{self.test_examples}; nothing was written",
            *(f"  {note}" for note in self.notes),
            format_table(COLUMNS, rows, numbers=COLUMNS[2:]),
            f"in all {format_scaled(self.total)}MAC, at least {self.seconds(self.total):.2g} s here: at the speed of "
            "the forward pass, without start-up, decoding and compiling"
            + (
                f"; without kept features {format_scaled(self.total_without)}MAC"
                if self.total < self.total_without
                else ""
            ),
            str(self.throughput),
            *dict.fromkeys(each.cost.remark for each in self.stages if each.cost.remark),
        ]
        return "\n".join(lines)

    __repr__ = __str__

    def to_json(self) -> Json:
        """As plain values, for `--json`."""
        return {
            "schema": 1,
            "classes": list(self.classes),
            "train_examples": self.train_examples,
            "test_examples": self.test_examples,
            "stages": [{**each.to_json(), "seconds": self.seconds(each.once + each.training)} for each in self.stages],
            "total": self.total,
            "total_without_kept_features": self.total_without,
            "seconds": self.seconds(self.total),
            "measured": self.throughput.to_json(),
            "notes": list(self.notes),
            "warnings": list(self.warnings),
        }
