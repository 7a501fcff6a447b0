"""Heads on a stream of features: as the exact ones, the same bits after a kill, within the memory they are given."""

import signal
import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits

from transfer.labellings import Labelling, Output
from transfer.specs import silent
from transfer.training.feature_rows import Held, Rows
from transfer.training.labels import Labels
from transfer.training.logistic import softmax_loss
from transfer.training.solving import solve_head, solve_sigmoid_head
from transfer.training.streamed_coordinates import StreamedCoordinates
from transfer.training.streamed_heads import StreamedHeads, deal_folds
from transfer.training.streamed_logistic import learn_streamed
from transfer.training.streaming import Stream

CHILD = """
import resource, sys
from pathlib import Path
import numpy as np
from transfer.data.feature_shards import open_shard
from transfer.specs import silent
from transfer.training.feature_rows import Held, Rows
from transfer.training.labels import Labels
from transfer.training.streamed_heads import StreamedHeads, deal_folds
from transfer.training.streaming import Stream

folder, memory, solver = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
shards = [open_shard(path) for path in sorted(folder.glob("*.h5"))]
sizes = [shard.shape[0] for shard in shards]
part = np.repeat(np.arange(len(shards), dtype=np.int32), sizes)
place = np.concatenate([np.arange(size) for size in sizes])
rows = Rows(tuple(Held("p", each.keys, None, each) for each in shards), part, place, shards[0].shape[1:])
labels = Labels.of_classes(np.arange(len(part)) % 3, 3)
folds = deal_folds(labels, 0, None)
import scipy.linalg
np.linalg.eigh(np.eye(256))  # what libraries take for themselves
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
stream = Stream.of(rows, np.arange(len(part)), memory_bytes=memory)
StreamedHeads(stream, labels, solver, 0, None, memory, None, silent).solve(folds)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""

KILLED = """
import sys
from pathlib import Path
import numpy as np
from sklearn.datasets import load_digits
from transfer.specs import silent
from transfer.training.feature_rows import Held, Rows
from transfer.training.labels import Labels
from transfer.training.streamed_heads import StreamedHeads, deal_folds
from transfer.training.streaming import Stream

found = load_digits()
x, labels = found.data.astype(np.float32), Labels.of_classes(found.target.astype(np.int64), 10)
rows = Rows((Held("p", np.empty(0, "S32"), x),), np.zeros(len(x), np.int32), np.arange(len(x)), x.shape[1:])
stream = Stream.of(rows, np.arange(len(x)), memory_bytes=2**22)

def tell(what, done, of):
    print(what, done, flush=True)

work = StreamedHeads(stream, labels, "logistic", 0, None, 2**22, Path(sys.argv[1]), tell)
work.solve(deal_folds(labels, 0, None))
"""


def in_memory(x: np.ndarray) -> Rows:
    return Rows((Held("p", np.empty(0, "S32"), x),), np.zeros(len(x), np.int32), np.arange(len(x)), x.shape[1:])


@pytest.fixture(scope="module")
def digits():
    """Handwritten digits (1797, 64), with their labels."""
    found = load_digits()
    return found.data.astype(np.float32), found.target.astype(np.int64)


def heads_of(x, labels, solver="logistic", state=None, memory=2**24):
    stream = Stream.of(in_memory(x), np.arange(len(x)), memory_bytes=memory)
    return StreamedHeads(stream, labels, solver, 0, None, memory, state, silent).solve(deal_folds(labels, 0, None))


def log_loss(x, y, kernel, bias):
    logits = x @ kernel + bias
    return float(softmax_loss(logits[:, None].astype(float), y)[0].mean())


def test_at_one_penalty_it_comes_to_the_exact_head(digits):
    x, y = digits
    rows = Stream.of(in_memory(x), np.arange(len(x)), memory_bytes=2**20)
    coordinates = StreamedCoordinates.of(rows, streamed_moments(rows, y, 10))
    exact = solve_head(x, y, 10, penalties=[1e-2])
    folds = deal_folds(Labels.of_classes(y, 10), 0, None)
    found = learn_streamed(coordinates, y, softmax_loss, folds, [1e-2], outputs=10)
    ours, theirs = (x @ each.kernel + each.bias for each in (found, exact))
    ours, theirs = (each - each.mean(1, keepdims=True) for each in (ours, theirs))
    assert np.abs(ours - theirs).mean() < 1e-3 * theirs.std()
    assert found.log_loss[1e-2] == pytest.approx(exact.log_loss[1e-2], rel=1e-2)
    assert found.passes == coordinates.passes < 70


def streamed_moments(stream, y, k):
    from transfer.training.head_moments import sum_moments

    return sum_moments(stream, lambda which: np.eye(k)[y[which]])[0]


@pytest.mark.parametrize("classes", [2, 10])
def test_a_head_is_as_good_as_the_exact_one(digits, classes):
    x, y = digits
    x, y = x[y < classes], y[y < classes]
    learnt = np.arange(len(x)) % 2 == 0
    (found,) = heads_of(x[learnt], Labels.of_classes(y[learnt], classes))
    exact = solve_head(x[learnt], y[learnt], classes)
    ours = log_loss(x[~learnt], y[~learnt], found.solved.kernel, found.solved.bias)
    theirs = log_loss(x[~learnt], y[~learnt], exact.kernel, exact.bias)
    assert ours < theirs + 0.005
    assert found.solved.kernel.shape == (64, classes)
    assert len(found.without) == 5


def test_of_labels_that_mean_nothing_held_out_losses_say_so():
    """Whatever a head has seen of what it is asked about, it would answer better than by chance."""
    random = np.random.default_rng(0)
    x, y = random.normal(size=(400, 300)).astype(np.float32), random.integers(0, 3, 400)
    (found,) = heads_of(x, Labels.of_classes(y, 3))
    assert min(found.solved.parts[""].log_loss.values()) > np.log(3) - 0.01
    folds = deal_folds(Labels.of_classes(y, 3), 0, None)
    for fold, (kernel, bias) in enumerate(found.without):
        assert log_loss(x[folds == fold], y[folds == fold], kernel, bias) > np.log(3) - 0.05


def test_yes_and_no_have_a_penalty_each(digits):
    x, y = digits
    targets = np.stack([y == 3, y % 2 == 1], axis=1).astype(np.int64)
    labelling = Labelling((Output("what", "sigmoid", ("three", "odd")),))
    (found,) = heads_of(x, Labels(labelling, (targets,)))
    exact = solve_sigmoid_head(x, targets)
    ours, theirs = (x @ each.kernel + each.bias > 0 for each in (found.solved, exact))
    assert len(found.solved.parts[""].penalties) == 2
    assert (ours == theirs).mean() > 0.99


def test_a_ridge_head_of_numbers_is_the_least_squares_one(digits):
    x, y = digits
    labelling = Labelling((Output("count", "regression", ("count",)),))
    (found,) = heads_of(x, Labels(labelling, (y[:, None].astype(float),)))
    told = found.solved.kernel[:, 0]
    assert np.corrcoef(x @ told, y)[0, 1] > 0.7
    assert "ridge" in found.remark


@pytest.mark.parametrize("killed_at", [1, 10, 90, 140])
def test_cut_off_in_a_pass_it_goes_on_to_the_same_bits(digits, tmp_path, monkeypatch, killed_at):
    x, y = digits
    labels = Labels.of_classes(y, 10)
    (whole,) = heads_of(x, labels, memory=2**22)
    blocks, begun = Stream.blocks, []

    def cut(self):
        begun.append(1)
        for number, each in enumerate(blocks(self)):
            if len(begun) == killed_at + 1 and number == 1:  # one pass is that of the sums
                raise KeyboardInterrupt
            yield each

    with monkeypatch.context() as patched:
        patched.setattr(Stream, "blocks", cut)
        with pytest.raises(KeyboardInterrupt):
            heads_of(x, labels, state=tmp_path / "heads", memory=2**22)
    begun.clear()
    with monkeypatch.context() as patched:
        patched.setattr(Stream, "blocks", lambda self: begun.append(1) or blocks(self))
        (again,) = heads_of(x, labels, state=tmp_path / "heads", memory=2**22)
    assert again.resumed == (killed_at > 1)
    assert again.remark == whole.remark
    assert killed_at == 1 or len(begun) < int(whole.remark.split()[2])
    np.testing.assert_array_equal(again.solved.kernel, whole.solved.kernel)
    np.testing.assert_array_equal(again.solved.bias, whole.solved.bias)


@pytest.mark.parametrize("penalties", [3, 11])
def test_a_process_killed_in_a_pass_is_gone_on_with_to_the_same_bits(digits, tmp_path, penalties):
    x, y = digits
    labels, state = Labels.of_classes(y, 10), tmp_path / "heads"
    with subprocess.Popen([sys.executable, "-c", KILLED, state], stdout=subprocess.PIPE, text=True) as child:
        for line in child.stdout:
            if line == f"choosing the regularisation {penalties}\n":
                next(child.stdout)  # of the next pass some blocks were read
                child.kill()
                break
    assert child.returncode == -signal.SIGKILL
    (whole,) = heads_of(x, labels, memory=2**22)
    (again,) = heads_of(x, labels, state=state, memory=2**22)
    assert again.resumed
    assert again.remark == whole.remark
    np.testing.assert_array_equal(again.solved.kernel, whole.solved.kernel)
    for one, other in zip(again.without, whole.without, strict=True):
        np.testing.assert_array_equal(one[0], other[0])


def test_a_damaged_state_begins_anew(digits, tmp_path):
    x, y = digits
    state = tmp_path / "heads"
    (whole,) = heads_of(x, Labels.of_classes(y, 10), state=state)
    files = sorted(tmp_path.iterdir())
    assert files
    for path in files:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    (again,) = heads_of(x, Labels.of_classes(y, 10), state=state)
    assert not again.resumed
    np.testing.assert_array_equal(again.solved.kernel, whole.solved.kernel)


@pytest.mark.parametrize("solver", ["ridge", "logistic"])
def test_features_of_several_times_the_budget_stay_within_it(tmp_path, solver):
    from transfer.data.feature_shards import write_shard

    random, budget = np.random.default_rng(0), 2**24
    for number in range(12):
        keys = np.array([f"{number:016x}{place:016x}" for place in range(2**13)], "S32")
        write_shard(tmp_path, keys, random.normal(size=(2**13, 256)).astype(np.float32))
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert size > 5 * budget
    told = subprocess.run(
        [sys.executable, "-c", CHILD, tmp_path, str(budget), solver], capture_output=True, text=True, check=True
    )
    assert int(told.stdout) < 1.5 * budget, f"{int(told.stdout) / 2**20:.1f} MB of {budget / 2**20:.0f}"
