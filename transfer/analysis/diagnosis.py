"""What was seen of a network while data went through it, and what is wrong with it, to print."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from transfer.analysis.gradient_flow import GradientFlow
from transfer.analysis.update_reports import UpdateReport
from transfer.specs import Json
from transfer.tabulating import format_table

SCHEMA = 1
_SHOWN = 8  # units and layers named in a line; the others are counted

Kind = Literal[
    "not finite", "input scale", "saturated", "dead units", "vanishing", "exploding", "large updates", "small updates"
]
Severity = Literal["fault", "remark"]
Fix = Literal["rescale", "rectify", "redraw", "revive", ""]


@dataclass(frozen=True, slots=True)
class ActivationReport:
    """One activation while all examples went through it. The unit of a convolution is a channel.

    Attributes:
        layer: its layer, or the one that holds it; the second call of a shared one is `name (2)`.
        activation: its name in Keras.
        units: of them all that follows speaks.
        low: share of the values at the low end, where it is flat, in [0, 1]; for ReLU those that are not active.
        high: share at the high end, likewise; for softmax answers without doubt.
        examples: share of the examples for which more than half of the values were flat.
        slope: root mean square of the derivative.
        input_rms: root mean square of what goes in; NaN where it was not looked at.
        mean: of what comes out, over all units.
        std: likewise.
        kurtosis: likewise, 0 for a Gaussian; NaN where nothing varies.
        effective_rank: of what comes out, averaged over positions: at most the units or the examples less one.
        dead: units that never left the flat low end; none where a little gradient passes there.
        flat_units: number of units that were flat on more than half of their values.
        stuck: number of units that were flat on every value.
        never_silent: number of units that never were at the low end.
        nonfinite: number of values that are NaN or infinite.
        role: `hidden`, `output` of the network, or `gate`, which is only multiplied with something else.
        is_first: whether it is fed by the input through one layer alone.
        squashes: whether it is flat at both ends alike, as a sigmoid is.
        weighted: the layer with weights that feeds it; empty where there is none, or several.
    """

    layer: str
    activation: str
    units: int
    low: float
    high: float
    examples: float
    slope: float
    input_rms: float
    mean: float
    std: float
    kurtosis: float
    effective_rank: float
    dead: tuple[int, ...]
    flat_units: int
    stuck: int
    never_silent: int
    nonfinite: int
    role: Literal["hidden", "output", "gate"]
    is_first: bool
    squashes: bool
    weighted: str = ""

    @property
    def saturated(self) -> float:
        """Share of the values that are saturated: both ends of a sigmoid, the upper one of a ReLU."""
        return self.low + self.high if self.squashes else self.high


@dataclass(frozen=True, slots=True)
class InputReport:
    """What reaches the first layer that learns.

    Attributes:
        mean: over all values.
        std: likewise.
        low: the smallest.
        high: the largest.
        channels: (mean, std) of each channel, or of each value of a vector.
    """

    mean: float
    std: float
    low: float
    high: float
    channels: tuple[tuple[float, float], ...] = field(default=(), repr=False)

    @property
    def rms(self) -> float:
        """Root mean square."""
        return math.hypot(self.mean, self.std)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong, why, and what to do.

    Attributes:
        kind: what it is, in a word.
        layers: where, in the order of the network; empty where it concerns all.
        cause: why, in a sentence.
        evidence: the numbers.
        advice: what to do.
        severity: a `fault` keeps the network from learning; a `remark` is worth knowing.
        fix: which change is written when one is asked for; empty where none is known.
    """

    kind: Kind
    layers: tuple[str, ...]
    cause: str
    evidence: str
    advice: str
    severity: Severity = "fault"
    fix: Fix = ""

    def __str__(self) -> str:
        where = shorten(self.layers) or "all layers"
        lines = [f"{self.severity:7} {self.kind}: {where}", f"          {self.cause}", f"          {self.evidence}"]
        return "\n".join([*lines, f"          next: {self.advice}"])


@dataclass(frozen=True, slots=True, repr=False)
class Diagnosis:
    """A network seen at work; printing it gives tables.

    Attributes:
        source: what was looked at.
        examples: how many went through.
        is_new: whether the network was never trained: all that starts from a constant is still there.
        input: what reaches the first layer that learns.
        activations: each, in the order of the network.
        gradients: what comes back from the loss; None where none was computed.
        updates: of a run that tuned layers, what each of them moved.
        findings: what is wrong, the worst first; empty for a healthy network.
        fixes: what was written about them, or why not.
        hidden: (layer, class) of those whose activations cannot be watched.
        notes: what else there is to know.
    """

    source: str
    examples: int
    is_new: bool
    input: InputReport
    activations: tuple[ActivationReport, ...]
    gradients: GradientFlow | None
    updates: tuple[UpdateReport, ...] = ()
    findings: tuple[Finding, ...] = ()
    fixes: tuple[str, ...] = ()
    hidden: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def faults(self) -> tuple[Finding, ...]:
        """The findings that keep the network from learning."""
        return tuple(each for each in self.findings if each.severity == "fault")

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        state = "never trained" if self.is_new else "trained"
        seen = self.input
        arrives = self.gradients is None or self.gradients.verdict == "healthy"
        lines = [
            f"{self.source} ({state}), {self.examples} examples",
            f"input     {seen.mean:.3g} ± {seen.std:.3g}, from {seen.low:.3g} to {seen.high:.3g}",
            *self._activation_lines(),
            *self._gradient_lines(),
            *self._update_lines(),
        ]
        lines += [f"note      {each}" for each in self.notes]
        if self.hidden:
            names = shorten(tuple(f"{name} ({kind})" for name, kind in self.hidden))
            lines.append(f"unseen    {names}: what they compute inside was not looked into")
        lines += [str(each) for each in self.findings]
        lines += [] if self.faults or not arrives else ["healthy   nothing found that keeps it from learning"]
        return "\n".join([*lines, *(f"fix       {each}" for each in self.fixes)])

    def _activation_lines(self) -> list[str]:
        if not self.activations:
            return ["no activation that can be watched"]
        numbers = ("units", "low", "high", "slope", "dead", "always on", "mean", "std", "kurtosis", "eff. rank")
        rows = [
            (
                each.layer,
                each.activation + ("" if each.role == "hidden" else f" ({each.role})"),
                str(each.units),
                f"{each.low:.0%}",
                f"{each.high:.0%}",
                f"{each.slope:.2f}",
                str(len(each.dead)),
                str(each.never_silent),
                f"{each.mean:.3g}",
                f"{each.std:.3g}",
                f"{each.kurtosis:.3g}",
                f"{each.effective_rank:.1f}",
            )
            for each in self.activations
        ]
        return [format_table(("activation", "kind", *numbers), rows, numbers=numbers)]

    def _gradient_lines(self) -> list[str]:
        flow = self.gradients
        if flow is None or not flow.layers:
            return []
        columns = ("weights", "gradient / weights", "signal / noise")
        rows = [(each.layer, f"{each.ratio:.1e}", f"{each.signal_to_noise:.2g}") for each in flow.layers]
        if not flow.is_judged and flow.verdict != "not finite":
            return [
                format_table(columns, rows, numbers=columns[1:]),
                f"gradients not judged: the loss is {flow.loss:.3g}",
            ]
        way = f"{abs(flow.decades):.1f} decades {'smaller' if flow.decades > 0 else 'larger'} at the input"
        return [
            format_table(columns, rows, numbers=columns[1:]),
            f"gradients {flow.verdict}: {way} than at the output; loss {flow.loss:.3g} over {flow.batches} batches",
        ]

    def _update_lines(self) -> list[str]:
        if not self.updates:
            return []
        columns = ("trained in the run", "update / weights, first epoch", "last epoch")
        rows = [(each.layer, f"{each.ratios[0]:.1e}", f"{each.ratios[-1]:.1e}") for each in self.updates]
        return [format_table(columns, rows, numbers=columns[1:])]

    def to_json(self) -> Json:
        """As plain values; what is no number is null."""
        values: dict[str, Any] = {"schema": SCHEMA, **asdict(self)}
        if self.gradients is not None:
            values["gradients"]["verdict"] = self.gradients.verdict
            for row, each in zip(values["gradients"]["layers"], self.gradients.layers, strict=True):
                row["ratio"] = each.ratio
        return _plain(values)


def shorten(names: tuple[str, ...], *, separator: str = ", ") -> str:
    """The first names, and how many more there are."""
    more = f"{separator}and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return separator.join(names[:_SHOWN]) + more


def _plain(values: Any) -> Json:
    if isinstance(values, dict):
        return {key: _plain(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [_plain(value) for value in values]
    return None if isinstance(values, float) and not math.isfinite(values) else values
