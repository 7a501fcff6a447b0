"""What a page shows, gathered before any of it is drawn: values alone, no markup.

Whatever could not be had, because a file it is made from is gone, is empty or None, and `Contents.absent` says why.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from transfer.analysis.drift import Drift
from transfer.analysis.findings import Finding
from transfer.evidence.leaderboards import Leaderboard
from transfer.evidence.run_comparisons import Comparison
from transfer.output_scores import ClassScore
from transfer.results import Result
from transfer.specs import Json

SECTIONS = (
    *("verdict", "scores", "restored", "network", "data", "learning", "confusion", "classes", "calibration", "wrong"),
    *("suspects", "flops", "saturation", "drift", "leaderboard", "reproduce"),
)  # of a run, as they stand on its page: names for `Contents.absent`


@dataclass(frozen=True, slots=True)
class Picture:
    """An image, small enough for a page.

    Attributes:
        name: of the example, as its set names it. Text from outside.
        jpeg: its bytes, at most 160 pixels a side.
        attention: PNG of the same size and aspect, transparent where the network did not look; None where the network
            has no convolution to ask. Grad-CAM of the class that was answered.
    """

    name: str
    jpeg: bytes = field(repr=False)
    attention: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class WrongAnswer:
    """A test example that was answered wrongly and surely.

    Attributes:
        output: name of the output; empty where there is one without a name.
        example: its name.
        wanted: its class or label.
        answered: what the network says.
        confidence: the probability of that answer, in [0, 1].
        picture: None of examples that are no images.
    """

    output: str
    example: str
    wanted: str
    answered: str
    confidence: float
    picture: Picture | None = None


@dataclass(frozen=True, slots=True)
class Suspect:
    """A label that is likely wrong.

    Attributes:
        example: its name.
        output: as of a `WrongAnswer`.
        given: the label it has.
        likely: the one that fits better.
        probability: of `given`, by a model that did not learn from the example, in [0, 1].
        picture: None of examples that are no images.
    """

    example: str
    output: str
    given: str
    likely: str
    probability: float
    picture: Picture | None = None


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers whose probability lies in one part of [0, 1].

    Attributes:
        confidence: their mean probability.
        right: the share of them that is right.
        examples: how many they are.
    """

    confidence: float
    right: float
    examples: int


@dataclass(frozen=True, slots=True)
class OutputContents:
    """What the test examples say of one output.

    Attributes:
        name: empty where there is one without a name.
        kind: `softmax`, `sigmoid` or `regression`.
        classes: or labels, or names of numbers, in the order of the network's outputs.
        learnt: (k,) examples of each to learn from; empty of numbers.
        confusion: (k, k) test examples by their class (row) and by the one that was answered; empty where the output is
            no softmax.
        per_class: measures of each on the test examples.
        thresholds: (k,) from which on a label is answered; empty where none were chosen.
        calibration: parts of [0, 1] in order, those without an answer left out.
        calibration_error: expected, over these parts; None where nothing is known.
        parent: name of the output under whose classes these stand: calibration and thresholds are within that class,
            and what its answer denies stands in no confusion. Empty for none.
    """

    name: str
    kind: str
    classes: tuple[str, ...]
    learnt: tuple[int, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    per_class: tuple[ClassScore, ...] = ()
    thresholds: tuple[float, ...] = ()
    calibration: tuple[Bin, ...] = ()
    calibration_error: float | None = None
    parent: str = ""


@dataclass(frozen=True, slots=True)
class LayerRow:
    """A layer of the network that was kept, in the order of its graph.

    Attributes:
        name: text from outside.
        kind: its class.
        shape: of its output for one example, as text: `7 x 7 x 320`.
        parameters: of its own.
        macs: multiply-adds for one example.
        part: `frozen`, `trained`, `new` (a head, or learnt from random weights), or `input` (preprocessing and other
            layers without weights before the first that has any).
        below: names of the layers it takes its input from.
        saturated: share of its units that are saturated or dead on the examples, in [0, 1]; None where not looked.
    """

    name: str
    kind: str
    shape: str
    parameters: int
    macs: int
    part: str
    below: tuple[str, ...] = ()
    saturated: float | None = None


@dataclass(frozen=True, slots=True)
class Contents:
    """One run, as a page tells of it.

    Attributes:
        name: of the run: its folder's.
        result: what it found out: scores, notes, warnings, what was left out.
        verdict: accuracy with its interval, against which baselines, at what cost, in one or two sentences.
        asked: `run.json`: recipe, seed, versions, digests.
        receipt: how the weights came into the network; None where the caller restored them.
        history: lines of `history.jsonl`: one for each stage and epoch.
        seconds: by what they were spent on; empty where the run did not keep them.
        command: what to type to get the same run again; empty where it was started from Python.
        outputs: what the test examples say of each output.
        layers: the network.
        wrong: the most confidently wrong, the surest first.
        suspects: labels that are likely wrong, the least likely first.
        findings: saturation and other faults.
        drift: of the input from what the network was trained on; None where not looked.
        leaderboard: of the task, where other runs lie beside this one.
        absent: by the name of a section (`SECTIONS`), why it could not be made, in a sentence for readers.
    """

    name: str
    result: Result
    verdict: str
    asked: Json = None
    receipt: Json = None
    history: tuple[Json, ...] = ()
    seconds: Json = None
    command: str = ""
    outputs: tuple[OutputContents, ...] = ()
    layers: tuple[LayerRow, ...] = ()
    wrong: tuple[WrongAnswer, ...] = ()
    suspects: tuple[Suspect, ...] = ()
    findings: tuple[Finding, ...] = ()
    drift: Drift | None = None
    leaderboard: Leaderboard | None = None
    absent: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """What stands on one page.

    Attributes:
        runs: one, or several that are compared.
        comparison: of several; None of one, or where they were tested on other examples.
        title: of the page.
    """

    runs: tuple[Contents, ...]
    comparison: Comparison | None = None
    title: str = ""
