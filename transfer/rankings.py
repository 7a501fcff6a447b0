"""Which of several networks to start from, and where to cut it: the values of a ranking, and how it is printed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from transfer.html_tables import as_html
from transfer.scores import Interval, Score
from transfer.specs import Json
from transfer.tabulating import Part, format_parts, format_scaled

SCHEMA = 1
COLUMNS = ("candidate", "cut at", "features", "probe", "95 % interval", "best")
SCORES = {"log_me": "LogME", "h_score": "H-score", "leep": "LEEP", "nce": "NCE"}
COSTS = ("FLOPs", "parameters", "MB", "front")
TUNED = "tuned"
NUMBERS = ("features", "probe", *SCORES.values(), *COSTS[:3], TUNED)
_NONE = "-"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a network costs up to a cut.

    Attributes:
        flops: of one example, two for each multiply-add; None where that is not known.
        parameters: numbers that it holds.
        size_bytes: that they take.
    """

    flops: int | None
    parameters: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class CutScores:
    """What can be said of features without training the network.

    Attributes:
        log_me: log evidence of the classes, in nats an example.
        h_score: spread of class means beside that of the features, shrunk.
        leep: log likelihood by way of the classes that the network was trained on, in nats; None where it has none, or
            the cut leaves them out.
        nce: by way of the most probable of these; None likewise.
    """

    log_me: float
    h_score: float
    leep: float | None = None
    nce: float | None = None


@dataclass(frozen=True, slots=True)
class RankedCut:
    """A network cut at a layer.

    Attributes:
        candidate: its name, as it was given.
        at: the layer, as `extract` takes it.
        features: how many numbers it gives an example, positions averaged.
        accuracy: of a linear head on these, each example answered by heads that have not seen it.
        folds: its accuracy on each fold, repeat by repeat.
        scores: what is found without such heads.
        cost: up to the cut.
        ties_best: whether it is not told apart from the first, or is the first.
        on_front: whether no other is as accurate, as quick and as small, and better in one of these.
        is_random: whether the weights are random: a control.
        tuned: on held-out examples, after the network was fine-tuned from this cut; None where it was not.
    """

    candidate: str
    at: str
    features: int
    accuracy: Interval
    folds: tuple[float, ...]
    scores: CutScores
    cost: Cost
    ties_best: bool
    on_front: bool
    is_random: bool = False
    tuned: Score | None = None

    @property
    def name(self) -> str:
        """Candidate and layer."""
        return f"{self.candidate} at {self.at}"


@dataclass(frozen=True, slots=True)
class FailedCandidate:
    """A network that could not be ranked.

    Attributes:
        candidate: its name, as it was given.
        reason: in a sentence.
        next_step: what to do about it; empty where there is nothing to say.
        exit_code: that the command would end with for it alone.
    """

    candidate: str
    reason: str
    next_step: str
    exit_code: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well the order by a score agrees with one that was measured.

    Attributes:
        score: its name.
        measured: what it is held against.
        tau: weighted, from -1 to 1; None where too few cuts have both.
        p_value: how often orders that have nothing to do with each other agree as well; None likewise.
        cuts: how many have both.
        trusted: whether the score may stand for what was measured.
        sentence: all that, in words.
    """

    score: str
    measured: str
    tau: float | None
    p_value: float | None
    cuts: int
    trusted: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class Ranking:
    """Networks in the order in which they are worth starting from; printed, it is a table.

    Attributes:
        source: the labelled examples.
        classes: of them.
        examples: how many.
        repeats: how often they were dealt into folds.
        fold_count: into how many.
        cuts: the best first; of equal ones the quickest.
        tiers: names of candidates, each at its best cut, between which nothing can be said for sure; each tier better
            than the next.
        order: the same in one line, `A ≈ B > C`, with pairs that are told apart within a tier.
        failures: what could not be ranked, by name.
        agreements: of each score with the probe's accuracy, and of all with that of tuned networks.
        command: takes the best network at its cut; empty where it is no file.
        finetuning: the command that fine-tunes it at once; empty where it or the examples are no file.
        notes: what else there is to know.
        warnings: what makes the numbers of some candidates doubtful.
    """

    source: str
    classes: tuple[str, ...]
    examples: int
    repeats: int
    fold_count: int
    cuts: tuple[RankedCut, ...]
    tiers: tuple[tuple[str, ...], ...]
    order: str
    failures: tuple[FailedCandidate, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    command: str = ""
    finetuning: str = ""
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def best(self) -> RankedCut:
        """The first that has no random weights; the first of all where all have."""
        return next((cut for cut in self.cuts if not cut.is_random), self.cuts[0])

    def __str__(self) -> str:
        return format_parts(self.parts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html(self.parts)

    @property
    def parts(self) -> Iterator[Part]:
        """The lines and the table in print."""
        yield (
            f"{self.source}: {self.examples} examples, {len(self.classes)} classes; a probe on each cut, "
            f"{self.repeats} x {self.fold_count} folds"
        )
        shown = {
            name: each for name, each in SCORES.items() if any(getattr(c.scores, name) is not None for c in self.cuts)
        }
        tuned = (TUNED,) if any(cut.tuned for cut in self.cuts) else ()
        rows = [_row(cut, tuple(shown), tuned=bool(tuned)) for cut in self.cuts]
        yield (*COLUMNS, *shown.values(), *COSTS, *tuned), rows, NUMBERS
        if len({cut.candidate for cut in self.cuts}) > 1:
            yield f"order     {self.order}, each at its best cut"
        for failure in self.failures:
            yield f"failed    {failure.candidate}: {failure.reason}"
            if failure.next_step:
                yield f"          next: {failure.next_step}"
        for each in self.agreements:
            if each.tau is not None:
                yield f"audit     {each.sentence}"
        for measured in dict.fromkeys(each.measured for each in self.agreements):
            open_ones = [each.score for each in self.agreements if each.measured == measured and each.tau is None]
            if open_ones:
                told = f"nothing can be said of {', '.join(open_ones)} beside {measured}"
                yield f"audit     {told}: fewer than 3 cuts have both, or all are equal"
        for note in self.notes:
            yield f"note      {note}"
        for warning in self.warnings:
            yield f"warning   {warning}"
        if self.command:
            yield f"next      {self.command}"
        if self.finetuning:
            yield f"or        {self.finetuning}"

    def to_json(self) -> Json:
        """As plain values, for `--json`."""
        return {"schema": SCHEMA, **asdict(self), "best": {"candidate": self.best.candidate, "at": self.best.at}}


def _row(cut: RankedCut, scores: tuple[str, ...], *, tuned: bool) -> tuple[str, ...]:
    cost, share = cut.cost, cut.accuracy
    found = [getattr(cut.scores, name) for name in scores]
    return (
        cut.candidate,
        cut.at,
        f"{cut.features}",
        f"{share.value:.3f}",
        f"{share.low:.3f} to {share.high:.3f}",
        "≈" if cut.ties_best else "",
        *(_NONE if each is None else f"{each:.3f}" for each in found),
        _NONE if cost.flops is None else format_scaled(cost.flops).strip(),
        f"{cost.parameters:,}",
        f"{cost.size_bytes / 1e6:.2f}",
        "yes" if cut.on_front else "",
        *([f"{cut.tuned.accuracy.value:.3f}" if cut.tuned else _NONE] if tuned else []),
    )
