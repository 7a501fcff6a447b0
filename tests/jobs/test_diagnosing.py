"""Networks that are known to be ill or well, and one small enough to be worked out by hand."""

import json
import math
from pathlib import Path

import keras
import numpy as np
import pytest
from sample_pictures import crops

import transfer
from transfer.errors import DataError, LayerError, OutputError
from transfer.jobs.diagnoses.diagnosing import diagnose

L = keras.layers
CLIPART = Path(__file__).parents[2] / "examples" / "data" / "clipart"
RANDOM = np.random.default_rng(0)
LABELS = np.arange(120) % 5
POINTS = (RANDOM.normal(size=(5, 32))[LABELS] + RANDOM.normal(size=(120, 32))).astype(np.float32) / np.sqrt(2)
BYTES = RANDOM.integers(0, 256, (120, 32)).astype(np.float32)


def deep(activation: str, initializer: str = "glorot_uniform", depth: int = 10, *, seed: int = 1) -> keras.Model:
    """`depth` hidden layers of 48 units, and five logits."""
    keras.utils.set_random_seed(seed)
    inputs = x = keras.Input((32,))
    for place in range(depth):
        x = L.Dense(48, activation, kernel_initializer=initializer, name=f"hidden_{place}")(x)
    return keras.Model(inputs, L.Dense(5, name="logits")(x), name=f"deep_{activation}")


def plant(model: keras.Model, layer: str, units: list[int], value: float = -10.0) -> keras.Model:
    """Biases of -10 for some units."""
    kernel, bias = model.get_layer(layer).get_weights()
    bias[units] = value
    model.get_layer(layer).set_weights([kernel, bias])
    return model


def kinds(diagnosis: transfer.Diagnosis) -> list[str]:
    return [each.kind for each in diagnosis.faults]


def test_a_deep_sigmoid_network_is_diagnosed_layer_by_layer():
    found = diagnose(deep("sigmoid"), (POINTS, LABELS))
    assert kinds(found) == ["vanishing"]
    (finding,) = found.faults
    assert "10 x sigmoid" in finding.cause
    assert finding.layers[:5] == tuple(f"hidden_{place}" for place in range(5))
    assert found.gradients.verdict == "vanishing"
    assert found.gradients.decades > 4
    ratios = [each.ratio for each in found.gradients.layers]
    assert ratios == sorted(ratios)  # smaller with each layer towards the input
    assert all(each.slope < 0.25 for each in found.activations)
    assert found.is_new


@pytest.mark.parametrize(("activation", "initializer"), [("relu", "he_normal"), ("tanh", "glorot_uniform")])
def test_the_same_with_relu_and_he_initialisation_is_not(activation: str, initializer: str):
    found = diagnose(deep(activation, initializer), (POINTS, LABELS))
    assert kinds(found) == []
    assert found.gradients.verdict == "healthy"
    assert abs(found.gradients.decades) < 1
    assert "healthy" in str(found)


def test_dead_units_that_were_planted_are_all_found():
    planted = [2, 11, 30, 47]
    found = diagnose(plant(deep("relu", "he_normal", 3), "hidden_0", planted), (POINTS, LABELS))
    assert found.activations[0].dead == tuple(planted)
    (finding,) = [each for each in found.findings if each.kind == "dead units"]
    assert finding.layers[0] == "hidden_0"
    assert "hidden_0 4 of 48 (2, 11, 30, 47)" in finding.evidence


def test_dead_channels_that_were_planted_are_all_found():
    keras.utils.set_random_seed(2)
    model = keras.Sequential(
        [keras.Input((9, 9, 2)), L.Conv2D(8, 3, name="conv"), L.ReLU(6.0, name="act"), L.Flatten(), L.Dense(5)]
    )
    plant(model, "conv", [0, 5])
    images = RANDOM.normal(size=(120, 9, 9, 2)).astype(np.float32)
    found = diagnose(model, (images, LABELS))
    assert [(each.layer, each.activation, each.dead) for each in found.activations] == [("act", "relu6", (0, 5))]


def test_an_input_that_is_not_scaled_is_named_as_the_cause_and_the_same_one_scaled_is_not():
    found = diagnose(deep("tanh", depth=4), (BYTES, LABELS))
    assert kinds(found) == ["input scale"]
    assert found.faults[0].layers == ("hidden_0",)
    assert found.activations[0].saturated > 0.9
    assert (found.input.low, found.input.high) == (BYTES.min(), BYTES.max())
    assert kinds(diagnose(deep("tanh", depth=4), ((BYTES - 127.5) / 74, LABELS))) == []


@pytest.mark.parametrize("way", ["raw", "unit"])
def test_preprocessing_that_the_card_and_the_first_batch_norm_belie_is_the_first_fault(way):
    found = diagnose(
        "mobilenet_v2_imagenet", (crops(0), np.arange(16) % 2), preprocessing=way, size=(96, 96), batches=1
    )
    assert found.faults[0].kind == "input scale"
    assert "--preprocessing" in found.faults[0].advice
    assert not any(each.fix for each in found.findings)


def test_bytes_given_to_a_batch_norm_that_saw_0_to_1_are_the_first_fault():
    images = crops(0)
    inputs = keras.Input((*images.shape[1:3], 3))
    x = L.BatchNormalization(name="norm")(L.Conv2D(8, 3, name="conv")(inputs))
    model = keras.Model(inputs, L.Dense(2, name="logits")(L.GlobalAveragePooling2D()(L.ReLU()(x))))
    seen = np.asarray(model.get_layer("conv")(images / np.float32(255)))
    moments = [seen.mean((0, 1, 2)), seen.var((0, 1, 2))]
    model.get_layer("norm").set_weights([*model.get_layer("norm").get_weights()[:2], *moments])
    labels = np.arange(len(images)) % 2
    assert diagnose(model, (images.astype(np.float32), labels)).faults[0].kind == "input scale"
    assert "input scale" not in kinds(diagnose(model, (images / np.float32(255), labels)))


def test_every_number_of_a_small_network_can_be_worked_out_by_hand():
    keras.utils.set_random_seed(3)
    inputs = keras.Input((3,))
    x = L.Dense(4, "tanh", name="a", kernel_initializer=keras.initializers.RandomNormal(0, 2))(inputs)
    x = L.Dense(3, "relu", name="b")(x)
    model = keras.Model(inputs, L.Dense(2, "softmax", name="c")(x))
    points, labels = RANDOM.normal(size=(16, 3)).astype(np.float32), np.arange(16) % 2
    found = diagnose(model, (points, labels), batches=1)

    (wa, ba), (wb, bb), (wc, bc) = (model.get_layer(name).get_weights() for name in "abc")
    grads = dict.fromkeys("abc", 0.0)
    loss = flat_a = flat_b = 0.0
    slopes_a, outs_a, outs_b = [], [], []
    for point, label in zip(points.astype(np.float64), labels, strict=True):
        pre_a = point @ wa + ba
        out_a = np.tanh(pre_a)
        pre_b = out_a @ wb + bb
        out_b = np.maximum(pre_b, 0)
        logits = out_b @ wc + bc
        p = np.exp(logits) / np.exp(logits).sum()
        loss -= math.log(p[label]) / 16
        d_logits = (p - np.eye(2)[label]) / 16
        d_b = (wc @ d_logits) * (pre_b > 0)
        d_a = (wb @ d_b) * (1 - out_a**2)
        for name, left, right in (("a", point, d_a), ("b", out_a, d_b), ("c", out_b, d_logits)):
            grads[name] = grads[name] + np.outer(left, right)
        flat_a += sum(abs(each) >= 2.17827221 for each in pre_a)
        flat_b += sum(each <= 0 for each in pre_b)
        slopes_a += [1 - each**2 for each in out_a]
        outs_a += list(out_a)
        outs_b += list(out_b)

    first, second, last = found.activations
    assert first.low + first.high == pytest.approx(flat_a / 64)
    assert second.low == pytest.approx(flat_b / 48)
    assert first.slope == pytest.approx(math.sqrt(np.mean(np.square(slopes_a))), rel=1e-4)
    assert (first.mean, first.std) == pytest.approx((np.mean(outs_a), np.std(outs_a)), rel=1e-4)
    assert (second.mean, second.std) == pytest.approx((np.mean(outs_b), np.std(outs_b)), rel=1e-4)
    assert (last.activation, last.role) == ("softmax", "output")
    assert found.gradients.loss == pytest.approx(loss, rel=1e-4)
    for each, kernel in zip(found.gradients.layers, (wa, wb, wc), strict=True):
        assert each.gradient == pytest.approx(np.linalg.norm(grads[each.layer]), rel=1e-3)
        assert each.weights == pytest.approx(np.linalg.norm(kernel), rel=1e-5)


def test_a_softmax_over_another_axis_is_judged_along_it():
    inputs = keras.Input((4, 6))
    x = L.Softmax(axis=1, name="across")(L.Rescaling(100.0)(inputs))
    model = keras.Model(inputs, L.Dense(5)(L.Flatten()(x)))
    values = RANDOM.random((120, 4, 6)).astype(np.float32)
    values[:, :, 1:] = 0  # one position of six has a winner among the four; the others are undecided
    (report,) = diagnose(model, (values, LABELS), batches=1).activations
    assert report.units == 4
    powers = np.exp(100 * values[:, :, 0].astype(np.float64))
    shares = powers / powers.sum(1, keepdims=True)
    entropy = -(shares * np.log(np.maximum(shares, 1e-300))).sum(1)
    assert report.high == pytest.approx((entropy < 0.05 * math.log(4)).mean() / 6, abs=0.01)


def test_the_network_is_left_as_it_is():
    model = deep("relu", "he_normal", 2)
    before = [each.tobytes() for each in model.get_weights()]
    diagnose(model, (POINTS, LABELS))
    assert [each.tobytes() for each in model.get_weights()] == before


def test_the_same_seed_gives_the_same_diagnosis():
    first, second, other = (
        diagnose(deep("tanh", depth=2), (POINTS, LABELS), seed=seed, batches=3) for seed in (4, 4, 5)
    )
    assert first.to_json() == second.to_json()
    assert first.gradients != other.gradients
    assert first.activations == other.activations


def test_batch_normalization_that_saw_no_data_works_on_statistics_of_the_data():
    keras.utils.set_random_seed(3)
    inputs = x = keras.Input((32,))
    for _ in range(8):
        x = L.Activation("sigmoid")(L.BatchNormalization()(L.Dense(48)(x)))
    model = keras.Model(inputs, L.Dense(5)(x))
    found = diagnose(model, (POINTS, LABELS))
    assert kinds(found) == []
    assert "had seen no data" in found.notes[-1]
    assert abs(found.gradients.decades) < 2
    assert np.asarray(model.layers[2].moving_mean).any() == np.False_


def test_outputs_that_are_not_the_classes_of_the_data_are_replaced_by_a_fresh_head():
    keras.utils.set_random_seed(3)
    inputs = keras.Input((32,))
    x = L.Dense(16, "relu", name="hidden")(inputs)
    model = keras.Model(inputs, L.Dense(9, "softmax", name="old")(x))
    found = diagnose(model, (POINTS, LABELS))
    assert "fresh head 'label' in place of old" in found.notes[0]
    assert [each.layer for each in found.gradients.layers] == ["hidden", "label"]
    assert [each.layer for each in found.activations] == ["hidden"]
    assert found.gradients.loss == pytest.approx(math.log(5), rel=0.5)


def test_layers_of_nested_models_go_by_their_paths_and_what_cannot_be_watched_is_listed():
    keras.utils.set_random_seed(3)
    inner = keras.Sequential([keras.Input((8, 4)), L.Dense(6, "relu", name="a"), L.LSTM(5, name="lstm")], name="trunk")
    inputs = keras.Input((8, 4))
    model = keras.Model(inputs, L.Dense(5, name="out")(inner(inputs)))
    found = diagnose(model, (RANDOM.normal(size=(120, 8, 4)).astype(np.float32), LABELS))
    assert [each.layer for each in found.activations] == ["trunk/a"]
    assert [each.layer for each in found.gradients.layers] == ["trunk/a", "trunk/lstm", "out"]
    assert found.hidden == (("trunk/lstm", "LSTM"),)


class Halved(keras.layers.Layer):
    """A layer of the caller's own."""

    def call(self, inputs):
        return inputs / 2


def test_layers_of_the_callers_own_are_listed_and_looked_around():
    keras.utils.set_random_seed(3)
    inputs = keras.Input((32,))
    x = Halved(name="own")(L.Dense(16, "relu", name="hidden")(inputs))
    found = diagnose(keras.Model(inputs, L.Dense(5, name="out")(x)), (POINTS, LABELS))
    assert found.hidden == (("own", "Halved"),)
    assert [each.layer for each in found.gradients.layers] == ["hidden", "out"]
    other = diagnose(keras.Model(inputs, L.Dense(9, name="out")(x)), (POINTS, LABELS))
    assert [each.layer for each in other.gradients.layers] == ["hidden", "label"]


def test_shipped_networks_on_what_they_are_for_raise_no_alarm(digits_folder):
    found = diagnose("digits_mlp", transfer.read_labelled(digits_folder))
    assert kinds(found) == []
    assert found.gradients.verdict == "healthy"
    assert not found.is_new
    clipart = transfer.read_labelled(CLIPART)
    some = clipart.subset(np.arange(0, len(clipart), 12))
    found = diagnose("mobilenet_v2_imagenet", some, size=(96, 96), batches=1)
    assert kinds(found) == []
    assert len(found.activations) == 35
    assert {each.activation for each in found.activations} == {"relu6"}
    assert found.gradients.verdict == "healthy"
    assert len(found.gradients.layers) == 53


def test_a_run_is_fed_as_it_learnt_and_says_how_far_its_steps_went(student, digits_folder, tmp_path):
    data = transfer.read_labelled(digits_folder)
    recipe = transfer.Recipe(
        (transfer.Stage("probe"), transfer.Stage("tune", unfreeze_from="dense_2", epochs=3, rate=1e-3)), seed=1
    )
    run = transfer.finetune(student, data, recipe=recipe, out=tmp_path / "run")
    found = diagnose(tmp_path / "run", data)
    history = [json.loads(line) for line in (tmp_path / "run" / "history.jsonl").read_text().splitlines()]
    recorded = [line["updates"] for line in history if line["stage"] == "tune"]
    assert {each.layer: each.ratios for each in found.updates} == {
        name: tuple(line[name] for line in recorded) for name in ("dense_2", "label")
    }
    assert kinds(found) == []
    assert (found.input.low, found.input.high) == (0, 1)
    assert found.notes == ()
    assert diagnose(run, data).activations == found.activations
    history = tmp_path / "run" / "history.jsonl"
    history.write_text(history.read_text() + '{"stage": "tu')
    torn = diagnose(tmp_path / "run", data)
    assert torn.updates == found.updates
    assert "damaged lines of history.jsonl" in torn.notes[-1]
    history.unlink()
    without = diagnose(tmp_path / "run", data)
    assert without.updates == ()
    assert "history.jsonl cannot be read" in without.notes[-1]
    with pytest.raises(DataError) as caught:
        diagnose(run, data, preprocessing="unit")
    assert "prepares images itself" in str(caught.value)


def test_what_becomes_of_a_run_says_how_it_is_asked_again(student, digits_folder, tmp_path):
    data = transfer.read_labelled(digits_folder)
    run = transfer.finetune(
        student, data, recipe=transfer.Recipe(transfer.Stage("probe"), seed=1), out=tmp_path / "run"
    )
    few = diagnose(run, data, fix=tmp_path / "mended.keras")
    assert "30 examples do not show that a unit is dead" in few.findings[0].evidence
    assert few.fixes[-1] == "nothing written"
    layer = next(each for each in run.model.layers if each.name == "dense_1")
    plant(run.model, layer.name, [0, 5, 9], -1e3)
    many = data.subset(np.tile(np.arange(30), 4))
    mended = diagnose(run, many, fix=tmp_path / "mended.keras")
    assert mended.fixes[-1].endswith("--preprocessing raw --size 28x28")
    again = diagnose(tmp_path / "mended.keras", many, preprocessing="raw", size=(28, 28))
    dead = [set(each.dead) for each in mended.activations]
    assert dead[0] >= {0, 5, 9}
    assert [set(each.dead) for each in again.activations] == [dead[0] - {0, 5, 9}, *dead[1:]]


def test_labels_of_a_run_go_by_their_names(digits_run, digits, write_pictures, tmp_path):
    images, labels = digits
    two = write_pictures(tmp_path / "two", images[labels > 0], labels[labels > 0])
    part = diagnose(digits_run, transfer.read_labelled(two), batches=1)
    assert part.gradients.loss < 0.5  # class 1 is not mistaken for class 0, the first of the run
    assert part.examples == 20


def test_examples_that_cannot_be_read_end_it_or_are_left_out(student, digits, write_pictures, truncate, tmp_path):
    folder = write_pictures(tmp_path / "pictures", *digits)
    data = transfer.read_labelled(folder)
    data.inputs[4].write_bytes(truncate(tmp_path / "broken.jpg").read_bytes())
    with pytest.raises(DataError) as caught:
        diagnose(student, data)
    assert [problem.where for problem in caught.value.problems] == [data.names[4]]
    found = diagnose(student, data, skip_unreadable=True)
    assert found.examples == len(data) - 1


def test_values_that_are_not_finite_are_laid_to_the_first_layer_that_has_them():
    model = deep("relu", "he_normal", 3)
    kernel, bias = model.get_layer("hidden_1").get_weights()
    kernel[3, 4] = np.nan
    model.get_layer("hidden_1").set_weights([kernel, bias])
    found = diagnose(model, (POINTS, LABELS))
    assert [(each.kind, each.layers) for each in found.faults] == [("not finite", ("hidden_1",))]


def test_what_cannot_be_looked_into_is_refused():
    inputs = [keras.Input((4,)), keras.Input((4,))]
    with pytest.raises(LayerError):
        diagnose(keras.Model(inputs, L.Dense(2)(L.Add()(inputs))), (POINTS[:, :4], LABELS))
    with pytest.raises(DataError):
        diagnose(deep("relu"), (POINTS[:, :4], LABELS))
    with pytest.raises(ValueError):
        diagnose(deep("relu"), (POINTS, LABELS), batches=0)


def mended(model: keras.Model, out: Path, points: np.ndarray = POINTS) -> tuple[transfer.Diagnosis, transfer.Diagnosis]:
    """The diagnosis with its fix, and that of the written file."""
    return diagnose(model, (points, LABELS), fix=out), diagnose(out, (points, LABELS))


def test_a_new_sigmoid_network_is_written_with_relu_and_he_and_that_helps(tmp_path):
    before, after = mended(deep("sigmoid"), tmp_path / "mended.keras")
    assert "relu as the activation of hidden_0" in before.fixes[0]
    assert before.fixes[-1] == f"wrote {tmp_path / 'mended.keras'}"
    assert (kinds(before), kinds(after)) == (["vanishing"], [])
    assert abs(after.gradients.decades) < 1
    stock = keras.models.load_model(tmp_path / "mended.keras")
    assert stock.get_layer("hidden_3").activation is keras.activations.relu
    kernel = stock.get_layer("hidden_3").get_weights()[0]
    assert kernel.std() == pytest.approx(math.sqrt(2 / 48), rel=0.1)


def test_an_unscaled_input_gets_a_layer_that_scales_it_and_that_helps(tmp_path):
    before, after = mended(deep("tanh", depth=3), tmp_path / "mended.weights.h5", BYTES)
    assert (kinds(before), kinds(after)) == (["input scale"], [])
    assert after.activations[0].saturated < 0.1
    assert (after.input.mean, after.input.std) == pytest.approx((0, 1), abs=1e-4)


@pytest.mark.parametrize(("spread", "activation", "kind"), [(1.0, "relu", "exploding"), (3.0, "tanh", "saturated")])
def test_a_new_network_of_wild_weights_starts_anew_and_that_helps(tmp_path, spread, activation, kind):
    model = deep(activation, keras.initializers.RandomNormal(0, spread))
    before, after = mended(model, tmp_path / "mended.keras")
    assert kind in kinds(before)
    assert kinds(after) == []


def test_dead_units_are_started_anew_without_changing_any_output(tmp_path):
    keras.utils.set_random_seed(2)
    layers = [L.Conv2D(8, 3, activation="relu", name="conv"), L.MaxPooling2D(), L.Conv2D(6, 2, activation="relu")]
    layers += [L.Flatten(), L.Dropout(0.2), L.Dense(7, activation="relu", name="wide"), L.Dense(5)]
    model = plant(plant(keras.Sequential([keras.Input((9, 9, 2)), *layers]), "conv", [0, 5], -30), "wide", [3], -30)
    images = RANDOM.normal(size=(120, 9, 9, 2)).astype(np.float32)
    model.layers[-1].bias.assign(np.full(5, 0.1))
    before = diagnose(model, (images, LABELS), fix=tmp_path / "mended.keras")
    assert before.activations[0].dead == (0, 5)
    assert not before.is_new
    assert "logits of 64 examples stay" in before.fixes[0]
    after = diagnose(tmp_path / "mended.keras", (images, LABELS))
    assert (after.activations[0].dead, after.activations[2].dead) == ((), ())
    stock = keras.models.load_model(tmp_path / "mended.keras")
    np.testing.assert_allclose(stock.predict(images, verbose=0), model.predict(images, verbose=0), atol=1e-5)
    assert stock.get_layer("conv").get_weights()[1][[0, 5]].tolist() == [0, 0]


def test_few_dead_units_of_a_trained_network_stay_where_other_inputs_may_wake_them(tmp_path):
    model = deep("relu", "he_normal", 1)
    kernel, bias = model.layers[1].get_weights()
    kernel[:, 3], bias[3] = 0, -0.1  # never
    kernel[:, 7], bias[7] = np.eye(32)[0], -POINTS[:, 0].max() - 0.1  # never in this range
    kernel[:, 9], bias[9] = 1, -POINTS.sum(1).max() - 0.1  # where more values than here are large at a time
    model.layers[1].set_weights([kernel, bias])
    before, after = mended(model, tmp_path / "mended.keras")
    assert [each.severity for each in before.findings] == ["remark"]
    assert (before.activations[0].dead, after.activations[0].dead) == ((3, 7, 9), (9,))
    assert "started anew: 2 of hidden_0" in before.fixes[0]
    model.layers[1].set_weights([kernel, np.where(np.isin(np.arange(48), (3, 7)), 9, bias)])
    found = diagnose(model, (POINTS, LABELS), fix=tmp_path / "again.keras")
    assert "inputs beside these may wake them" in found.fixes[0]
    assert not (tmp_path / "again.keras").exists()


def sure() -> keras.Model:
    """Half of its units work for a positive first value, half for a negative one; its probabilities are 0 and 1."""
    inputs = keras.Input((2,))
    x = L.Dense(8, "relu", name="hidden")(inputs)
    model = keras.Model(inputs, L.Dense(2, "softmax", name="out")(x))
    side = np.repeat([1.0, -1.0], 4)
    model.get_layer("hidden").set_weights([np.stack([side, np.zeros(8)]), np.full(8, 0.1)])
    model.get_layer("out").set_weights([50 * np.stack([side > 0, side < 0], 1), np.array([0.1, -0.1])])
    return model


@pytest.mark.parametrize("many", [40, 400])
def test_a_sure_network_on_one_sided_data_loses_nothing(tmp_path, many):
    points = RANDOM.normal(size=(many, 2)) * 0.3 + [6, 0]
    model = sure()
    assert (model.predict(points, verbose=0) == [1, 0]).all()
    found = diagnose(model, (points, np.arange(many) % 2), fix=tmp_path / "mended.keras")
    assert found.activations[0].dead == (4, 5, 6, 7)
    if many == 40:
        assert found.fixes[-1] == "nothing written"
        return
    kept = keras.models.load_model(tmp_path / "mended.keras").predict(points, verbose=0)
    np.testing.assert_allclose(kept, model.predict(points, verbose=0))
    assert "logits of 64 examples stay" in found.fixes[0]


@pytest.mark.parametrize("many", [8, 240])
def test_data_of_some_classes_erases_nothing_of_the_others(tmp_path, many):
    model = deep("relu", "he_normal", 1)
    model.layers[1].bias.assign(np.where(np.arange(48) < 40, -99, 0.1))
    found = diagnose(model, (np.tile(POINTS, (2, 1))[:many], np.arange(many) % 2), fix=tmp_path / "mended.keras")
    (finding,) = [each for each in found.findings if each.kind == "dead units"]
    assert (finding.severity, finding.fix) == ("remark", "")
    assert f"{many} examples do not show" in finding.evidence
    assert found.fixes[-1] == "nothing written"
    assert not (tmp_path / "mended.keras").exists()


def test_what_was_written_for_a_dead_layer_waits_for_a_step_and_is_no_fault(tmp_path):
    inputs = keras.Input((32,))
    x = L.Dense(48, "relu", name="stem")(inputs)
    branch = L.Dense(48, name="out")(L.Dense(48, "relu", name="into")(x))
    model = keras.Model(inputs, L.Dense(5, name="logits")(L.Add()([x, branch])))
    plant(model, "into", list(range(48)))
    before, after = mended(model, tmp_path / "mended.keras")
    assert "vanishing" in kinds(before)
    assert "vanishing" not in kinds(after)
    assert any("its kernel is 0" in each for each in after.notes)


def test_each_finding_ends_in_what_was_done_or_in_why_not(tmp_path):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((32,))
    x = L.Dense(48, "relu", name="rectified")(inputs)
    for _ in range(10):
        x = L.Dense(32, "sigmoid")(x)
    model = keras.Model(inputs, L.Dense(5)(x))
    kernel, bias = model.get_layer("rectified").get_weights()
    model.get_layer("rectified").set_weights([np.where(np.arange(48) < 30, -np.abs(kernel), kernel), bias])
    found = diagnose(model, (np.abs(POINTS), LABELS), fix=tmp_path / "mended.keras")
    assert {each.fix for each in found.findings} == {"rectify", "revive"}
    for each in found.findings:
        assert any(each.kind in sentence for sentence in found.fixes), each.kind
    assert "run it again on what is written" in "".join(found.fixes)
    *settled, wrote = found.fixes
    assert wrote.startswith("wrote")
    assert len(settled) >= len(found.findings)


def test_a_network_that_died_as_a_whole_lives_again(tmp_path):
    model = deep("relu", "he_normal", 3)
    model.get_layer("hidden_0").bias.assign(np.full(48, -99.0))
    before, after = mended(model, tmp_path / "mended.keras")
    assert kinds(before) == ["dead units", "vanishing"]
    assert "all units of hidden_0 are dead" in before.faults[1].cause
    assert "answered alike" in before.fixes[0]
    assert before.fixes[1].startswith("vanishing")
    assert kinds(after) == []


def test_what_cannot_safely_be_changed_is_refused_with_the_reason_and_nothing_is_written(tmp_path):
    keras.utils.set_random_seed(2)
    model = keras.Sequential(
        [keras.Input((32,)), L.Dense(8, name="a"), L.ReLU(name="act"), L.LayerNormalization(), L.Dense(5)]
    )
    found = diagnose(plant(model, "a", [1]), (POINTS, LABELS), fix=tmp_path / "mended.keras")
    assert found.fixes[-1] == "nothing written"
    assert "LayerNormalization" in found.fixes[0]
    trained = deep("sigmoid")
    trained.get_layer("hidden_0").bias.assign_add(np.full(48, 0.01))
    found = diagnose(trained, (POINTS, LABELS), fix=tmp_path / "mended.keras")
    assert not found.is_new
    assert "nothing is changed of itself" in found.fixes[0]
    found = diagnose(deep("relu", "he_normal", 1), (POINTS, LABELS), fix=tmp_path / "mended.keras")
    assert not (tmp_path / "mended.keras").exists()


def test_an_existing_file_is_not_replaced_without_being_asked_to(tmp_path):
    (tmp_path / "there.keras").write_text("mine")
    with pytest.raises(OutputError):
        diagnose(deep("sigmoid"), (POINTS, LABELS), fix=tmp_path / "there.keras")
    assert (tmp_path / "there.keras").read_text() == "mine"
    diagnose(deep("sigmoid"), (POINTS, LABELS), fix=tmp_path / "there.keras", force=True)
    assert diagnose(tmp_path / "there.keras", (POINTS, LABELS)).faults == ()


def test_a_layer_that_lets_nothing_pass_early_in_a_trained_network_is_a_fault():
    keras.utils.set_random_seed(0)
    layers = [L.Dense(32, "hard_tanh" if place == 2 else "tanh", name=f"d{place}") for place in range(12)]
    model = keras.Sequential([keras.Input((32,)), *layers, L.Dense(5, name="out")])
    kernel, _ = model.get_layer("d2").get_weights()
    model.get_layer("d2").set_weights([kernel * 0.02, np.where(np.arange(32) % 2, 50, -50)])
    model.get_layer("d3").bias.assign(RANDOM.normal(size=32))
    found = diagnose(model, (POINTS, LABELS))
    assert found.gradients.verdict == "vanishing"
    vanishing = next(each for each in found.faults if each.kind == "vanishing")
    assert vanishing.layers == ("d0", "d1", "d2")
    assert "all units of d2 are flat" in vanishing.cause
    assert "healthy  " not in str(found)


def test_a_network_that_is_sure_and_right_is_not_judged_by_gradients_that_are_not_there():
    points = np.concatenate([RANDOM.normal(size=(60, 2)) * 0.3 + [side, 0] for side in (6, -6)])
    found = diagnose(sure(), (points, np.repeat([0, 1], 60)))
    assert found.gradients.loss == 0
    assert found.faults == ()
    assert "the loss is 0: no gradient to judge" in found.notes
    assert "gradients not judged" in str(found)
