"""What a run would do and cost, stage by stage."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import fill, indent

from transfer.analysis.estimates import WIDTH, Estimate
from transfer.analysis.time_checks import TimeCheck
from transfer.analysis.training_cost import TrainingCost
from transfer.data.doubts import Doubts
from transfer.labellings import Labelling
from transfer.specs import Json
from transfer.tabulating import format_scaled, format_table

TRAINED = ("stage", "trained from", "trainable", "frozen", "examples", "epochs")
COSTS = ("stage", "once", "an epoch", "an epoch from kept features", "kept features")


@dataclass(frozen=True, slots=True)
class StageForecast:
    """What one stage would cost, in multiply-adds over all its examples.

    Attributes:
        kind: `probe` or `tune`.
        first: the first layer that is trained.
        examples: that are learnt from in each epoch; of the probe all examples.
        epochs: how often; the probe's features are computed once and its head is solved on them, which costs little.
        cost: of a step, per example.
        frozen: parameters that it leaves as they are.
        read: examples whose features are computed: those to test on among them, and changed copies each.
        tried: examples of the trial that goes before, on a part, to see how far to go; 0 for none.
    """

    kind: str
    first: str
    examples: int
    epochs: int
    cost: TrainingCost
    frozen: int
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
        macs = ("once", "per_epoch", "per_epoch_kept", "training", "total")
        return {
            "kind": self.kind,
            "first": self.first,
            "trainable_parameters": self.cost.trainable,
            "frozen_parameters": self.frozen,
            "examples": self.examples,
            "epochs": self.epochs,
            **{f"{name}_macs": getattr(self, name) for name in macs},
            **{f"{name}_flops": 2 * getattr(self, name) for name in macs},
            "kept_bytes": self.kept_bytes,
            "step": self.cost.to_json(),
        }


@dataclass(frozen=True, slots=True)
class KeptFeatures:
    """The features that a run would keep.

    Attributes:
        size_bytes: of all of them.
        folder: where they are kept for other runs too; empty for nowhere.
        found: examples whose features lie there already.
        examples: in all.
        in_memory: whether they fit there while the run is at work.
    """

    size_bytes: int
    folder: str
    found: int
    examples: int
    in_memory: bool

    def __str__(self) -> str:
        size = f"features of {format_scaled(self.size_bytes)}B"
        if self.folder:
            there = f"; those of {self.found:,} of {self.examples:,} examples are there" if self.found else ""
            return f"{size} are kept in {self.folder}{there}"
        return f"{size} are kept for this run, {'in memory' if self.in_memory else 'in temporary files'}"

    def to_json(self) -> Json:
        """As plain values."""
        return {
            "bytes": self.size_bytes,
            "folder": self.folder or None,
            "examples_found": self.found,
            "in_memory": self.in_memory,
        }


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run would do and cost; printed, it is some tables.

    Attributes:
        labelling: of the new heads.
        train_examples: that would be learnt from.
        test_examples: that would be tested on.
        stages: in order.
        estimate: of time and memory.
        doubts: about the examples.
        features: that would be kept.
        notes: how the network and its input would be prepared.
        warnings: what looks wrong with the inputs.
        time_check: what a time limit would do to the run; None for no limit.
    """

    labelling: Labelling
    train_examples: int
    test_examples: int
    stages: tuple[StageForecast, ...]
    estimate: Estimate
    doubts: Doubts
    features: KeptFeatures
    notes: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    time_check: TimeCheck | None = None

    @property
    def total(self) -> int:
        """What the run does: what no stage trains runs once over all examples, further stretches once a stage."""
        once = [stage.once for stage in self.stages]
        return sum(once) - (len(once) - 1) * min(once) + sum(stage.training for stage in self.stages)

    @property
    def total_without(self) -> int:
        """What it would do without kept features."""
        return sum(stage.total for stage in self.stages)

    def __str__(self) -> str:
        trained = [
            (
                each.kind,
                each.first,
                f"{each.cost.trainable:,}",
                f"{each.frozen:,}",
                f"{each.examples:,}",
                str(each.epochs),
            )
            for each in self.stages
        ]
        costs = [
            (
                each.kind,
                *(_flops(macs) for macs in (each.once, each.per_epoch, each.per_epoch_kept)),
                f"{format_scaled(each.kept_bytes)}B",
            )
            for each in self.stages
        ]
        lines = [
            f"would learn {self._what} from {self.train_examples:,} examples and test on "
            f"{self.test_examples:,}; nothing was written",
            *map(_indented, self.notes),
            format_table(TRAINED, trained, numbers=TRAINED[2:]),
            "",
            "cost",
            _indented(format_table(COSTS, costs, numbers=COSTS[1:])),
            f"  in all {_flops(self.total)}"
            + (f"; without kept features {_flops(self.total_without)}" if self.total < self.total_without else ""),
            *dict.fromkeys(f"  {each.cost.remark}" for each in self.stages if each.cost.remark),
            _indented(str(self.estimate)),
            *([_indented(str(self.time_check))] if self.time_check else []),
            f"  {self.features}",
            "",
            "data",
            indent(str(self.doubts), "  "),
        ]
        return "\n".join(lines)

    __repr__ = __str__

    @property
    def _what(self) -> str:
        if self.labelling.is_single:
            return f"{len(self.labelling.outputs[0].classes)} classes"
        what = "1 output" if len(self.labelling) == 1 else f"{len(self.labelling)} outputs"
        return f"{what} ({', '.join(self.labelling.names)})"

    def to_json(self) -> Json:
        """As plain values, for `--json`."""
        estimate = self.estimate.to_json()
        return {
            "schema": 1,
            "classes": list(self.labelling.outputs[0].classes) if self.labelling.is_single else None,
            "labelling": None if self.labelling.is_single else self.labelling.to_json(),
            "train_examples": self.train_examples,
            "test_examples": self.test_examples,
            "stages": [each.to_json() for each in self.stages],
            "total_macs": self.total,
            "total_flops": 2 * self.total,
            "total_without_kept_features_macs": self.total_without,
            "total_without_kept_features_flops": 2 * self.total_without,
            **estimate,
            "time_limit": self.time_check.to_json() if self.time_check else None,
            "kept_features": self.features.to_json(),
            "data": self.doubts.to_json(),
            "notes": list(self.notes),
            "warnings": [*self.warnings, *self.doubts.warnings],
        }


def _flops(macs: int) -> str:
    return f"{format_scaled(2 * macs)}FLOP"


def _indented(text: str) -> str:
    """Each line by two more than it is, and what is too long on further lines."""
    return "\n".join(_folded(f"  {line}") for line in text.splitlines())


def _folded(line: str) -> str:
    inner = " " * (len(line) - len(line.lstrip()) + 2)
    return fill(line, WIDTH, subsequent_indent=inner, break_long_words=False, break_on_hyphens=False)
