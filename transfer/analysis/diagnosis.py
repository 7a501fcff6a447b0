"""What was seen of a network while data went through it, and what is wrong with it, to print."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from transfer.analysis.activation_reports import ActivationReport
from transfer.analysis.findings import Finding
from transfer.analysis.gradient_flow import GradientFlow
from transfer.analysis.input_reports import InputReport
from transfer.analysis.update_reports import UpdateReport
from transfer.html_tables import as_html
from transfer.plain_json import plain
from transfer.specs import Json
from transfer.tabulating import Part, format_parts, shorten

SCHEMA = 1


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
        return format_parts(self.parts)

    def _repr_html_(self) -> str:
        return as_html(self.parts)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The lines and tables in print."""
        state = "never trained" if self.is_new else "trained"
        seen = self.input
        arrives = self.gradients is None or self.gradients.verdict == "healthy"
        lines: list[Part] = [
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
        return (*lines, *(f"fix       {each}" for each in self.fixes))

    def _activation_lines(self) -> list[Part]:
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
        return [(("activation", "kind", *numbers), rows, numbers)]

    def _gradient_lines(self) -> list[Part]:
        flow = self.gradients
        if flow is None or not flow.layers:
            return []
        columns = ("weights", "gradient / weights", "signal / noise")
        rows = [(each.layer, f"{each.ratio:.1e}", f"{each.signal_to_noise:.2g}") for each in flow.layers]
        if not flow.is_judged and flow.verdict != "not finite":
            return [
                (columns, rows, columns[1:]),
                f"gradients not judged: the loss is {flow.loss:.3g}",
            ]
        way = f"{abs(flow.decades):.1f} decades {'smaller' if flow.decades > 0 else 'larger'} at the input"
        return [
            (columns, rows, columns[1:]),
            f"gradients {flow.verdict}: {way} than at the output; loss {flow.loss:.3g} over {flow.batches} batches",
        ]

    def _update_lines(self) -> list[Part]:
        if not self.updates:
            return []
        columns = ("trained in the run", "update / weights, first epoch", "last epoch")
        rows = [(each.layer, f"{each.ratios[0]:.1e}", f"{each.ratios[-1]:.1e}") for each in self.updates]
        return [(columns, rows, columns[1:])]

    def to_json(self) -> Json:
        """As plain values; what is no number is null."""
        values: dict[str, Any] = {"schema": SCHEMA, **asdict(self)}
        if self.gradients is not None:
            values["gradients"]["verdict"] = self.gradients.verdict
            for row, each in zip(values["gradients"]["layers"], self.gradients.layers, strict=True):
                row["ratio"] = each.ratio
        return plain(values)
