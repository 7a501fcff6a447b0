"""What learning a head on computed features would do and take, told before it: the dry run of `--features`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from transfer.data.doubts import find_doubts, refuse_known
from transfer.data.joining import join_sets
from transfer.data.labelled import LabelledSet
from transfer.jobs.examples.dividing import divide, refuse_unlearnt
from transfer.jobs.finetuning.estimating import solving_bytes
from transfer.jobs.finetuning.learning import Learning
from transfer.jobs.finetuning.preparing_heads import HeadTask, prepare_head
from transfer.labellings import Labelling
from transfer.models.restoring import Restored
from transfer.specs import Json, Progress, silent
from transfer.tabulating import counted, format_scaled
from transfer.training.feature_store import MEMORY_BYTES
from transfer.training.labels import Labels
from transfer.training.streamed_heads import HeadSolver, refuse_unstreamed, refuse_wide, sums_bytes
from transfer.training.streamed_logistic import has_many
from transfer.training.streaming import Stream
from transfer.weights.checkpoint import Checkpoint

# Of a logistic head, by tests/benchmarks/bench_streaming_heads.py: 55, 59 and 235 of more than 16 examples a feature
# (8,948 x 256 and 17,970 x 1024 as drawn there, 22,000 x 1280 of Fashion-MNIST), 77, 238 and 1,112 of fewer.
_MANY, _FEW = (50, 250), (70, 1200)


@dataclass(frozen=True, slots=True)
class HeadForecast:
    """What a run on features would do and take; printed, it is some lines.

    Attributes:
        labelling: of the new heads.
        train_examples: that would be learnt from.
        test_examples: that would be tested on.
        width: features of an example.
        feature_bytes: of all of them in memory.
        solving_bytes: that solving takes beside them in memory; of a stream what its sums take.
        memory_bytes: allowed for features, or for what a stream takes.
        way: `logistic`, in memory and exact, `streamed logistic` or `streamed ridge`.
        passes: over the features to learn from, at the least and at the most, as they were measured; 1 of each in
            memory.
        pass_bytes: that one pass reads from the disk.
        weight_bytes: of the network that would be written with its head.
        out: where; empty for nowhere.
        left_out: labelled examples, or pictures, that take no part.
        notes: what else a reader should know.
        warnings: what looks wrong with the examples.
    """

    labelling: Labelling
    train_examples: int
    test_examples: int
    width: int
    feature_bytes: int
    solving_bytes: int
    memory_bytes: int
    way: str
    passes: tuple[int, int]
    pass_bytes: int
    weight_bytes: int
    out: str
    left_out: int
    notes: tuple[str, ...]
    warnings: tuple[str, ...] = field(default=())

    @property
    def in_memory(self) -> bool:
        """Whether features are held there, and the head is exact."""
        return self.way == "logistic"

    def __str__(self) -> str:
        return "\n".join(self._lines())

    __repr__ = __str__

    def _lines(self) -> Iterator[str]:
        names = self.labelling.names
        what = (
            f"{len(self.labelling.outputs[0].classes)} classes"
            if self.labelling.is_single
            else f"{counted(len(names), 'output')} ({', '.join(names)})"
        )
        yield (
            f"would learn {what} from {counted(self.train_examples, 'example')} and test on {self.test_examples:,}, "
            f"with {counted(self.width, 'feature')} each; nothing was written"
        )
        size, memory, beside = map(_size, (self.feature_bytes, self.memory_bytes, self.solving_bytes))
        least, most = self.passes
        if self.in_memory:
            yield f"way       exact, in memory: features take {size} of the {memory} of --memory, solving {beside}"
            yield f"reads     {_size(self.pass_bytes)}, once"
        else:
            than = "no more" if self.feature_bytes <= self.memory_bytes else "more"
            yield f"way       {self.way}: exact solving would take {size}, {than} than the {memory} of --memory"
            yield f"needs     {beside} of that for sums"
            passes, total = "1 pass", _size(self.pass_bytes)
            if most > 1:
                passes = f"{least:,} to {most:,} passes, as measured"
                total = f"{_size(least * self.pass_bytes)} to {_size(most * self.pass_bytes)}"
            yield f"reads     {_size(self.pass_bytes)} a pass; {passes}: {total} in all"
        where = self.out or "a folder, with -o"
        yield f"writes    {where}: a network of {_size(self.weight_bytes)} with its head, result and report"
        if self.left_out:
            yield f"left out  {self.left_out:,}"
        yield from (f"note      {each}" for each in self.notes)

    def to_json(self) -> Json:
        """As plain values, for `--json`."""
        return {
            "classes": list(self.labelling.outputs[0].classes) if self.labelling.is_single else None,
            "labelling": None if self.labelling.is_single else self.labelling.to_json(),
            "train_examples": self.train_examples,
            "test_examples": self.test_examples,
            "width": self.width,
            "way": self.way,
            "in_memory": self.in_memory,
            "feature_bytes": self.feature_bytes,
            "solving_bytes": self.solving_bytes,
            "memory_bytes": self.memory_bytes,
            "passes": {"least": self.passes[0], "most": self.passes[1]},
            "pass_bytes": self.pass_bytes,
            "weight_bytes": self.weight_bytes,
            "out": self.out or None,
            "left_out": self.left_out,
            "notes": list(self.notes),
            "warnings": list(self.warnings),
        }


def _size(count: float) -> str:
    return f"{format_scaled(count)}B"


def forecast_head(
    file: Checkpoint | str | Restored,
    data: LabelledSet,
    features: Path,
    how: Learning | None = None,
    *,
    out: Path | None = None,
    solver: HeadSolver = "logistic",
    skip_unreadable: bool = False,
    memory_bytes: int = MEMORY_BYTES,
    progress: Progress = silent,
) -> HeadForecast:
    """Work out what `learn_features` would do with the same; nothing is learnt or written.

    Features are looked at, to see that they are whole, and labels are divided as the run would; no head is solved.

    Args:
        file: as for `learn_features`.
        data: labelled examples.
        features: the folder.
        how: what is tested on.
        out: where the run would be written, to be named.
        solver: `logistic` or `ridge`.
        skip_unreadable: whether examples without features, and features without a label, are left out.
        memory_bytes: past which features are streamed.
        progress: told how many shards were looked at.

    Raises:
        DataError: if the run would refuse the examples, the features, or the memory.
        TransferError: of the kind that fits.
    """
    how = how or Learning()
    task = prepare_head(
        file,
        data,
        features,
        how,
        solver=solver,
        skip_unreadable=skip_unreadable,
        memory_bytes=memory_bytes,
        progress=progress,
    )
    matched, seed, labelling = task.matched, how.recipe.seed, data.labelling
    whole = matched.data if matched.test is None else join_sets(matched.data, matched.test)
    if matched.test is None:
        train, test = divide(whole, seed=seed, shots=how.shots, test_share=how.test_share)
    else:
        train, test = np.split(np.arange(len(whole)), [len(matched.data)])
    labels = Labels(labelling, whole.targets)[train]
    unlearnt = refuse_unlearnt(labels)
    doubts = find_doubts(whole.digests(), labelling, whole.targets, whole.names, train=train, test=test)
    refuse_known(len(test) - len(doubts.leaked))
    stream = Stream.of(matched.rows, train, memory_bytes=memory_bytes)
    if task.is_streamed:
        refuse_unstreamed(labels)
        refuse_wide(stream.width, labelling, solver, memory_bytes)
        beside = sums_bytes(stream.width, labelling, solver)
    else:
        beside = solving_bytes(len(train), stream.width, 0)
    left_out = (*matched.data.problems, *(matched.test.problems if matched.test is not None else ()))
    return HeadForecast(
        labelling=labelling,
        train_examples=len(train),
        test_examples=len(test) - len(doubts.leaked),
        width=stream.width,
        feature_bytes=task.size_bytes,
        solving_bytes=beside,
        memory_bytes=memory_bytes,
        way=task.way,
        passes=_passes(task, len(train), stream.width),
        pass_bytes=stream.size_bytes if task.is_streamed else task.size_bytes,
        weight_bytes=sum(np.asarray(values).nbytes for values in task.network.tensors.values()),
        out=str(out or ""),
        left_out=len(left_out),
        notes=(task.student.describe(how.recipe), *task.notes),
        warnings=(*data.notes, *doubts.warnings, *unlearnt),
    )


def _passes(task: HeadTask, examples: int, width: int) -> tuple[int, int]:
    """How many it takes to learn: one for the sums, and of each logistic head as many as were measured."""
    if not task.is_streamed:
        return 1, 1
    labelling = task.matched.data.labelling
    heads = 0 if task.solver == "ridge" else sum(each.kind != "regression" for each in labelling)
    least, most = _MANY if has_many(examples, width) else _FEW
    return 1 + heads * least, 1 + heads * most
