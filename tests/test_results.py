"""Receipts as they are printed; results as they are kept."""

import json

from transfer.errors import Problem
from transfer.results import Interval, Pair, Plan, Receipt, Result, Score


def test_a_brief_receipt_leaves_out_what_went_where_its_name_says_as_it_was():
    plan = Plan(
        (
            Pair("a/kernel", "a/kernel", "name", 6),
            Pair("a (old)", "a (old)", "name", 6),
            Pair("b/kernel", "c/kernel", "order", 4),
            Pair("c/bias", "c/bias", "name", 2, "float16 → float32"),
        ),
        missing=("d/kernel",),
        wanted_parameters=20,
        wanted_tensors=5,
    )
    receipt = Receipt("net.h5", "legacy", plan, "verified", ("a note\n  matched in two lines",))
    first, *_, last = str(receipt).splitlines()
    left_out = ["  matched     a/kernel", "  matched     a (old)"]
    kept = [
        "  matched     b/kernel → c/kernel  (by order)",
        "  converted   c/bias  (float16 → float32)",
        "  missing     d/kernel",
        "  note        a note\n  matched in two lines",
    ]
    assert str(receipt) == "\n".join([first, *left_out, *kept, last])
    assert receipt.brief == "\n".join([first, *kept, last])
    assert first == "net.h5 (legacy)"
    assert last == (
        "  4 of 5 tensors matched, 1 of them converted, 1 missing; 18 of 20 parameters (90 %); outputs verified"
    )


def test_a_result_comes_back_from_its_json_also_from_one_that_knows_no_warnings():
    score = Score("probe", 9, 10, Interval(0.9, 0.6, 0.98))
    result = Result(
        ("a", "b"), 20, 10, score, (score,), (score,), {"penalty": 1.0}, (Problem("x.png"),), ("a note",), ("look",)
    )
    values = json.loads(json.dumps(result.to_json()))
    assert Result.from_json(values) == result
    del values["warnings"]
    assert Result.from_json(values).warnings == ()
