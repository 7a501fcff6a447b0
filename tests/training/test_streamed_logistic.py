"""Heads by minibatches: near the exact solution, the same bits after a kill, and within the memory that was given."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits

from transfer.labellings import Labelling, Output
from transfer.specs import silent
from transfer.training import streamed_logistic
from transfer.training.feature_rows import Held, Rows
from transfer.training.labels import Labels
from transfer.training.logistic import softmax_loss
from transfer.training.ridge import solve_ridge
from transfer.training.solving import solve_head, solve_sigmoid_head
from transfer.training.streamed_heads import StreamedHeads, deal_folds
from transfer.training.streamed_logistic import Axes, Problem, learn_streamed
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
    rows = Stream.of(in_memory(x), np.arange(len(x)))
    moments = streamed_moments(rows, y, 10)
    problem = Problem(rows, Axes.of(moments), y, softmax_loss, 10, 0)
    ridge = solve_ridge([moments])
    exact = solve_head(x, y, 10, penalties=[1e-2])
    found = learn_streamed(problem, (ridge.kernel * 10, ridge.bias * 10), np.arange(len(x)) % 5 == 0, [1e-2])
    assert found.wrong < streamed_logistic.EXACT
    ours, theirs = (x @ each.kernel + each.bias for each in (found, exact))
    ours, theirs = (each - each.mean(1, keepdims=True) for each in (ours, theirs))
    assert np.abs(ours - theirs).mean() < 5e-3 * theirs.std()
    assert log_loss(x, y, found.kernel, found.bias) == pytest.approx(log_loss(x, y, exact.kernel, exact.bias), rel=5e-3)


def streamed_moments(stream, y, k):
    from transfer.training.head_moments import sum_moments

    return sum_moments(stream, lambda which: np.eye(k)[y[which]])[0]


@pytest.mark.parametrize("classes", [2, 10])
def test_a_head_chosen_on_one_fold_is_as_good_as_the_exact_one(digits, classes):
    x, y = digits
    x, y = x[y < classes], y[y < classes]
    learnt = np.arange(len(x)) % 2 == 0
    (found,) = heads_of(x[learnt], Labels.of_classes(y[learnt], classes))
    exact = solve_head(x[learnt], y[learnt], classes)
    ours = log_loss(x[~learnt], y[~learnt], found.solved.kernel, found.solved.bias)
    theirs = log_loss(x[~learnt], y[~learnt], exact.kernel, exact.bias)
    assert ours < theirs + 0.03, "one fold of 180 digits chooses the penalty, not five"
    assert found.solved.kernel.shape == (64, classes)


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


@pytest.mark.parametrize("killed_at", [5, 12, 17])
def test_cut_off_at_a_minibatch_it_goes_on_to_the_same_bits(digits, tmp_path, monkeypatch, killed_at):
    x, y = digits
    labels = Labels.of_classes(y, 10)
    monkeypatch.setattr(streamed_logistic, "_CHOOSING", 3)
    monkeypatch.setattr(streamed_logistic, "_SOLVING", 6)
    (whole,) = heads_of(x, labels, memory=2**22)
    calls = []
    epoch = streamed_logistic._Descent._epoch

    def cut(self, at, seen, rates, number):
        problem, batches = self._problem, self._problem.stream.batches

        def stopped(*how):
            for count, each in enumerate(batches(*how)):
                calls.append(count)
                if len(calls) == killed_at * 20:
                    raise KeyboardInterrupt
                yield each

        copied = replace(problem, stream=Cut(problem.stream, stopped))
        self._problem = copied
        try:
            return epoch(self, at, seen, rates, number)
        finally:
            self._problem = problem

    class Cut:
        def __init__(self, stream, batches):
            self.batches, self.width = batches, stream.width
            self._stream = stream

        def __len__(self):
            return len(self._stream)

    monkeypatch.setattr(streamed_logistic._Descent, "_epoch", cut)
    with pytest.raises(KeyboardInterrupt):
        heads_of(x, labels, state=tmp_path / "heads", memory=2**22)
    (again,) = heads_of(x, labels, state=tmp_path / "heads", memory=2**22)
    assert again.resumed
    np.testing.assert_array_equal(again.solved.kernel, whole.solved.kernel)
    np.testing.assert_array_equal(again.solved.bias, whole.solved.bias)


def test_a_damaged_state_begins_anew(digits, tmp_path, monkeypatch):
    x, y = digits
    monkeypatch.setattr(streamed_logistic, "_CHOOSING", 2)
    monkeypatch.setattr(streamed_logistic, "_SOLVING", 3)
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
