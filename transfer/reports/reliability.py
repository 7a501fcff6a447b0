"""What is said with a probability of 0.8 should be right 8 times of 10: the chart that shows whether it is."""

from __future__ import annotations

from markupsafe import Markup

from transfer.reports.charts import Point, Series, draw_points
from transfer.reports.contents import OutputContents
from transfer.reports.shown_text import shown
from transfer.reports.tables import Cell, Table, table_of

_SMALL, _LARGE = 3.0, 9.0  # radii of dots


def draw_reliability(output: OutputContents) -> Markup:
    """The share of right answers over the probability that was given; nothing where no answer is known.

    Source: DeGroot & Fienberg (1983), "The comparison and evaluation of forecasters"; Guo et al. (2017), section 2.
    """
    most = max((each.examples for each in output.calibration), default=0)
    points = tuple(
        Point(
            each.confidence,
            each.right,
            f"said {each.confidence:.2f}, right {each.right:.2f}, of {each.examples} answers",
            size=_SMALL + (_LARGE - _SMALL) * (each.examples / most) ** 0.5,
        )
        for each in output.calibration
    )
    if not points:
        return Markup()
    even = Series("as often right as said", "even", (Point(0.0, 0.0, ""), Point(1.0, 1.0, "")))
    return draw_points(
        (even, Series("answers", "answers", points, is_line=False)),
        label=f"share of right answers over the probability given{' of ' + shown(output.name) if output.name else ''}",
        x_title="probability given",
        y_title="share right",
        x_range=(0.0, 1.0),
        y_range=(0.0, 1.0),
    )


def tabulate_bins(output: OutputContents) -> Table | None:
    """The numbers of the chart; None where there are none."""
    if not output.calibration:
        return None
    rows = [(f"{each.confidence:.3f}", f"{each.right:.3f}", f"{each.examples}") for each in output.calibration]
    columns = ("probability given", "share right", "answers")
    return table_of(f"calibration of {output.name or 'the output'}", columns, rows, columns)


def tabulate_thresholds(output: OutputContents) -> Table | None:
    """From which probability on each label is answered; None where none were chosen."""
    if not output.thresholds:
        return None
    rows = [
        (Cell(shown(name)), f"{threshold:.3f}")
        for name, threshold in zip(output.classes, output.thresholds, strict=False)
    ]
    return table_of(
        f"thresholds of {output.name or 'the output'}", ("label", "answered from"), rows, ("answered from",)
    )
