"""Every file of a corpus that real Keras versions wrote: right, or refused with the reason.

python -m pytest -m corpus --corpus=FOLDER

Into the architecture as its builder has it today: with the defaults nothing may be silently wrong; with `era="apply"`,
and the backend declared where Keras 1 and 0 do not name it, at least 97 % must be right. Without a builder, from what
the files themselves hold, at least 95 %. Outputs are held against those that the writer itself computed.
"""

import collections
import importlib.util
import json
import sys

import keras
import numpy as np
import pytest

from transfer.errors import TransferError
from transfer.models.restoring import restore
from transfer.weights.opening import open_checkpoint

pytestmark = pytest.mark.corpus

UNFINISHED = "no such group; was its writer interrupted"  # Keras 3.0 stopped half way through some files


@pytest.fixture(scope="module")
def architectures(corpus):
    """The module that rebuilds each architecture with the Keras that is installed."""
    spec = importlib.util.spec_from_file_location("architectures", corpus / "architectures.py")
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    spec.loader.exec_module(module)
    sys.dont_write_bytecode = before
    return module


@pytest.fixture(scope="module")
def writers(corpus):
    return sorted(path for path in (corpus / "files").iterdir() if path.is_dir())


def files_of(writer):
    """Each checkpoint that a writer finished, with its model's name and format."""
    written = json.loads((writer / "manifest.json").read_text())
    for entry in written:
        if entry.get("ok") and "fmt" in entry and (writer / entry["file"]).exists():
            yield writer / entry["file"], entry["model"], entry["fmt"]


def truth(writer, model):
    """What the writer fed in, and what it got."""
    with np.load(writer / f"{model}.npz") as file:
        series = [sorted(name for name in file.files if name[0] == letter) for letter in "xy"]
        return tuple([file[name] for name in names] for names in series)


def is_right(model, writer, name):
    inputs, outputs = truth(writer, name)
    structure = model._inputs_struct if hasattr(model, "_inputs_struct") else None
    fed = inputs[0] if structure is None else keras.tree.pack_sequence_as(structure, inputs)
    found = [np.asarray(keras.ops.convert_to_numpy(each)) for each in keras.tree.flatten(model(fed, training=False))]
    relative, absolute = (2e-2, 2e-2) if name.startswith("o_") else (1e-4, 1e-5)
    return len(found) == len(outputs) and all(
        ours.shape == theirs.shape and np.allclose(ours, theirs, rtol=relative, atol=absolute)
        for ours, theirs in zip(found, outputs, strict=True)
    )


class Tally:
    """Counts by writer, and what stands behind those that are not right."""

    def __init__(self):
        self.counts = collections.defaultdict(collections.Counter)
        self.reasons = collections.Counter()
        self.wrong = []
        self.last = ""

    def add(self, writer, file, verdict, reason=""):
        self.counts[writer.name][verdict] += 1
        self.last = verdict
        if verdict == "wrong":
            self.wrong.append(f"{writer.name}/{file.name}")
        if reason:
            self.reasons[reason] += 1

    @property
    def total(self):
        return sum(self.counts.values(), collections.Counter())

    @property
    def share(self):
        return self.total["right"] / self.total.total()

    def table(self, title):
        rows = [f"{title}: {self.total['right']} of {self.total.total()} right ({100 * self.share:.1f} %)"]
        rows += [f"{'writer':22}{'right':>7}{'refused':>9}{'wrong':>7}"]
        rows += [
            f"{name:22}{counts['right']:7}{counts['refused']:9}{counts['wrong']:7}"
            for name, counts in [*sorted(self.counts.items()), ("all", self.total)]
        ]
        rows += [f"  {count:4} refused: {reason}" for reason, count in self.reasons.most_common()]
        return "\n".join([*rows, *(f"  WRONG {each}" for each in self.wrong)])


def reason_of(error):
    problem = error.problems[0] if error.problems else None
    return f"{type(error).__name__}, {problem.expected}; {problem.found}"[:110] if problem else error.summary[-110:]


def restored(checkpoint, writer, name, tally, into=None, **options):
    """Restore, compare, and count; gives the error where it was refused."""
    try:
        model = restore(checkpoint, into, **options).model
    except TransferError as error:
        return error
    finally:
        keras.utils.clear_session(free_memory=False)  # names start anew; collecting garbage each time takes longer
    tally.add(writer, checkpoint.path, "right" if is_right(model, writer, name) else "wrong")
    return None


def declared(writer):
    """The backend, for versions whose files do not name it."""
    if not writer.name.startswith(("keras-0", "keras-1")):
        return None
    return "theano" if "theano" in writer.name else "tensorflow"


def opened(file):
    """The checkpoint, once; None where its writer did not come to the end (two variables had one name in Keras 3.0)."""
    try:
        return open_checkpoint(file)
    except TransferError as error:
        unfinished = any(UNFINISHED in problem.found for problem in error.problems) or "not weights" in error.summary
        if unfinished:
            return None
        raise


def test_files_restore_into_their_builders_or_are_refused_with_the_reason(writers, architectures, write_table):
    plain, applied, unfinished = Tally(), Tally(), 0
    for writer in writers:
        for file, name, _ in files_of(writer):
            if architectures.SAME_AS.get(name, name) not in architectures.BUILDERS:
                continue
            checkpoint = opened(file)
            if checkpoint is None:
                unfinished += 1
                continue

            def build(writer=writer, name=name):
                return architectures.build(writer.name, name)

            error = restored(checkpoint, writer, name, plain, build)
            if error is None:  # nothing was open: the era changes nothing
                applied.add(writer, file, plain.last)
                continue
            plain.add(writer, file, "refused", reason_of(error))
            error = restored(checkpoint, writer, name, applied, build, era="apply", backend=declared(writer))
            if error is not None:
                applied.add(writer, file, "refused", reason_of(error))
    write_table(plain.table("into builders, defaults"))
    write_table(applied.table('into builders, era="apply" and the backend declared'))
    write_table(f"({unfinished} files whose writer stopped half way are not counted)")
    assert plain.wrong == []
    assert applied.wrong == []
    assert applied.share >= 0.97
    assert unfinished < 20


def test_whole_models_restore_without_a_builder_or_are_refused_with_the_reason(writers, write_table):
    own, unfinished = Tally(), 0
    for writer in writers:
        for file, name, form in files_of(writer):
            if form not in ("full", "hdf5", "keras", "dir"):
                continue
            checkpoint = opened(file)
            if checkpoint is None:
                unfinished += 1
                continue
            error = restored(checkpoint, writer, name, own, backend=declared(writer))
            if error is not None:  # a class of its author's, a Lambda
                own.add(writer, file, "refused", reason_of(error))
    write_table(own.table("without a builder"))
    write_table(f"({unfinished} files whose writer stopped half way are not counted)")
    assert own.wrong == []
    assert own.share >= 0.95
    assert unfinished < 20


def test_a_backend_that_keras_1_does_not_name_is_settled_by_recorded_outputs(writers, architectures):
    name = "c_backbone_only"
    chosen = [writer for writer in writers if writer.name.startswith("keras-1")]
    assert chosen
    for writer in chosen:
        checkpoint = open_checkpoint(writer / f"{name}__weights.h5")
        model = architectures.build(writer.name, name)
        with pytest.raises(TransferError, match="leaves open"):
            restore(checkpoint, model)
        checked = restore(checkpoint, model, check=writer / f"{name}.npz").model
        assert is_right(checked, writer, name)
