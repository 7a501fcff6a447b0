"""Fine-tuning tells of inputs that are scaled otherwise than in training, and of nothing else."""

import json
from dataclasses import replace
from functools import partial

import keras
import numpy as np
import pytest
from sample_pictures import clipart, crops, wrong_ways

import transfer
from transfer.analysis.input_ranges import prepare
from transfer.data.inputs import Inputs
from transfer.data.sampling import draw
from transfer.errors import DataError
from transfer.jobs.examples.checking_inputs import check_inputs, warn_of_inputs
from transfer.jobs.examples.feeding import make_feed
from transfer.jobs.finetuning import finetuning
from transfer.jobs.runs.running import load_run
from transfer.models.building import read_model
from transfer.specs import PREPROCESSINGS, Preprocessing

solve = partial(transfer.finetune, recipe=transfer.Recipe(transfer.Stage("probe")))


SIZE = (96, 96)
WAYS = ("0 to 255", "0 to 1", "-1 to 1", "BGR", "no mean", "16 bits")


@pytest.fixture(scope="module")
def network():
    return read_model(transfer.restore("mobilenet_v2_imagenet").model)


@pytest.fixture(scope="module")
def photographs() -> Inputs:
    pictures = np.concatenate([crops(0), crops(1)])
    return Inputs("photographs", tuple(map(str, range(len(pictures)))), pictures)


def warnings_of(network, data, preprocessing) -> tuple[str, ...]:
    feed = make_feed(network, data, preprocessing=preprocessing, size=SIZE)
    return warn_of_inputs(feed, network, data, seed=0)


@pytest.mark.parametrize("seed", range(2))
def test_clipart_and_photographs_prepared_rightly_are_not_warned_of(network, photographs, seed):
    for data in (clipart(300), photographs):
        for known in (network, replace(network, card=None)):
            feed = make_feed(known, data, preprocessing=network.card.preprocessing, size=SIZE)
            assert warn_of_inputs(feed, known, data, seed=seed) == ()


@pytest.mark.parametrize("way", WAYS)
def test_each_wrong_way_is_warned_of_where_there_is_a_card(network, way):
    wrong = wrong_ways(network.card.preprocessing)[way]
    (warning,) = warnings_of(network, clipart(32), wrong)
    assert warning.startswith("check the preprocessing: ")
    assert "--preprocessing" in warning


@pytest.mark.parametrize("way", [each for each in WAYS if each != "BGR"])
def test_without_a_card_the_first_batch_norm_tells_wrong_scales_of_photographs(network, photographs, way):
    wrong = wrong_ways(network.card.preprocessing)[way]
    (warning,) = warnings_of(replace(network, card=None), photographs, wrong)
    assert "this file expects about -2.12 to 2.64" in warning
    assert "--preprocessing torch" in warning


@pytest.mark.parametrize(
    ("way", "looks"), [("raw", "0 to 255"), ("unit", "0 to 1"), ("tf", "-1 to 1")], ids=["raw", "unit", "tf"]
)
def test_arrays_that_are_taken_as_they_are_are_read_by_their_range(network, photographs, way, looks):
    bare = replace(network, card=None)
    rows = prepare(photographs.inputs, PREPROCESSINGS[way])
    data = Inputs("rows", photographs.names, rows)
    (slip,) = check_inputs(make_feed(bare, data), bare, data).slips
    assert f"inputs look like {looks}, this file expects about -2.12 to 2.64" in slip.what
    right = Inputs("rows", photographs.names, prepare(photographs.inputs, PREPROCESSINGS["torch"]))
    assert check_inputs(make_feed(bare, right), bare, right).slips == ()


def test_what_is_tried_on_the_first_batch_norm_is_what_the_whole_network_would_give_it(network, photographs):
    """The misfit of each way, against the network with that way in front of it, its frame of background included."""
    data = draw(photographs, 6, 0)
    found = dict(check_inputs(make_feed(network, data, size=SIZE), network, data).readings)
    for name in ("tf", "unit", "raw"):
        way = replace(
            network.card.preprocessing, **{k: getattr(PREPROCESSINGS[name], k) for k in ("scale", "mean", "std")}
        )
        feed = make_feed(network, data, preprocessing=way, size=SIZE)
        norm = feed.network.get_layer("Conv1_BN")
        values = keras.Model(feed.network.inputs[0], norm.input)(feed.load(data, 8).astype(np.float32))
        seen = np.asarray(values, np.float64).reshape(-1, 32)
        _, _, mean, variance = (np.asarray(each, np.float64) for each in norm.get_weights())
        a, c, d = variance + norm.epsilon, seen.var(0) + norm.epsilon, seen.mean(0) - mean
        expected = ((c / a + d**2 / a - 1 - np.log(c / a)) / 2 + (a / c + d**2 / c - 1 - np.log(a / c)) / 2) / 2
        assert found[name] == pytest.approx(expected.mean(), rel=1e-3), name


def test_the_shipped_network_on_digits_is_warned_of_wrong_scales_alone(student, digits):
    data = transfer.from_arrays(*digits)
    assert warn_of_inputs(make_feed(read_model(student), data), read_model(student), data, seed=0) == ()
    for wrong in (
        Preprocessing(color="grey"),
        Preprocessing(color="grey", scale=1 / 127.5, mean=(1.0,)),
        Preprocessing(color="grey", scale=257.0),
        Preprocessing(color="grey", scale=1 / 255**2),
    ):
        network = read_model(student)
        (warning,) = warn_of_inputs(make_feed(network, data, preprocessing=wrong, size=(28, 28)), network, data, seed=0)
        assert "this file expects about 0 to 1, as its card says" in warning


def test_a_run_keeps_the_warning_and_is_the_same_to_the_bit_without_the_look(
    colour_student, colours, tmp_path, monkeypatch
):
    data = transfer.from_arrays(*colours)
    recipe = transfer.Recipe(
        (transfer.Stage("probe"), transfer.Stage("tune", unfreeze_from="conv_2", epochs=1, rate=1e-3)), seed=4
    )

    def run(name, preprocessing):
        return solve(colour_student, data, recipe=recipe, preprocessing=preprocessing, out=tmp_path / name)

    looked = run("looked", "raw")
    monkeypatch.setattr(finetuning, "warn_of_inputs", lambda *_arguments, **_options: ())
    blind = run("blind", "raw")
    for name in ("model.keras", "history.jsonl"):
        assert (looked.folder / name).read_bytes() == (blind.folder / name).read_bytes(), name
    (warning,) = looked.result.warnings
    assert warning.startswith("check the preprocessing: ")
    assert blind.result.warnings == ()
    assert looked.result.notes == blind.result.notes
    assert load_run(tmp_path / "looked").result == looked.result


def test_no_run_fails_because_its_inputs_cannot_be_judged(colour_student, truncate, tmp_path):
    (tmp_path / "a").mkdir()
    data = Inputs("broken", ("a/x.jpg",), (truncate(tmp_path / "a" / "x.jpg"),))
    network = read_model(colour_student)
    feed = make_feed(network, data, preprocessing="unit")
    assert warn_of_inputs(feed, network, data, seed=0) == ()
    with pytest.raises(DataError) as caught:
        check_inputs(feed, network, data)
    assert caught.value.problems[0].where == "a/x.jpg"
    assert "PNG" in caught.value.next_step


class Doubled(keras.layers.Layer):
    """A layer of the caller's own."""

    def call(self, x):
        return 2 * x


def learnt_from(rows: np.ndarray, before: keras.layers.Layer, norm: keras.layers.BatchNormalization) -> keras.Model:
    """A network whose batch norm, behind one layer, keeps the statistics of what it gets for some images."""
    keras.utils.set_random_seed(5)
    model = keras.Sequential([keras.Input(rows.shape[1:]), before, norm, keras.layers.Flatten()])
    model.add(keras.layers.Dense(2, name="label"))
    values = np.asarray(before(rows))
    axes = tuple(each for each in range(4) if each != norm.axis % 4)
    units = values.shape[norm.axis]
    norm.set_weights([np.ones(units), np.zeros(units), values.mean(axes), values.var(axes)])
    return model


@pytest.fixture
def scaled() -> np.ndarray:
    """(24, 8, 8, 3), images from -1 to 1."""
    return np.random.default_rng(3).uniform(-1, 1, (24, 8, 8, 3)).astype(np.float32)


def finetuned(model, rows: np.ndarray) -> transfer.Run:
    return solve(model, transfer.from_arrays(rows, np.arange(len(rows)) % 2))


@pytest.mark.parametrize("axis", [1, 2])
def test_a_batch_norm_on_another_axis_than_the_last_tells_nothing_and_fails_no_run(scaled, axis):
    model = learnt_from(scaled, keras.layers.ReLU(), keras.layers.BatchNormalization(axis=axis))
    network, data = read_model(model), Inputs.of_array(scaled * 50)
    found = check_inputs(make_feed(network, data), network, data)
    assert (found.readings, found.slips) == ((), ())
    assert finetuned(model, scaled * 50).result.warnings == ()


def test_a_batch_norm_behind_many_layers_is_not_tried(scaled):
    keras.utils.set_random_seed(0)
    for depth, count in ((3, 6), (4, 0)):
        layers = [keras.layers.Conv2D(3, 1) for _ in range(depth)]
        norm = keras.layers.BatchNormalization(moving_mean_initializer="ones")
        network = read_model(keras.Sequential([keras.Input((8, 8, 3)), *layers, norm]))
        data = Inputs.of_array(scaled)
        assert len(check_inputs(make_feed(network, data), network, data).readings) == count


def test_networks_with_layers_of_the_callers_own_are_looked_at_too(scaled):
    model = learnt_from(scaled, Doubled(), keras.layers.BatchNormalization())
    assert finetuned(model, scaled).result.warnings == ()
    (warning,) = finetuned(model, (scaled + 1) * 127.5).result.warnings
    assert "inputs look like 0 to 255, this file expects about -1 to 1" in warning


def test_arrays_without_a_finite_value_are_told_of_and_their_json_holds_no_infinity(scaled):
    network = read_model(learnt_from(scaled, keras.layers.ReLU(), keras.layers.BatchNormalization()))
    data = Inputs.of_array(np.full_like(scaled, np.nan))
    found = check_inputs(make_feed(network, data), network, data)
    assert str(found).splitlines()[0] == "inputs hold no finite value"
    values = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert [values[name] for name in ("low", "high", "mean", "std")] == [None, None, [None] * 3, [None] * 3]
    (warning,) = warn_of_inputs(make_feed(network, data), network, data, seed=0)
    assert f"NaN or infinite: {scaled.size:,}" in warning


def test_one_value_that_is_not_finite_leaves_the_others_described(scaled):
    network = read_model(learnt_from(scaled, keras.layers.ReLU(), keras.layers.BatchNormalization()))
    rows = scaled.copy()
    rows[0, 0, 0, 1] = np.inf
    data = Inputs.of_array(rows)
    found = check_inputs(make_feed(network, data), network, data)
    assert (found.low, found.high) == (scaled.min(), scaled.max())
    assert found.mean[0] == pytest.approx(scaled[..., 0].mean(dtype=np.float64))
    json.dumps(found.to_json(), allow_nan=False)


@pytest.mark.parametrize("learnt", PREPROCESSINGS)
def test_a_network_that_learnt_photographs_prepared_in_one_way_tells_it_from_the_others_on_other_crops(learnt):
    keras.utils.set_random_seed(2)
    inputs = keras.Input((160, 160, 3), name="pixels")
    x = keras.layers.Conv2D(12, 5, strides=2, kernel_initializer="random_normal", name="conv")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.BatchNormalization(name="norm")(x))
    model = keras.Model(inputs, keras.layers.Dense(2, name="label")(x))
    pictures, others = (np.concatenate([crops(0, seed), crops(1, seed)]) for seed in (1, 2))
    values = keras.Model(inputs, model.get_layer("conv").output)(prepare(pictures, PREPROCESSINGS[learnt]))
    values = np.asarray(values).reshape(-1, 12)
    model.get_layer("norm").set_weights([np.ones(12), np.zeros(12), values.mean(0), values.var(0)])
    network, data = read_model(model), Inputs("photographs", tuple(map(str, range(32))), others)
    for given in PREPROCESSINGS:
        found = check_inputs(make_feed(network, data, preprocessing=given), network, data)
        if given == learnt:
            assert found.slips == ()
            continue
        assert found.readings[0][0] == learnt, (given, found.readings)
        assert f"--preprocessing {learnt}" in found.slips[0].next_step
