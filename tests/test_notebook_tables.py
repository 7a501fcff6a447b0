"""What a notebook shows of each public result: whole HTML, nothing of a hostile name's in it, the numbers in print."""

import inspect
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import transfer
from transfer.analysis.activation_reports import ActivationReport
from transfer.analysis.drift import LayerDrift
from transfer.analysis.flops import LayerFlops
from transfer.analysis.gradient_flow import GradientFlow, LayerGradient
from transfer.analysis.input_ranges import InputDrift
from transfer.analysis.input_reports import InputReport
from transfer.analysis.work import Work
from transfer.answers import Evaluation, OutputAnswer, Prediction
from transfer.errors import Problem
from transfer.evidence.baseline_comparison import FoldedWay
from transfer.evidence.curve_points import CurvePoint
from transfer.evidence.known_runs import KnownRun, RunCost
from transfer.evidence.label_audit import DoubtedLabel, NearPair
from transfer.evidence.leaderboards import Board, Standing
from transfer.evidence.run_pairs import RunPair
from transfer.evidence.share_differences import ShareDifference
from transfer.evidence.sweeps import Trial
from transfer.html_tables import MOST_ROWS, as_html
from transfer.jobs.runs.predicting import Predictions
from transfer.output_scores import Measure
from transfer.rankings import Cost, CutScores, RankedCut
from transfer.results import Pair, Plan, Result
from transfer.scores import Interval, Score
from transfer.tabulating import format_parts
from transfer.training.history import Epoch

EVIL = "<script>alert('x')</script>&amp;\"\u202e"
HOW_ESCAPED = "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;&amp;amp;&quot;\\u202e"
# Public classes that say what is asked, not what was found; scikit-learn shows its estimators itself.
ASKED = {
    "Classifier",
    "Head",
    "Network",
    "Output",
    "Pace",
    "Preprocessing",
    "RayEngine",
    "RayFitter",
    "Stage",
    "TransferError",
}
LEFT = 'style="text-align:left;padding:.1em .6em"'


def score(name="probe", right=7):
    return Score(name, right, 10, Interval(right / 10, 0.3, 0.9))


def result():
    baselines = (score("majority class", 5),)
    return Result((EVIL, "b"), 30, 10, score(), baselines, (score(),), None, (Problem(EVIL),), (EVIL,), (EVIL,))


def curve_points(way):
    folds = ((10,) * 2, (75,) * 2, (25,) * 2)
    return CurvePoint(way, 5, (0.61, 0.63), *folds), CurvePoint("scratch", 5, (0.52, 0.53), *folds)


def comparison():
    cost = RunCost(1_234, 56, 7_890_000, False, 8.3, 9_800_000)
    runs = tuple(KnownRun(name, name, score(name), (), (), (), cost, {}) for name in (EVIL, "b"))
    pair = RunPair(EVIL, "b", ShareDifference(0.02, -0.03, 0.07, 0.6875, 100, 4, 2), 0.6875)
    return transfer.Comparison(runs, (), (pair,), (), (), (EVIL,))


def leaderboard():
    standing = Standing(1, EVIL, "run", 0.58, 0.48, 0.67, 100, True, None, None, None, EVIL)
    return transfer.Leaderboard((Board(EVIL, "ab12", "accuracy", EVIL, (standing,), EVIL),), (), (EVIL,))


def audit():
    doubted = DoubtedLabel(EVIL, "", EVIL, "b", 0.913, 0.0123, True)
    pair = NearPair((EVIL, "x"), ("a", EVIL), 0.042, True, False)
    share = {"": Measure("wrong labels", 0.1, 0.05, 0.2, 20)}
    return transfer.LabelAudit(EVIL, (doubted,), (), share, {"": 0.8}, (), (pair,), (), (EVIL,))


def diagnosis():
    relu = ActivationReport(
        **{"layer": EVIL, "activation": "relu", "units": 10, "low": 0.1, "high": 0.0, "examples": 0.0, "slope": 0.7},
        **{"input_rms": 1.0, "mean": 0.25, "std": 1.5, "kurtosis": 3.0, "effective_rank": 5.0, "dead": (3,)},
        **{"flat_units": 0, "stuck": 0, "never_silent": 0, "nonfinite": 0, "role": "hidden"},
        **{"is_first": False, "squashes": False},
    )
    flow = GradientFlow((LayerGradient(EVIL, 0.3, 1.0, 1.0), LayerGradient("d1", 0.2, 1.0, 1.0)), 0.0, 0.3, 1.6, 8)
    return transfer.Diagnosis(EVIL, 20, True, InputReport(mean=0.0, std=1.0, low=-3.0, high=3.0), (relu,), flow)


def exported():
    return transfer.Exported(Path("net.onnx"), "onnx", 2**21, {"x": "float32"}, {"": (EVIL, "b")}, 8, EVIL, 2e-6)


def ranking():
    best = RankedCut(
        EVIL, EVIL, 64, Interval(0.61, 0.5, 0.7), (0.6,), CutScores(-0.5, 1.2), Cost(10**6, 5, 20), True, True
    )
    return transfer.Ranking(EVIL, ("a", EVIL), 50, 2, 5, (best,), ((EVIL,),), EVIL, warnings=(EVIL,))


def receipt():
    pairs = (Pair("a", "a", "name", 4), Pair(EVIL, "b", "order", 4, "float16 → float32"))
    return transfer.Receipt(
        EVIL, "legacy", Plan(pairs, missing=(EVIL,), wanted_parameters=9, wanted_tensors=3), "verified"
    )


def pretrained():
    epochs = tuple(Epoch(k, 0.5, outputs={"error": {"value": 1 / k}}) for k in (1, 2, 3))
    return transfer.Pretrained(None, "masked", EVIL, 30, epochs, (EVIL,), (), None, None)


def predictions():
    answers = (Prediction(EVIL, (OutputAnswer("label", "softmax", (EVIL,), (0.917, 0.083)),)),)
    return Predictions(transfer.Labelling.of_classes((EVIL, "b")), answers, ())


def labelled():
    several = {"kind": np.array([EVIL, "b", ""]), "loud": np.array([[1], [0], [-1]]), "size": np.array([1.0, 2.0, 3.0])}
    outputs = (
        transfer.Output("kind", classes=(EVIL, "b")),
        transfer.Output("loud", "sigmoid", (EVIL,)),
        transfer.Output("size", "regression"),
    )
    return transfer.from_arrays(np.zeros((3, 2)), several, labelling=transfer.Labelling(outputs), source=EVIL)


def swept():
    trials = (
        Trial(0, {}, Interval(0.5, 0.4, 0.6), (0.4, 0.6), 1.23),
        Trial(1, {EVIL: EVIL}, Interval(0.7, 0.6, 0.8), (0.7, 0.7), 0.98),
        Trial(2, {EVIL: "b"}, reason=EVIL),
    )
    tested = {"best": score("best", 8), "as it is": score("as it is")}
    apart = ShareDifference(0.1, -0.2, 0.4, 0.75, 10, 2, 1)
    return transfer.Sweep(
        *(EVIL, EVIL, {EVIL: EVIL}, "grid", 0, trials, 75, 2, tested, apart, Path("swept")), EVIL, (EVIL,), (EVIL,)
    )


SAMPLES = {
    "BaselineComparison": lambda: transfer.BaselineComparison(
        *(EVIL, ("a", "b"), 200, None, 4, (100,) * 4, (100,) * 4),
        tuple(
            FoldedWay(name, Interval(each[0], 0.0, 1.0), each) for name, each in ((EVIL, (0.8,) * 4), ("b", (0.7,) * 4))
        ),
        EVIL,
    ),
    "Card": lambda: transfer.Card(EVIL, classes=(EVIL,), preprocessing=transfer.Preprocessing(), history=(EVIL, "cut")),
    "Comparison": comparison,
    "Diagnosis": diagnosis,
    "Drift": lambda: transfer.Drift(
        EVIL,
        EVIL,
        64,
        (LayerDrift(EVIL, 96, 400, 0.123, 0.3, 1.1),),
        InputDrift(0.0, 1.0, (0.6,), (0.3,)),
        None,
        (EVIL,),
    ),
    "Exported": exported,
    "Flops": lambda: transfer.Flops(
        "net", {"x": (8,)}, (LayerFlops(EVIL, "Dense", ((4,),), 1, 36, Work(32), 4, 200),), (EVIL,)
    ),
    "LabelAudit": audit,
    "LabelCurve": lambda: transfer.LabelCurve(EVIL, curve_points(EVIL), ("scratch",), "scratch", notes=(EVIL,)),
    "LabelledSet": labelled,
    "Labelling": lambda: transfer.Labelling.of_classes((EVIL, "b")),
    "Leaderboard": leaderboard,
    "Pretrained": pretrained,
    "Proof": lambda: transfer.Proof("shoes", curve_points(EVIL), ((EVIL, "scratch"),), notes=(EVIL,)),
    "Ranking": ranking,
    "Receipt": receipt,
    "Recipe": lambda: transfer.Recipe((transfer.Stage("probe"), transfer.Stage(unfreeze_from=EVIL, rate=3e-5)), seed=7),
    "Run": lambda: transfer.Run(result(), None, Path(EVIL)),
    "Result": result,
    "Sweep": swept,
    "Evaluation": lambda: Evaluation(score(EVIL), 3, ((EVIL, 4, 4), ("b", 3, 6))),
    "Predictions": predictions,
}


class Reading(HTMLParser):
    """Refuses what is left open, and what anything but the tables' own elements and attributes would be."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.texts = [], [], []

    def handle_starttag(self, tag, attributes):
        assert tag in {"div", "p", "table", "thead", "tbody", "tr", "th", "td"}, tag
        assert all(
            name == "style" and re.fullmatch(r"text-align:(left|right);padding:[.0-9em ]+", value)
            for name, value in attributes
        )
        self.tags.append(tag)
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def read(html):
    reading = Reading()
    reading.feed(html)
    reading.close()
    assert reading.open == []
    return reading


def shown_numbers(texts):
    return sorted(re.findall(r"\d[\d.,]*", " ".join(texts).replace("u202e", "")))


def test_every_public_result_is_shown_by_a_notebook():
    found = {name for name in transfer.__all__ if inspect.isclass(getattr(transfer, name, None))}
    assert found - ASKED <= set(SAMPLES)
    assert found >= ASKED


@pytest.mark.parametrize("name", SAMPLES)
def test_a_result_is_whole_html_in_which_names_are_text(name):
    html = SAMPLES[name]()._repr_html_()
    assert "table" in read(html).tags or name == "Labelling"
    assert "<script" not in html
    assert HOW_ESCAPED in html


@pytest.mark.parametrize("name", [name for name in SAMPLES if name not in ("Card", "LabelledSet", "Recipe", "Receipt")])
def test_a_result_shows_the_numbers_that_it_prints(name):
    found = SAMPLES[name]()
    assert shown_numbers(read(found._repr_html_()).texts) == shown_numbers([str(found).replace("\u202e", "")])


def test_a_receipt_shows_what_its_brief_print_tells():
    found = receipt()
    texts = read(found._repr_html_()).texts
    assert shown_numbers(texts) == shown_numbers([found.brief.replace("\u202e", "")])
    assert "matched" not in texts  # the tensor that went where its name says
    assert "converted" in texts


def test_a_labelled_set_counts_its_classes_and_what_is_known():
    texts = " ".join(read(labelled()._repr_html_()).texts)
    assert re.search(r"kind softmax .* 1 kind softmax b 1 loud sigmoid .* 1 size regression size 3", texts)


def test_a_recipe_shows_what_differs_from_the_default():
    texts = " ".join(read(SAMPLES["Recipe"]()._repr_html_()).texts)
    assert "custom: seed 7, validation 0.2" in texts
    assert "kind probe tune" in texts
    assert "rate 3e-05" in texts
    assert "momentum" not in texts


def test_labels_of_lines_stand_in_a_column_and_other_lines_by_themselves():
    assert as_html(["verdict   it paid", "          a little", "", "two words beside: x\ny"]) == (
        f"<div><table><tbody><tr><th {LEFT}>verdict</th><td {LEFT}>it paid</td></tr>"
        f"<tr><th {LEFT}></th><td {LEFT}>a little</td></tr></tbody></table>"
        "<p>two words beside: x</p><p>y</p></div>"
    )


def test_of_a_long_table_the_first_rows_are_shown_and_the_others_counted():
    table = (("a",), [(str(k),) for k in range(MOST_ROWS + 1234)], ("a",))
    html = as_html([table])
    assert html.count("<tr>") == 1 + MOST_ROWS
    assert html.endswith("<p>and 1,234 more rows</p></div>")
    assert format_parts([table, "end"]).count("\n") == MOST_ROWS + 1235
