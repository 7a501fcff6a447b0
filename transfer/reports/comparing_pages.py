"""Several runs side by side, above what there is to say of each."""

from __future__ import annotations

from typing import Any

from transfer.evidence.run_pairs import RunPair
from transfer.reports.contents import Page
from transfer.reports.interval_charts import draw_intervals, line_of
from transfer.reports.shown_text import part_headings, shown
from transfer.reports.tables import table_of

_OTHERS = (
    "Each run was tested on examples of its own, so these scores do not say which is better. Runs on the same data "
    "with the same seed, or with the same --test set, are tested on the same examples."
)


def compare_page(page: Page) -> dict[str, Any] | None:
    """What stands above several runs; None of one."""
    if len(page.runs) < 2 and page.comparison is None:
        return None
    scores = [(run.name, run.result.score) for run in page.runs]
    lines = [line_of(name, score, "kept") for name, score in scores if score is not None]
    comparison = page.comparison
    return {
        "chart": draw_intervals(lines, "accuracy", low=0.0, high=1.0) if lines else None,
        "pairs": [_told(each) for each in comparison.pairs] if comparison else [],
        "tables": [table_of("runs side by side", *each) for each in comparison.tables] if comparison else [],
        "closing": part_headings(comparison.closing) if comparison else (),
        "absent": "" if comparison else _OTHERS,
    }


def _told(pair: RunPair) -> dict[str, Any]:
    """McNemar's test of two runs in a sentence."""
    found = pair.difference
    bounds = f"{found.low:+.3f} to {found.high:+.3f}"
    text = (
        f"{shown(pair.first, 60)} - {shown(pair.second, 60)} = {found.value:+.3f} ({bounds}) on the same "
        f"{found.examples} examples: {found.first_alone} are right by the first alone, {found.second_alone} by the "
        f"second alone (McNemar, exact p {found.p_value:.2g}, for all pairs together {pair.p_value:.2g})."
    )
    verdict = "The two are told apart." if pair.told_apart else "That does not tell the two apart."
    return {"text": text, "verdict": verdict, "apart": pair.told_apart}
