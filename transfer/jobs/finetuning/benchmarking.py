"""A strong result that a run is held against: another finished run, or a probe on a checkpoint."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import keras

from transfer.benchmarks import Benchmark
from transfer.data.labelled import LabelledSet
from transfer.errors import DataError, Problem, TransferError
from transfer.evidence.benchmark_margins import hold_against
from transfer.evidence.known_runs import KnownRun, NoRun, RunCost
from transfer.graphs.unparsing import unparse_graph
from transfer.jobs.examples.dividing import divide
from transfer.jobs.examples.feeding import Feed, as_learnt, make_feed
from transfer.jobs.runs.kept_answers import answers_from_json
from transfer.jobs.runs.known_runs import read_runs
from transfer.jobs.runs.learnt_before import LearntBefore, learnt_by
from transfer.jobs.runs.missing_benchmarks import runs_like
from transfer.jobs.runs.run_folders import ASKED
from transfer.jobs.students.checking_heads import check_heads
from transfer.jobs.students.preparing import Student, prepare_student
from transfer.jobs.students.scoring_answers import Scored
from transfer.models.building import classes_of
from transfer.models.restoring import Restored, restore_file
from transfer.output_scores import WayScores
from transfer.recipes import Recipe, Stage
from transfer.scores import Score
from transfer.specs import Json, Preprocessing, Restoring
from transfer.surgery.network import Network
from transfer.training.learner import Learner
from transfer.weights.checkpoint import Checkpoint
from transfer.weights.digests import digest_json, digest_manifest
from transfer.weights.tensor_digests import digest_tensor

Source: TypeAlias = "keras.Model | Student | Restored | Checkpoint | str | os.PathLike[str]"

_TAKEN = "folder of a finished run, a checkpoint, or a network that ends in heads for these outputs"


@dataclass(frozen=True, slots=True, eq=False)
class Probed:
    """A network on whose features a head is solved, on the same examples as the run learns from.

    Attributes:
        network: as examples go into it, with a head for each output.
        heads: names of these.
        custom_objects: classes of the caller's that it holds, by name.
        feed: how examples go in: by its own preprocessing, at its own size.
        before: what it has learnt from already.
    """

    network: Network = field(repr=False)
    heads: tuple[str, ...]
    custom_objects: dict[str, type]
    feed: Feed
    before: LearntBefore

    def learner(self, like: Learner) -> Learner:
        """What solves the head.

        Args:
            like: the run's, whose seed and store of features it shares.
        """
        recipe = Recipe((Stage("probe"),), seed=like.recipe.seed)
        return Learner(self.network, recipe, self.heads, self.custom_objects, store=like.store, progress=like.progress)


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """What a run is held against.

    Attributes:
        name: `probe on FILE`, or `run FOLDER`.
        asked: as `run.json` has it, with a digest of what decides its answers.
        run: a finished one; None of a checkpoint.
        probed: a checkpoint; None of a run.
    """

    name: str
    asked: Json
    run: KnownRun | None = field(default=None, repr=False)
    probed: Probed | None = None

    def refuse_unfit(self, asked: Json, tested: LabelledSet) -> None:
        """Refuse a run of another task, or one that was tested on none of the examples that are tested on now.

        A checkpoint that has learnt from some of these is refused as well.

        Args:
            asked: of the run that is to come.
            tested: the examples that it will be tested on.

        Raises:
            DataError: if it cannot be the benchmark.
        """
        if self.run is None:
            if self.probed is not None:
                _refuse_known(self.probed.before, tested)
            return
        coming = _known("this run", asked, None, None)
        if coming.task != self.run.task:
            problem = Problem("classes", _shown(coming.task), _shown(self.run.task))
            raise _unfit(self.run, "it answers other questions", problem)
        digests = self.run.answers.digests if self.run.answers else ()
        if digests:
            shared = len(set(digests) & set(tested.digests()))
        else:
            there = set((self.run.asked.get("split") or {}).get("test") or ())
            same_set = self.run.test_set.get("digest") == coming.test_set.get("digest")
            shared = len(there & set(tested.names)) if same_set else 0
        if not shared:
            problem = Problem("test examples", f"some of the {len(tested)} of {tested.source}", "none of them")
            raise _unfit(self.run, "it was tested on other examples", problem)

    def stand(self, own: Scored, answers: Json, asked: Json, probe: Scored | None) -> Benchmark:
        """Say how far from it the run stands.

        Args:
            own: what the run came to.
            answers: as `answers.json` has them.
            asked: of the run, with its split.
            probe: what the probe on a checkpoint came to.
        """
        named = own.score or own.outputs
        run = _known(named.name if named else "this run", asked, own.score, own.outputs, answers)
        if self.run is not None:
            return hold_against(run, self.run)
        score, outputs = (probe.score, probe.outputs) if probe is not None else (None, None)
        found = hold_against(run, _known(self.name, asked, score, outputs, answers))
        doubts = self.probed.before.notes if self.probed is not None else ()
        return replace(found, note="; ".join(filter(None, (found.note, *doubts))))


def open_benchmark(
    source: Source,
    data: LabelledSet,
    *,
    seed: int,
    preprocessing: Preprocessing | str | None = None,
    size: tuple[int, int] | None = None,
) -> Reference:
    """Open what a run is to be held against.

    Args:
        source: folder of a finished run; a checkpoint, its path or the name of a shipped one, or what `restore` gave;
            or a network that ends in heads for the outputs, as `extract` gives it.
        data: of the run that is to come.
        seed: of the heads.
        preprocessing: of images, where a checkpoint does not say its own.
        size: likewise.

    Raises:
        DataError: if a folder is no finished run, or the examples do not fit a checkpoint.
        TransferError: what `restore` raises, for a checkpoint.
    """
    name = _name(source)
    if isinstance(source, str | os.PathLike) and _is_folder(Path(source)):
        return _open_run(Path(source))
    try:
        probed = _probe(_student(source, data, seed), data, preprocessing, size)
    except TransferError as error:
        step = error.next_step
        if "--into" in step:
            step = "name a file that holds its architecture, a shipped one (transfer checkpoints), or a finished run"
        if isinstance(source, str | os.PathLike) and not os.path.lexists(source):
            step = "; ".join(filter(None, (step, runs_like(source))))
        summary = f"{name} cannot be the benchmark: {error.summary}"
        raise type(error)(summary, error.problems, step) from error
    return Reference(f"probe on {name}", {"name": f"probe on {name}", "digest": _digest(probed)}, None, probed)


def _name(source: Source) -> str:
    """What it is called.

    Raises:
        DataError: if it is nothing that can be the benchmark.
    """
    if isinstance(source, keras.Model):
        return str(source.name)
    if isinstance(source, Student):
        return Path(source.source).name or source.network.graph.name
    if isinstance(source, Restored):
        return Path(source.receipt.source).name
    if isinstance(source, Checkpoint):
        return source.path.name
    if isinstance(source, str | os.PathLike) and os.fspath(source):
        return Path(source).name
    found = "nothing" if isinstance(source, str) else type(source).__name__
    raise DataError("That cannot be the benchmark.", [Problem("benchmark", _TAKEN, found)])


def _student(source: Source, data: LabelledSet, seed: int) -> keras.Model | Student:
    """What the head is solved on."""
    if isinstance(source, keras.Model | Student):
        return source
    restored = source if isinstance(source, Restored) else restore_file(source, None, Restoring())
    return prepare_student(restored, data.labelling, seed=seed)


def planned_tests(
    data: LabelledSet, test: LabelledSet | None, *, seed: int, shots: int | None, test_share: float
) -> LabelledSet:
    """The examples that a run will be tested on, if all can be read."""
    if test is not None:
        return test
    return data.subset(divide(data, seed=seed, shots=shots, test_share=test_share)[1])


def _is_folder(path: Path) -> bool:
    return (path.is_dir() and path.suffix != ".keras") or (path / ASKED).is_file() or _unfinished(path).is_dir()


def _unfinished(path: Path) -> Path:
    whole = path.absolute()
    return whole.parent / f".{whole.name}.unfinished"


def _open_run(folder: Path) -> Reference:
    (found,) = read_runs([folder])
    if isinstance(found, NoRun):
        cut_off = _unfinished(folder).is_dir()
        reason = "a run that was cut off" if cut_off else found.reason
        raise DataError(
            f"{folder} cannot be the benchmark: it is no finished run.",
            [Problem(str(folder), "a folder that 'transfer finetune' wrote", reason)],
            next_step="ask for that run again to finish it" if cut_off else "name a finished run, or a checkpoint",
        )
    if found.score is not None and found.own is None:
        raise DataError(
            f"{folder} cannot be the benchmark: it does not say which examples it has right.",
            [Problem("answers.json", "whether each test example is right", "nothing that fits its result")],
            next_step="make it again with this version, into another folder",
        )
    name = f"run {found.name}"
    told = [found.asked.get("digest"), None if found.own is None else found.own.tolist()]
    return Reference(name, {"name": name, "digest": digest_json(told)}, replace(found, name=name))


def _probe(
    student: keras.Model | Student,
    data: LabelledSet,
    preprocessing: Preprocessing | str | None,
    size: tuple[int, int] | None,
) -> Probed:
    network, heads = check_heads(student, data, None)
    classes = student.custom_objects if isinstance(student, Student) else classes_of(student)
    own = network.card.preprocessing if network.card is not None else None
    feed = make_feed(
        network,
        data,
        preprocessing=None if own else preprocessing,
        size=None if own and own.size else size,
        custom_objects=classes,
    )
    return Probed(as_learnt(feed, data), heads, classes, feed, learnt_by(student, network))


def _digest(probed: Probed) -> str:
    """Of all that decides what the probe answers, beside the examples."""
    heads = tuple(f"{name}/" for name in probed.heads)
    tensors = probed.network.tensors
    digests = {name: digest_tensor(each) for name, each in tensors.items() if not name.startswith(heads)}
    prepared = asdict(probed.feed.preprocessing) if probed.feed.preprocessing else None
    told = [digest_manifest(digests), unparse_graph(probed.network.graph), probed.feed.to_json(), prepared]
    return digest_json(told)


def _known(name: str, asked: Json, score: Score | None, outputs: WayScores | None, answers: Json = None) -> KnownRun:
    """A run that lies in no folder."""
    kept = answers_from_json(answers) if answers else None
    return KnownRun(name, "", score, outputs.outputs if outputs else (), (), (), RunCost(), asked, kept)


def _unfit(run: KnownRun, why: str, problem: Problem) -> DataError:
    return DataError(
        f"{run.folder} cannot be the benchmark: {why}.",
        [problem],
        next_step="name a run on the same data and test examples (the same --seed, --test or --test-share), "
        "or a checkpoint",
    )


def _refuse_known(before: LearntBefore, tested: LabelledSet) -> None:
    known = before.count(tested.digests())
    if known:
        raise DataError(
            f"{before.name} cannot be the benchmark: it has learnt from examples that are tested on.",
            [Problem("test examples", "none that it has learnt from", f"{known} of {len(tested)}")],
            next_step=f"name the run that it comes from: {before.folder}",
        )


def _shown(task: Json) -> str:
    return ", ".join(" ".join(each) if isinstance(each, list) else str(each) for each in task)
