"""What a run recorded of its steps: epoch by epoch of what was kept, and never a failure over a torn line."""

import json

from transfer.analysis.update_reports import UpdateReport, read_updates

LINES = [
    {"stage": "probe", "penalty": 0.1},
    {"stage": "trial", "updates": {"a": 0.9}},
    {"stage": "choice", "alpha": 1.0},
    {"stage": "tune", "updates": {"a": 0.1, "b": 0.3}},
    {"stage": "tune", "updates": {"a": 0.2}},
]


def test_epochs_that_were_kept_give_each_layer_its_ratios() -> None:
    found, torn = read_updates(map(json.dumps, LINES))
    assert found == (UpdateReport("a", (0.1, 0.2)), UpdateReport("b", (0.3,)))
    assert torn == ()


def test_lines_that_are_torn_or_of_another_form_are_numbered() -> None:
    texts = [json.dumps(LINES[3]), json.dumps(LINES[4])[:20], "[1]", '{"updates": {"a": null}}', "", '{"updates": [3]}']
    found, torn = read_updates(texts)
    assert found == (UpdateReport("a", (0.1,)), UpdateReport("b", (0.3,)))
    assert torn == (2, 3, 4, 5, 6)
