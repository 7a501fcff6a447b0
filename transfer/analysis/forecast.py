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
        examples: that go through the network in each epoch.
        epochs: how often; the probe's features are computed once and its head is solved on them, which costs little.
        cost: of a step, per example.
    """

    kind: str
    first: str
    examples: int
    epochs: int
    cost: TrainingCost

    @property
    def once(self) -> int:
        """Running what is frozen over the examples, to keep its output."""
        return self.examples * self.cost.prefix

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
        return self.examples * self.cost.feature_bytes

    @property
    def total(self) -> int:
        """What the stage does: the probe runs the frozen part once, tuning the whole network in each epoch."""
        return self.once if self.kind == "probe" else self.epochs * self.per_epoch

    @property
    def total_kept(self) -> int:
        """What it would do with kept features."""
        return self.once if self.kind == "probe" else self.once + self.epochs * self.per_epoch_kept

    def to_json(self) -> Json:
        """As plain values."""
        names = ("kind", "first", "examples", "epochs", "once", "per_epoch", "per_epoch_kept", "kept_bytes")
        return {**{name: getattr(self, name) for name in (*names, "total", "total_kept")}, "step": self.cost.to_json()}


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
    """

    classes: tuple[str, ...]
    train_examples: int
    test_examples: int
    stages: tuple[StageForecast, ...]
    throughput: Throughput
    notes: tuple[str, ...]

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
        whole, kept = (sum(getattr(each, name) for each in self.stages) for name in ("total", "total_kept"))
        lines = [
            f"would learn {len(self.classes)} classes from {self.train_examples} examples and test on "
            f"{self.test_examples}; nothing was written",
            *(f"  {note}" for note in self.notes),
            format_table(COLUMNS, rows, numbers=COLUMNS[2:]),
            f"in all {format_scaled(whole)}MAC, about {self.seconds(whole):.2g} s here"
            + (f"; with kept features {format_scaled(kept)}MAC, {self.seconds(kept):.2g} s" if kept < whole else ""),
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
            "stages": [
                {**each.to_json(), "seconds": self.seconds(each.total), "seconds_kept": self.seconds(each.total_kept)}
                for each in self.stages
            ],
            "measured": self.throughput.to_json(),
            "notes": list(self.notes),
        }
