"""The dry run of a head on computed features, beside the run."""

import keras
import numpy as np
import pytest

import transfer
from transfer.errors import DataError
from transfer.jobs.finetuning.forecasting_heads import forecast_head
from transfer.jobs.finetuning.learning import Learning
from transfer.jobs.finetuning.learning_features import learn_features
from transfer.training.named_recipes import named_recipe

PROBE = Learning(recipe=named_recipe("probe", examples=20))
WIDTH = 16


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """600 rows of three classes for a network, and their features."""
    folder = tmp_path_factory.mktemp("drawn")
    keras.utils.set_random_seed(1)
    network = keras.Sequential([keras.Input((8,)), keras.layers.Dense(WIDTH, activation="relu", name="hidden")])
    network.save(folder / "net.keras")
    random = np.random.default_rng(0)
    y = np.arange(600) % 3
    x = (random.normal(size=(600, 8)) + np.eye(8)[y]).astype(np.float32)
    x[-3:] = x[:3]  # the same bytes again
    np.savez(folder / "rows.npz", x=x, y=y)
    transfer.compute_features(folder / "net.keras", folder / "rows.npz", folder / "features", shard_rows=250)
    return folder


def asked(folder, how=PROBE, data="rows.npz", **given):
    return str(folder / "net.keras"), transfer.read_labelled(folder / data), folder / "features", how, given


def forecast(*words, **given):
    file, data, features, how, given = asked(*words, **given)
    return forecast_head(file, data, features, how, **given)


@pytest.mark.parametrize("memory_bytes", [2**15, 2**20])
@pytest.mark.parametrize("solver", ["logistic", "ridge"])
def test_it_says_what_the_run_does(drawn, solver, memory_bytes):
    told = forecast(drawn, solver=solver, memory_bytes=memory_bytes)
    file, data, features, how, given = asked(drawn, solver=solver, memory_bytes=memory_bytes)
    run = learn_features(file, data, features, None, how, **given)
    assert (told.train_examples, told.test_examples) == (run.result.train_examples, run.result.test_examples)
    assert told.way == run.asked["features"]["solver"]
    assert told.in_memory == (solver == "logistic" and memory_bytes == 2**20)
    if told.way == "streamed logistic":
        (note,) = [each for each in run.result.notes if each.startswith("logistic: in ")]
        least, most = told.passes
        assert least <= int(note.split()[2]) <= most
        assert f"{least:,} to {most:,} passes" in str(told)


def test_what_a_pass_reads_is_told_to_the_byte_for_rows_side_by_side(drawn, monkeypatch):
    from transfer.data.feature_shards import Shard

    read = []
    stretch = Shard.stretch

    def counting(self, first, last):
        read.append(last - first)
        return stretch(self, first, last)

    monkeypatch.setattr(Shard, "stretch", counting)
    learnt = forecast(drawn, solver="ridge", memory_bytes=2**16)
    assert not read
    file, data, features, how, _ = asked(drawn)
    learn_features(file, data, features, None, how, solver="ridge", memory_bytes=2**16)
    assert learnt.pass_bytes in (np.cumsum(read) * 4 * WIDTH).tolist(), "the first pass is that over the sums"


def test_what_the_run_would_refuse_is_refused(drawn):
    with pytest.raises(DataError, match="do not fit into the memory"):
        forecast(drawn, memory_bytes=2**10)
    there = np.load(drawn / "rows.npz")
    np.savez(drawn / "more.npz", x=np.concatenate([there["x"], there["x"]]), y=np.tile(there["y"], 2))
    with pytest.raises(DataError, match="have no features"):
        forecast(drawn, data="more.npz")
    told = forecast(drawn, data="more.npz", skip_unreadable=True)
    assert (told.train_examples + told.test_examples, told.left_out) == (598, 600)  # two twins


def test_each_logistic_output_takes_its_passes(drawn):
    there = np.load(drawn / "rows.npz")
    odd, size = (there["y"] % 2).astype(np.int64), there["x"].sum(1)
    np.savez(drawn / "several.npz", x=there["x"], y_kind=there["y"].astype("U1"), y_odd=odd, y_size=size)
    data = transfer.read_labelled(
        drawn / "several.npz", outputs=[("kind", "softmax"), ("odd", "sigmoid"), ("size", "regression")]
    )
    file, _, features, how, _ = asked(drawn)
    told = forecast_head(file, data, features, how, memory_bytes=2**15)
    one = forecast(drawn, memory_bytes=2**15)
    assert [each - 1 for each in told.passes] == [2 * (each - 1) for each in one.passes]
    assert "3 outputs (kind, odd, size)" in str(told)
    assert told.to_json()["classes"] is None
