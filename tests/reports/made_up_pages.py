"""Pages made up by hand, realistic and hostile, without a run."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from transfer.analysis.drift import Drift, LayerDrift
from transfer.analysis.findings import Finding
from transfer.analysis.input_ranges import InputDrift
from transfer.errors import Problem
from transfer.evidence.intervals import wilson
from transfer.evidence.known_runs import KnownRun, RunCost
from transfer.evidence.leaderboards import Board, Leaderboard, Margin, Standing
from transfer.evidence.run_comparisons import Comparison, Setting
from transfer.evidence.run_pairs import RunPair
from transfer.evidence.share_differences import ShareDifference
from transfer.labellings import Labelling, Output
from transfer.output_scores import ClassScore, Measure, OutputScore, WayScores
from transfer.reports.contents import (
    Bin,
    Contents,
    LayerRow,
    OutputContents,
    Page,
    Picture,
    Suspect,
    WrongAnswer,
)
from transfer.results import Result
from transfer.scores import Score

CLIPART = Path(__file__).parents[2] / "examples" / "data" / "clipart"
CLASSES = ("animals", "food", "people", "recreation", "transportation")
HOSTILE = (
    "<script>window.hit = 1</script>",
    "a\"b'c</style><img src=x onerror='window.hit=2'>",
    "line\nbreak\u202eright to left\u200f",
    "x" * 400,
    "</td></table>{{ 7 * 7 }}&amp;",
)


def score(name, correct, examples=100):
    return Score(name, correct, examples, wilson(correct, examples))


def result(classes=CLASSES, **changes):
    values = {
        "classes": tuple(classes),
        "train_examples": 200,
        "test_examples": 100,
        "score": score("tuned", 58),
        "baselines": (
            score("majority class", 20),
            score("stratified guess", 16),
            score("logistic regression on raw input", 26),
        ),
        "stages": (score("probe", 56), score("tuned", 58)),
        "probe": {"penalty": 0.003},
        "left_out": (Problem("animals/broken.png", "a picture", "truncated"),),
        "notes": ("nothing dropped; backbone ends at 'global_average_pool'", "images are fitted to 160 x 160"),
        "warnings": ("only 40 examples of each class: intervals are wide",),
    }
    return Result(**{**values, **changes})


def mobile_layers(blocks=17):
    """About 150 layers, as MobileNetV2 has them: a stem, blocks with a way round them, a head."""
    rows = [LayerRow("input_1", "InputLayer", "160 x 160 x 3", 0, 0, "input")]

    def add(name, kind, shape, parameters=0, macs=0, below=None, part="frozen"):
        rows.append(
            LayerRow(
                name,
                kind,
                shape,
                parameters,
                macs,
                part,
                tuple(below or (rows[-1].name,)),
                saturated=len(rows) % 7 / 20,
            )
        )

    add("Conv1", "Conv2D", "80 x 80 x 32", 864, 5_529_600)
    add("bn_Conv1", "BatchNormalization", "80 x 80 x 32", 128)
    add("Conv1_relu", "ReLU", "80 x 80 x 32")
    for block in range(blocks):
        part = "trained" if block >= blocks - 2 else "frozen"
        start, name = rows[-1].name, f"block_{block}"
        for kind in ("expand", "depthwise", "project"):
            cls = "DepthwiseConv2D" if kind == "depthwise" else "Conv2D"
            add(f"{name}_{kind}", cls, "20 x 20 x 96", 5000 + 900 * block, 2_000_000 + 100_000 * block, part=part)
            add(f"{name}_{kind}_BN", "BatchNormalization", "20 x 20 x 96", 384, part=part)
            if kind != "project":
                add(f"{name}_{kind}_relu", "ReLU", "20 x 20 x 96", part=part)
        if block % 2:
            add(f"{name}_add", "Add", "20 x 20 x 96", below=(rows[-1].name, start), part=part)
    add("global_average_pool", "GlobalAveragePooling2D", "1280", part="trained")
    add("label", "Dense", "5", 6405, 6400, part="new")
    add("label_probabilities", "Softmax", "5", part="new")
    return tuple(rows)


def receipt(layers):
    pairs = [
        {
            "stored": f"{row.name}/{what}",
            "wanted": f"{row.name}/{what}",
            "how": "name",
            "parameters": row.parameters // 2,
            "converted": "float16 → float32",
            "scale": "",
        }
        for row in layers
        if row.parameters
        for what in ("kernel", "bias")
    ]
    pairs[3] |= {"how": "order", "stored": "conv2d_4/kernel", "converted": ""}
    plan = {
        "pairs": pairs,
        "missing": ["top/kernel"],
        "unexpected": ["predictions/kernel", "predictions/bias"],
        "misshapen": [{"where": "block_1/kernel", "expected": "(3, 3)", "found": "(5, 5)"}],
        "surplus": [],
        "ambiguous": [],
        "skipped": [],
        "wanted_parameters": 2_257_984,
        "wanted_tensors": 260,
    }
    notes = ["values that are no numbers: none"]
    return {
        "source": "mobilenet.weights.h5",
        "dialect": "Keras 3 .weights.h5",
        "plan": plan,
        "fingerprint": "verified",
        "notes": notes,
        "coverage": 1.0,
    }


def history():
    lines = [{"stage": "probe", "penalty": 0.00316, "cross_validated_accuracy": 0.535}]
    for stage, epochs in (("trial", 10), ("tune", 8)):
        for number in range(1, epochs + 1):
            held = 1.23 + 0.02 * number if stage == "trial" else None
            right = 0.5 + 0.01 * (number % 3) if stage == "trial" else None
            lines.append(
                {
                    "stage": stage,
                    "number": number,
                    "loss": 0.47 / number,
                    "rate": 1e-4,
                    "updates": {},
                    "validation_loss": held,
                    "validation_accuracy": right,
                }
            )
        lines += (
            [{"stage": "choice", "alpha": 0.4, "kept": 1.197, "before": 1.205, "after": 1.202, "examples": 40}]
            if stage == "trial"
            else []
        )
    return tuple(lines)


def pictures(count=12):
    """Of the clip-art collection, with a made-up attention."""
    found = []
    for path in sorted(CLIPART.glob("*/*"))[:: max(1, len(list(CLIPART.glob("*/*"))) // count)][:count]:
        image = Image.open(path).convert("RGBA")
        paper = Image.new("RGBA", image.size, "white")
        paper.alpha_composite(image)
        paper.thumbnail((160, 160))
        jpeg, png = io.BytesIO(), io.BytesIO()
        paper.convert("RGB").save(jpeg, "JPEG", quality=80)
        width, height = paper.size
        y, x = np.mgrid[:height, :width]
        seen = np.exp(-(((x - width / 2) / width * 4) ** 2 + ((y - height / 3) / height * 4) ** 2))
        layer = np.zeros((height, width, 4), np.uint8)
        layer[..., 0], layer[..., 1], layer[..., 3] = (
            255,
            (200 * (1 - seen)).astype(np.uint8),
            (seen * 220).astype(np.uint8),
        )
        Image.fromarray(layer).save(png, "PNG")
        found.append(Picture(f"{path.parent.name}/{path.name}", jpeg.getvalue(), png.getvalue()))
    return found


def output(classes=CLASSES, name=""):
    k = len(classes)
    confusion = tuple(
        tuple(14 - place if place == other else (place + 2 * other) % 4 for other in range(k)) for place in range(k)
    )
    per_class = tuple(
        ClassScore(
            each,
            sum(confusion[place]),
            100,
            (
                Measure("recall", 0.7 - 0.1 * place % 0.6, 0.3, 0.8, 20),
                Measure("precision", 0.625, 0.4, 0.81, 16),
                Measure("F1", 0.61, None, None, 22),
            ),
        )
        for place, each in enumerate(classes)
    )
    bins = (Bin(0.35, 0.3, 12), Bin(0.55, 0.42, 30), Bin(0.75, 0.6, 25), Bin(0.95, 0.82, 33))
    return OutputContents(name, "softmax", tuple(classes), (40,) * k, confusion, per_class, (), bins, 0.123)


def labels_output(name="tags"):
    measure = (Measure("average precision", 0.5, 0.2, 0.8, 30),)
    scores = tuple(ClassScore(each, 5, 30, measure) for each in ("loud", "old"))
    return OutputContents(name, "sigmoid", ("loud", "old"), (12, 9), (), scores, (0.35, 0.6), (Bin(0.5, 0.5, 9),), 0.02)


def drift():
    layers = tuple(
        LayerDrift(f"block_{k}_BN", 96, 400, float("inf") if k == 16 else 0.05 + 0.04 * k, 0.3, 1.1) for k in range(17)
    )
    return Drift("mobilenet_v2", "examples/data/clipart", 64, layers, InputDrift(0.0, 1.0, (0.6,), (0.3,)))


def board(name="clipart"):
    standings = (
        Standing(
            1,
            name,
            "run",
            0.58,
            0.48,
            0.67,
            100,
            True,
            Margin("logistic regression", 0.32, 0.2, 0.4, 100),
            None,
            RunCost(2_264_389, 730_000, 300_000_000),
            f"runs/{name}",
        ),
        Standing(None, "their network", "published", 0.61, None, None, None, True, None, None, None, "a paper"),
        Standing(2, "probe only", "run", 0.5, 0.4, 0.6, 100, False, None, None, None, "runs/probe"),
    )
    return Leaderboard(
        (Board("clipart", "ab12", "accuracy", "5 classes, 100 examples", standings, f"{name} > probe only"),)
    )


def contents(name="clipart", classes=CLASSES, **changes):
    """A run about which everything is known."""
    layers, shots = mobile_layers(), pictures()
    wrong = tuple(
        WrongAnswer("", shot.name, classes[k % len(classes)], classes[(k + 1) % len(classes)], 0.99 - 0.03 * k, shot)
        for k, shot in enumerate(shots)
    )
    suspects = tuple(
        Suspect(shot.name, "", classes[k % len(classes)], classes[(k + 2) % len(classes)], 0.002 + 0.01 * k, shot)
        for k, shot in enumerate(shots[:4])
    )
    finding = Finding(
        "saturated",
        ("block_3_expand", "block_4_expand"),
        "weights are too large",
        "61 % of units at an end",
        "draw the weights anew",
        "fault",
        "redraw",
    )
    asked = {
        "recipe": {
            "name": "lp-ft",
            "seed": 0,
            "validation": 0.2,
            "stages": [{"kind": "probe"}, {"kind": "tune", "epochs": 10, "optimizer": "adam", "rate": 1e-4}],
        },
        "data": {"source": "examples/data/clipart", "digest": "f2" * 32, "examples": 300, "classes": list(classes)},
        "network": {"name": "mobilenet_v2", "graph": "33" * 32, "tensors": "3e" * 32},
        "digest": "e0" * 32,
        "versions": {"keras": "3.15.1", "python": "3.11.7", "tensorflow": "2.21.0", "transfer": "0.1.0"},
        "split": {"train": ["hidden/train.png"], "test": ["hidden/test.png"]},
    }
    values = {
        "name": name,
        "result": result(classes),
        "verdict": "Right on 58 of 100 test examples (0.482 to 0.672). That is told apart from the "
        "best of the simple ways, logistic regression on raw input (0.260). It took 8.3 seconds.",
        "asked": asked,
        "receipt": receipt(layers),
        "history": history(),
        "seconds": {"features": 2.7, "probe": 0.4, "tuning": 4.8},
        "command": "transfer finetune mobilenet_v2_imagenet examples/data/clipart --shots 40 -o runs/clipart",
        "outputs": (output(classes),),
        "layers": layers,
        "wrong": wrong,
        "suspects": suspects,
        "findings": (finding,),
        "drift": drift(),
        "leaderboard": board(name),
    }
    return Contents(**{**values, **changes})


def bare(name="bare", **changes):
    """A run of which nothing but its result is left."""
    return Contents(name, result(), "Right on 58 of 100.", **changes)


def comparison(names=("clipart", "probe")):
    one, other = names
    known = [
        KnownRun(
            name,
            f"runs/{name}",
            score("tuned", right),
            (),
            (),
            (),
            RunCost(2_264_389, 6405, 600_000_000, False, 8.3, 9_800_000),
            {},
        )
        for name, right in ((one, 58), (other, 56))
    ]
    pair = RunPair(one, other, ShareDifference(0.02, -0.03, 0.07, 0.6875, 100, 4, 2), 0.6875)
    return Comparison(tuple(known), (), (pair,), (), (Setting("recipe", {one: "lp-ft", other: "probe"}),), ())


def page(**changes):
    return Page((contents(**changes),), title="Clip art")


def page_of_two():
    return Page((contents(), contents("probe", outputs=(output(), labels_output()))), comparison())


def hostile_page():
    """Every text that comes from outside is one that would like to be markup."""
    script, quotes, turned, long, table = HOSTILE
    layers = tuple(
        LayerRow(f"{HOSTILE[k % 5]}{k}", script, quotes, 10, 10, "frozen", (f"{HOSTILE[(k - 1) % 5]}{k - 1}",))
        for k in range(40)
    )
    shot = pictures(1)[0]
    wrong = tuple(
        WrongAnswer(script, each, quotes, turned, 0.9, Picture(each, shot.jpeg, shot.attention)) for each in HOSTILE
    )
    held = result(
        HOSTILE,
        score=score(script, 58),
        stages=(score(script, 58),),
        baselines=(score(table, 9),),
        left_out=(Problem(script, quotes, long),),
        notes=HOSTILE,
        warnings=HOSTILE,
    )
    asked = {
        "recipe": {"name": script, "stages": [{"kind": quotes, turned: long}]},
        "data": {"source": script, "digest": table},
        "versions": {script: quotes},
        script: HOSTILE[1],
    }
    plan = {
        "pairs": [
            {
                "stored": f"{each}/k",
                "wanted": f"{each}/k",
                "how": "name",
                "parameters": 1,
                "converted": each,
                "scale": "",
            }
            for each in HOSTILE
        ],
        "missing": list(HOSTILE),
        "unexpected": list(HOSTILE),
        "misshapen": [{"where": script, "expected": quotes, "found": turned}],
    }
    run = Contents(
        *(script, held, f"{script} {quotes} {turned} {long}", asked),
        receipt={
            "source": script,
            "dialect": quotes,
            "plan": plan,
            "fingerprint": table,
            "notes": list(HOSTILE),
            "coverage": 1.0,
        },
        history=({"stage": script, "number": 1, "loss": 0.5, "updates": {}}, {"stage": quotes, "value": 1.0}),
        seconds={script: 1.0},
        command=f"transfer finetune '{script}' {quotes} {long}",
        outputs=(output(HOSTILE, script), labels_output(quotes)),
        layers=layers,
        wrong=wrong,
        suspects=tuple(Suspect(each, script, quotes, turned, 0.01) for each in HOSTILE),
        findings=(Finding("saturated", HOSTILE, script, quotes, table),),
        drift=Drift(
            script,
            quotes,
            3,
            (LayerDrift(script, 1, 1, 0.7, 1.0, 1.0),),
            InputDrift(0.0, 1.0, (0.5,), (0.1,)),
            notes=HOSTILE,
        ),
        leaderboard=board(script),
    )
    return Page((run,), title=quotes)


def page_of_outputs():
    """A run that says a number and labels of each example."""
    price = OutputScore("price", "regression", 90, (Measure("mean absolute error", 1.25, 1.0, 1.5, 90),))
    simple = OutputScore("price", "regression", 90, (Measure("mean absolute error", 3.5, 3.0, 4.0, 90),))
    worse = OutputScore("price", "regression", 90, (Measure("mean absolute error", 9.5, 9.0, 10.0, 90),))
    tags = OutputScore("tags", "sigmoid", 80, (Measure("macro F1", 0.6, 0.5, 0.7, 80),))
    ways = (
        WayScores("probe", (price, tags)),
        WayScores("mean", (simple, replace(tags, measures=(Measure("macro F1", 0.1, None, None, 80),)))),
        WayScores("zero", (worse, replace(tags, measures=()))),
    )
    labelling = Labelling((Output("price", "regression"), Output("tags", "sigmoid", ("loud", "old"))))
    held = result((), score=None, stages=(), baselines=(), labelling=labelling, outputs=ways)
    run = contents(result=held, outputs=(labels_output(),))
    return Page((run,))
