"""The values that work gives back: plans and receipts, results, runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from transfer.benchmarks import Benchmark
from transfer.errors import Problem
from transfer.html_tables import as_html
from transfer.labellings import Labelling
from transfer.output_scores import MEASURED_NUMBERS, WayScores, foremost
from transfer.scores import NUMBERS, Interval, Score, score_columns
from transfer.specs import Json
from transfer.tabulating import Part, Table, format_parts, spaced

_OF_SEVERAL = ("labelling", "outputs", "decisions")
SCORED = score_columns("on the test examples")
ALL_RIGHT = (SCORED[0], "all right", *SCORED[2:])


@dataclass(frozen=True, slots=True)
class Pair:
    """A tensor of a file and its place in a model.

    Attributes:
        stored: its name in the file.
        wanted: its name in the model.
        how: what decided: equal names, the writer's order within one kind of layer, its being the only one of its
            shape, or a rule of the caller.
        parameters: number of elements.
        converted: what is done to the values on the way, `float16 → float32`; empty where nothing is.
        scale: name in the file of what a quantized tensor is divided by; empty for others.
    """

    stored: str
    wanted: str
    how: Literal["name", "order", "shape", "rule"]
    parameters: int
    converted: str = ""
    scale: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What `restore` will do, worked out before anything is written.

    Attributes:
        pairs: in the model's order.
        missing: names the model wants and the file lacks.
        unexpected: names the file holds that go nowhere, those of ambiguous layers among them.
        misshapen: pairs whose shapes or kinds differ. Never restored.
        surplus: unexpected tensors of a layer that the model has without them: a bias, say. Never dropped.
        ambiguous: layers for which the evidence disagrees, or for which there is none.
        skipped: names of the model left out by request.
        wanted_parameters: parameters of the model, skipped ones left out.
        wanted_tensors: tensors of the model, skipped ones left out.
    """

    pairs: tuple[Pair, ...]
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    misshapen: tuple[Problem, ...] = ()
    surplus: tuple[Problem, ...] = ()
    ambiguous: tuple[Problem, ...] = ()
    skipped: tuple[str, ...] = ()
    wanted_parameters: int = 0
    wanted_tensors: int = 0

    @property
    def coverage(self) -> float:
        """Share of the wanted parameters that the file fills, in [0, 1]."""
        return sum(pair.parameters for pair in self.pairs) / self.wanted_parameters if self.wanted_parameters else 0.0


@dataclass(frozen=True, slots=True)
class Receipt:
    """A plan as it was carried out, to print.

    Attributes:
        source: the file.
        dialect: the layout in which it was written.
        plan: every tensor on both sides.
        fingerprint: how the recorded outputs compared: `verified`, or why nothing was checked.
        notes: what a reader should know: values that are no numbers, defaults of another era.
    """

    source: str
    dialect: str
    plan: Plan
    fingerprint: str
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self._printed(self.plan.pairs)

    @property
    def brief(self) -> str:
        """The receipt without the tensors that went where their names say, just as they were."""
        return self._printed(self._telling)

    def _repr_html_(self) -> str:
        table = (("", "tensor"), [*self._rows(self._telling)], ())
        return as_html([f"{self.source} ({self.dialect})", *([table] if table[1] else []), self.summary])

    @property
    def _telling(self) -> list[Pair]:
        return [pair for pair in self.plan.pairs if pair.how != "name" or pair.converted]

    def _printed(self, pairs: Iterable[Pair]) -> str:
        rows = (f"  {what:10}  {told}" for what, told in self._rows(pairs))
        return "\n".join([f"{self.source} ({self.dialect})", *rows, f"  {self.summary}"])

    def _rows(self, pairs: Iterable[Pair]) -> Iterator[tuple[str, str]]:
        """What became of each tensor, and its name."""
        plan = self.plan
        for pair in pairs:
            notes = [note for note in (f"by {pair.how}" if pair.how != "name" else "", pair.converted) if note]
            arrow = "" if pair.stored == pair.wanted else f" → {pair.wanted}"
            told = f"{pair.stored}{arrow}" + (f"  ({', '.join(notes)})" if notes else "")
            yield ("converted" if pair.converted else "matched"), told
        named = (("skipped", plan.skipped), ("missing", plan.missing), ("unexpected", plan.unexpected))
        yield from ((what, name) for what, names in named for name in names)
        for what, problems in (("misshapen", plan.misshapen), ("surplus", plan.surplus), ("ambiguous", plan.ambiguous)):
            yield from ((what, f"{each.where}: expected {each.expected}, found {each.found}") for each in problems)
        yield from (("note", note) for note in self.notes)

    @property
    def summary(self) -> str:
        """The receipt in one line."""
        plan = self.plan
        counts = [f"{len(plan.pairs)} of {plan.wanted_tensors} tensors matched"]
        converted = sum(bool(pair.converted) for pair in plan.pairs)
        counts += [f"{converted} of them converted"] if converted else []
        kinds = (("skipped", plan.skipped), ("missing", plan.missing), ("unexpected", plan.unexpected))
        counts += [f"{len(names)} {kind}" for kind, names in kinds if names]
        filled = sum(pair.parameters for pair in plan.pairs)
        share = f"{filled:,} of {plan.wanted_parameters:,} parameters ({100 * plan.coverage:.4g} %)"
        return f"{', '.join(counts)}; {share}; outputs {self.fingerprint}"

    def to_json(self) -> Json:
        """As plain values, for `--json` and `run.json`."""
        return {**asdict(self), "coverage": self.plan.coverage}

    @classmethod
    def from_json(cls, values: Json) -> Receipt:
        """The inverse of `to_json`."""
        plan: dict[str, Any] = dict(values["plan"])
        plan["pairs"] = tuple(Pair(**each) for each in plan["pairs"])
        for name in ("misshapen", "surplus", "ambiguous"):
            plan[name] = tuple(Problem(**each) for each in plan[name])
        for name in ("missing", "unexpected", "skipped"):
            plan[name] = tuple(plan[name])
        told = {name: values[name] for name in ("source", "dialect", "fingerprint")}
        return cls(**told, plan=Plan(**plan), notes=tuple(values["notes"]))


@dataclass(frozen=True, slots=True)
class Result:
    """What a run found out, as `result.json` holds it; printed, it is a table of scores.

    Attributes:
        classes: names, in the order of the network's outputs; empty where it has several, or none of one class of
            several.
        train_examples: number of labelled examples that were learnt from.
        test_examples: number of labelled examples held out.
        score: of the model that was kept, on the held-out examples; of several outputs how often everything is right
            that is known of an example, and None where only numbers are.
        baselines: the simple things that it must beat, on the same examples.
        stages: the score after each stage of the recipe.
        probe: what the probe's cross-validation chose and saw.
        left_out: files that were not used, and why.
        notes: what was done on the way that a reader should know.
        warnings: what looks wrong and is worth a look before the result is trusted, with what to do.
        labelling: what the outputs are; None where `classes` say it.
        outputs: the measures of each output, as `scores` are ordered; empty where `classes` say it.
        decisions: how the logits of these become answers: their calibration and the thresholds of labels.
        benchmark: how far the model stands from the strong result that was named; None where none was.
    """

    classes: tuple[str, ...]
    train_examples: int
    test_examples: int
    score: Score | None
    baselines: tuple[Score, ...]
    stages: tuple[Score, ...]
    probe: Json
    left_out: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    labelling: Labelling | None = None
    outputs: tuple[WayScores, ...] = ()
    decisions: Json = None
    benchmark: Benchmark | None = None

    def __str__(self) -> str:
        return format_parts(self.parts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html(self.parts)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The lines and tables in print."""
        return (*self.opening, *self._scored)

    @property
    def opening(self) -> tuple[str, ...]:
        """What stands above the scores in print: what was done, and on what."""
        counts = f"{self.train_examples} examples to learn from, {self.test_examples} to test on"
        notes = (f"          {note}" for note in self.notes)
        several = 0 if self.labelling is None else len(self.labelling)
        what = f"{several} output{'s' if several > 1 else ''}" if several else f"{len(self.classes)} classes"
        return (*notes, f"data      {what}, {counts}")

    @property
    def scores(self) -> tuple[Score, ...]:
        """All, as they stand in print: the last stage first, the baselines at the end."""
        return (*reversed(self.stages), *self.baselines)

    @property
    def tables(self) -> tuple[Table, ...]:
        """Columns, rows and the columns of numbers of each table in print; of one output one."""
        if self.labelling is None:
            return ((SCORED, [each.cells for each in self.scores], NUMBERS),)
        exact = (ALL_RIGHT, [each.cells for each in self.scores], NUMBERS)
        columns, rows = foremost(self.outputs, SCORED[0])
        return ((columns, rows, MEASURED_NUMBERS), *((exact,) if self.scores else ()))

    @property
    def _scored(self) -> tuple[Part, ...]:
        """From the tables on."""
        return (*spaced(self.tables), *self.standing, *self._doubts)

    @property
    def standing(self) -> tuple[str, ...]:
        """What stands below the scores in print: how far from its benchmark the model is."""
        return self.benchmark.lines if self.benchmark else ()

    @property
    def _doubts(self) -> tuple[str, ...]:
        left_out = (f"left out  {len(self.left_out)}, named in .left_out",) if self.left_out else ()
        return (*left_out, *(f"warning   {each}" for each in self.warnings))

    def to_json(self) -> Json:
        """As plain values; of one output nothing is said of several."""
        values = asdict(self)
        if self.benchmark is None:
            del values["benchmark"]
        if self.labelling is None:
            return {name: each for name, each in values.items() if name not in _OF_SEVERAL}
        return {**values, "labelling": self.labelling.to_json()}

    @classmethod
    def from_json(cls, values: Json) -> Result:
        """The inverse of `to_json`; results written before there were warnings, or several outputs, have none."""

        def score(each: Json) -> Score:
            return Score(**{**each, "accuracy": Interval(**each["accuracy"])})

        return cls(
            **{
                **values,
                "classes": tuple(values["classes"]),
                "score": score(values["score"]) if values["score"] else None,
                "baselines": tuple(map(score, values["baselines"])),
                "stages": tuple(map(score, values["stages"])),
                "left_out": tuple(Problem(**each) for each in values["left_out"]),
                "notes": tuple(values["notes"]),
                "warnings": tuple(values.get("warnings", ())),
                "labelling": Labelling.from_json(values["labelling"]) if values.get("labelling") else None,
                "outputs": tuple(map(WayScores.from_json, values.get("outputs", ()))),
                "benchmark": Benchmark.from_json(values["benchmark"]) if values.get("benchmark") else None,
            }
        )


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run; printed, it is what the command prints.

    Attributes:
        result: what it found out.
        model: the Keras model, raw input in and probabilities out.
        folder: where it lies; None where no folder was asked for.
        receipt: how the weights came into the network; None where the caller restored them.
        asked: what was asked of it, as `run.json` holds it: recipe, seed, split, input, versions, digests.
        reused: whether the same run stood there already and nothing was computed.
        resumed: the step of training from which it went on where it had been cut off; empty where it was not. Neither
            this nor `reused` stands in a file: a run that was cut off ends with the same bits.
        history: what `history.jsonl` holds: a line for each stage and epoch.
        report: the page that tells of it; None where there is none.
        troubles: what went wrong once the run was there, in sentences: it is whole without it.
    """

    result: Result
    model: Any = field(repr=False, compare=False)
    folder: Path | None = None
    receipt: Json = field(default=None, repr=False)
    asked: Json = field(default=None, repr=False)
    reused: bool = False
    resumed: str = field(default="", compare=False)
    history: tuple[Json, ...] = field(default=(), repr=False, compare=False)
    report: Path | None = field(default=None, compare=False)
    troubles: tuple[str, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        return format_parts(self.parts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html(self.parts)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The lines and tables in print."""
        return (*self.opening, *self.result._scored, *self.closing)

    @property
    def opening(self) -> tuple[str, ...]:
        """What stands above the scores in print."""
        reused = (f"{self.folder} holds this very run already; nothing was computed.",) if self.reused else ()
        resumed = (f"resumed   from {self.resumed}, where the run was cut off",) if self.resumed else ()
        anew = "; training starts anew from random weights: none of these is used" if _is_fresh(self.asked) else ""
        restored = (f"restored  {_summary(self.receipt)}{anew}",) if self.receipt else ()
        return (*reused, *resumed, *restored, *self.result.opening)

    @property
    def closing(self) -> tuple[str, ...]:
        """What stands below them: where the run lies."""
        if self.folder is None:
            return ()
        page = (f"report    {self.report}, for a browser",) if self.report else ()
        return (f"run       {self.folder}/model.keras (raw input in, probabilities out), result.json, run.json", *page)


def _is_fresh(asked: Json) -> bool:
    """Whether a recipe, as `run.json` holds it, starts from random weights."""
    stages = ((asked or {}).get("recipe") or {}).get("stages") or [{}]
    return bool(stages[0].get("fresh"))


def _summary(receipt: Json) -> str:
    """A receipt, as `run.json` holds it, in a line."""
    plan = receipt["plan"]
    rest = "".join(f", {len(plan[kind])} {kind}" for kind in ("skipped", "missing", "unexpected") if plan[kind])
    counts = f"{len(plan['pairs'])} tensors matched{rest}, {plan['wanted_parameters']:,} parameters"
    return f"{receipt['source']} ({receipt['dialect']}): {counts}; outputs {receipt['fingerprint']}"
