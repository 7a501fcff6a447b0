"""A run drawn for a notebook: its ways of answering with their intervals, and how the losses went."""

from __future__ import annotations

from dataclasses import dataclass, field

from markupsafe import Markup

from transfer.reports.learning_curves import draw_learning
from transfer.reports.rendering import render_template, template_text
from transfer.reports.run_parts import chart_result
from transfer.reports.verdicts import find_headlines
from transfer.results import Run


@dataclass(frozen=True, slots=True)
class Plot:
    """Charts of a run; a notebook shows them.

    Attributes:
        html: one element that brings its own style and nothing else; its lines have the colour of the text around it.
        curves: how many stages of epochs are drawn.
    """

    html: str = field(repr=False)
    curves: int

    def _repr_html_(self) -> str:
        return self.html


def plot(run: Run) -> Plot:
    """Draw a run: how right each way of answering is, with 95 % intervals, and the losses of each stage of epochs.

    Args:
        run: finished, as `finetune` gave it or `load_run` read it.
    """
    learning = draw_learning(run.history)
    html = render_template(
        "plot.html.j2",
        headlines=find_headlines(run.result),
        charts=chart_result(run.result),
        learning=learning,
        style=Markup(template_text("plot.css")),
    )
    return Plot(html, len(learning.curves) if learning else 0)
