"""Receipts as they are printed; results as they are kept."""

import json
from pathlib import Path

from transfer.errors import Problem
from transfer.results import Pair, Plan, Receipt, Result, Run
from transfer.scores import Interval, Score


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


def score(name, correct):
    return Score(name, correct, 20, Interval(correct / 20, 0.1, 0.95))


def test_a_run_prints_the_receipt_what_was_done_the_last_stage_first_and_where_it_lies():
    baselines = (score("majority class", 10),)
    stages = (score("probe", 15), score("tuned", 16))
    result = Result(
        ("a", "b"), 30, 20, stages[-1], baselines, stages, None, (Problem("x.png"),), ("cut at 'pool'",), ("look",)
    )
    plan = Plan((Pair("a/kernel", "a/kernel", "name", 6),), unexpected=("b/kernel",), wanted_parameters=1234)
    receipt = json.loads(json.dumps(Receipt("net.h5", "legacy .h5", plan, "verified").to_json()))
    told = [
        "          cut at 'pool'",
        "data      2 classes, 30 examples to learn from, 20 to test on",
        "on the test examples  accuracy  95 % interval   right",
        "tuned                    0.800  0.100 to 0.950  16/20",
        "probe                    0.750  0.100 to 0.950  15/20",
        "majority class           0.500  0.100 to 0.950  10/20",
        "left out  1, named in .left_out",
        "warning   look",
    ]
    assert str(result) == repr(result) == "\n".join(told)
    run = Run(result, None, Path("runs/a"), receipt)
    assert str(run).splitlines() == [
        "restored  net.h5 (legacy .h5): 1 tensors matched, 1 unexpected, 1,234 parameters; outputs verified",
        *told,
        "run       runs/a/model.keras (raw input in, probabilities out), result.json, run.json",
    ]
    assert repr(Run(result, None)) == str(result)
    assert repr(Run(result, None, Path("a"), reused=True)).startswith("a holds this very run already;")


def test_a_receipt_comes_back_from_json_as_it_was():
    plan = Plan(
        (Pair("a/kernel", "b/kernel", "order", 6, "float16 → float32"),),
        missing=("c/bias",),
        unexpected=("d",),
        misshapen=(Problem("e", "(2,)", "(3,)"),),
        surplus=(Problem("f", "none", "a bias"),),
        ambiguous=(Problem("g", "one", "two"),),
        skipped=("h",),
        wanted_parameters=9,
        wanted_tensors=3,
    )
    receipt = Receipt("x.h5", "Keras 3", plan, "verified", ("a note",))
    assert Receipt.from_json(json.loads(json.dumps(receipt.to_json()))) == receipt
