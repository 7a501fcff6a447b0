"""How each class is learnt and answered."""

from __future__ import annotations

from collections.abc import Sequence

from transfer.output_scores import ClassScore
from transfer.reports.contents import OutputContents
from transfer.reports.interval_charts import draw_measure
from transfer.reports.scales import number
from transfer.reports.shown_text import shown
from transfer.reports.tables import Cell, Table, table_of


def tabulate_scores(output: OutputContents) -> Table | None:
    """Each class with its measures and their intervals; None where nothing is known of any."""
    if not output.per_class:
        return None
    names = list(dict.fromkeys(measure.name for each in output.per_class for measure in each.measures))
    rows = [(shown(each.name), f"{each.wanted}", *_cells(each, names)) for each in output.per_class]
    first = {"sigmoid": "label", "regression": "number"}.get(output.kind, "class")
    columns = (first, "test examples", *names)
    return table_of(f"scores by class {output.name}".strip(), columns, rows, columns[1:])


def _cells(score: ClassScore, names: Sequence[str]) -> list[str | Cell]:
    found = {each.name: each for each in score.measures}
    cells: list[str | Cell] = []
    for name in names:
        measure = found.get(name)
        if measure is None:
            cells.append("")
            continue
        bounded = measure.low is not None and measure.high is not None
        note = f"{number(measure.low or 0)} to {number(measure.high or 0)}" if bounded else ""
        cells.append(Cell(number(measure.value), measure.value, note, draw_measure(measure)))
    return cells


def tabulate_counts(output: OutputContents) -> Table | None:
    """How many examples of each class there are; None where the output has none to count."""
    tested = _tested(output)
    if not output.learnt and not tested:
        return None
    learnt = output.learnt or ("",) * len(output.classes)
    test = tested or ("",) * len(output.classes)
    rows = [(shown(name), f"{one}", f"{other}") for name, one, other in zip(output.classes, learnt, test, strict=False)]
    first = "label" if output.kind == "sigmoid" else "class"
    columns = (first, "to learn from", "to test on")
    return table_of(f"examples by class {output.name}".strip(), columns, rows, columns[1:])


def _tested(output: OutputContents) -> tuple[int, ...]:
    if output.kind == "regression":
        return ()
    if output.per_class:  # also counts examples of which the parent's answer denies all classes
        return tuple(each.wanted for each in output.per_class)
    return tuple(map(sum, output.confusion))
