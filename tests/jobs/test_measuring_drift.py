"""Whether a checkpoint fits the data: on the shipped network with photographs and clip-art, and on small ones."""

import keras
import numpy as np
import pytest
from PIL import Image
from sample_pictures import clipart, crops, wrong_ways

import transfer
from transfer.analysis.drift import MARKED
from transfer.data.inputs import read_inputs
from transfer.errors import DataError, LayerError
from transfer.models.building import attach_card

PHOTOGRAPHS = ("temple", "flower", "both")


@pytest.fixture(scope="module")
def network() -> object:
    return transfer.restore("mobilenet_v2_imagenet")


@pytest.fixture(scope="module")
def sets() -> dict[str, object]:
    temple, flower = crops(0), crops(1)
    return {"temple": temple, "flower": flower, "both": np.concatenate([temple, flower]), "clip-art": clipart(32)}


@pytest.fixture(scope="module")
def right(network, sets) -> dict[str, transfer.Drift]:
    """The drift of each set, prepared as the card says."""
    return {name: transfer.measure_drift(network, data) for name, data in sets.items()}


@pytest.mark.parametrize("name", ["both", "clip-art"])
def test_the_right_preprocessing_has_a_lower_score_than_six_wrong_ones(network, sets, right, name):
    scores = {
        way: transfer.measure_drift(network, sets[name], preprocessing=each)
        for way, each in wrong_ways(network.card.preprocessing).items()
    }
    assert right[name].score < min(found.score for found in scores.values()), {k: d.score for k, d in scores.items()}
    assert not right[name].inputs.slips
    for way, found in scores.items():
        assert found.inputs.slips, way
        assert found.verdict.startswith("check the preprocessing: "), way
        assert "--preprocessing" in found.advice[0], way
        fits = dict(found.inputs.readings)
        assert fits["card"] < fits["as given"] or way == "BGR", way


def test_colours_in_the_wrong_order_are_caught_without_a_card(network, sets):
    bare = keras.models.clone_model(network.model)
    bare.set_weights(network.model.get_weights())
    attach_card(bare, None)
    look = wrong_ways(network.card.preprocessing)["BGR"]
    found = transfer.measure_drift(bare, sets["both"], preprocessing=look)
    assert found.is_swapped
    assert any("BGR" in each for each in found.remarks)
    assert "red and blue" not in found.verdict
    swapped_back = transfer.measure_drift(bare, sets["both"][..., ::-1], preprocessing=look)
    assert not swapped_back.is_swapped
    assert swapped_back.score < found.score
    assert swapped_back.colours == pytest.approx(found.colours[::-1], rel=1e-6)
    assert not any("BGR" in each for each in swapped_back.remarks)


def test_colours_of_arrays_in_the_wrong_order_are_noted_beside_the_score_also_with_a_card(network, sets, right):
    found = transfer.measure_drift(network, sets["both"][..., ::-1])
    assert found.is_swapped
    assert any("BGR" in each for each in found.remarks)
    assert found.verdict.startswith(f"score {found.score:.3f}: ")
    assert found.score > right["both"].score


def test_pictures_that_are_just_blue_are_not_taken_for_swapped_ones(network, sets, tmp_path):
    blue = (sets["both"] * np.array([0.3, 0.7, 1.0])).astype(np.uint8)
    for place, image in enumerate(blue):
        Image.fromarray(image).save(tmp_path / f"{place:02}.png")
    found = transfer.measure_drift(network, read_inputs([tmp_path]))
    assert found.colours is None
    assert not any("red" in each for each in (found.verdict, *found.advice, *found.remarks))
    as_array = transfer.measure_drift(network, blue)  # here they may be: a note, and all else stays
    assert as_array.is_swapped
    assert (as_array.verdict, as_array.advice) == (found.verdict, found.advice)
    assert as_array.score == pytest.approx(found.score, rel=1e-5)


def test_clipart_drifts_more_than_any_photographs(right):
    assert right["clip-art"].score > MARKED > max(right[name].score for name in PHOTOGRAPHS)
    assert "batch_norm='train'" in right["clip-art"].advice[0]
    assert not any(found.is_swapped for found in right.values())
    assert right["both"].advice == ()
    assert "data like that in training" in right["both"].verdict


def test_every_batch_norm_of_the_network_is_compared(network, right):
    norms = [each.name for each in network.model.layers if isinstance(each, keras.layers.BatchNormalization)]
    assert [layer.layer for layer in right["both"].layers] == norms
    assert right["both"].layers[0].positions == 80 * 80
    assert right["both"].examples == 32


# Small networks


def create_backbone() -> keras.Model:
    inputs = keras.Input((8, 8, 3), name="pixels")
    x = keras.layers.Conv2D(6, 3, name="conv_1")(inputs)
    x = keras.layers.ReLU(name="relu_1")(keras.layers.BatchNormalization(name="norm_1")(x))
    x = keras.layers.Conv2D(8, 3, name="conv_2")(x)
    x = keras.layers.ReLU(name="relu_2")(keras.layers.BatchNormalization(name="norm_2")(x))
    x = keras.layers.Conv2D(8, 3, name="conv_3")(x)
    return keras.Model(inputs, keras.layers.BatchNormalization(name="norm_3")(x), name="backbone")


@pytest.fixture
def nested() -> keras.Model:
    keras.utils.set_random_seed(3)
    inputs = keras.Input((8, 8, 3), name="image")
    x = keras.layers.GlobalAveragePooling2D(name="pool")(create_backbone()(inputs))
    return keras.Model(inputs, keras.layers.Dense(2, name="classes")(x))


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(4).normal(size=(40, 8, 8, 3)).astype(np.float32)


def learn_statistics(model: keras.Model, images: np.ndarray) -> None:
    """Give each batch norm inside the backbone the statistics of what it gets, first to last."""
    backbone = model.get_layer("backbone")
    for name in ("norm_1", "norm_2", "norm_3"):
        layer = backbone.get_layer(name)
        values = keras.Model(backbone.inputs, layer.input).predict(images, verbose=0)
        layer.set_weights([*layer.get_weights()[:2], values.mean((0, 1, 2)), values.var((0, 1, 2))])


def test_data_that_the_statistics_are_from_has_no_drift(nested, images):
    learn_statistics(nested, images)
    found = transfer.measure_drift(nested, images)
    assert [layer.layer for layer in found.layers] == [f"backbone/norm_{k}" for k in (1, 2, 3)]
    assert found.score == pytest.approx(0, abs=1e-8)
    assert [layer.spread for layer in found.layers] == pytest.approx([1, 1, 1], abs=1e-4)


def test_a_mean_that_moved_by_two_deviations_scores_two_in_every_channel(nested, images):
    learn_statistics(nested, images)
    layer = nested.get_layer("backbone").get_layer("norm_2")
    gamma, beta, mean, variance = layer.get_weights()
    layer.set_weights([gamma, beta, mean + 2 * np.sqrt(variance + layer.epsilon), variance])
    found = transfer.measure_drift(nested, images).layers[1]
    assert found.shift == pytest.approx(2, rel=1e-4)
    assert found.score == pytest.approx(2, rel=1e-4)


def test_where_the_domains_part_a_cut_inside_the_nested_model_is_advised_that_extract_takes(nested, images):
    learn_statistics(nested, images)
    for name in ("norm_2", "norm_3"):
        layer = nested.get_layer("backbone").get_layer(name)
        gamma, beta, mean, variance = layer.get_weights()
        layer.set_weights([gamma, beta, mean - 3, variance * 9])
    found = transfer.measure_drift(nested, images)
    assert found.parts_at == "backbone/norm_2"
    assert "--at backbone/relu_1" in found.advice[0]
    kept = transfer.extract(nested, at="backbone/relu_1")
    assert kept.output_shape == (None, 6, 6, 6)


def test_the_model_stays_as_it_is_and_the_same_call_gives_the_same(nested, images):
    learn_statistics(nested, images)
    before = [np.array(each) for each in nested.get_weights()]
    first, second = (transfer.measure_drift(nested, images * 2, most=20, seed=5) for _ in range(2))
    assert first == second
    assert first.examples == 20
    assert "examples that were not looked at: 20" in first.notes
    assert all(np.array_equal(old, new) for old, new in zip(before, nested.get_weights(), strict=True))


def test_batch_norms_that_have_kept_nothing_are_left_out_and_told(nested, images):
    layer = nested.get_layer("backbone").get_layer("norm_3")
    layer.set_weights([*layer.get_weights()[:2], np.ones(8), np.full(8, 2.0)])
    found = transfer.measure_drift(nested, images)
    assert [layer.layer for layer in found.layers] == ["backbone/norm_3"]
    assert "batch norms that have kept nothing yet, left out: 2" in found.notes


def test_a_network_without_batch_norm_is_judged_by_its_card(digits):
    images, labels = digits
    data = transfer.from_arrays(images, labels)
    found = transfer.measure_drift("digits_mlp", data)
    assert found.score is None
    assert found.layers == ()
    assert found.advice == ()
    assert any("no batch norm" in note for note in found.notes)
    wrong = transfer.measure_drift("digits_mlp", data, preprocessing="raw")
    assert "inputs look like 0 to 255, this file expects about 0 to 1, as its card says" in wrong.verdict


def test_pictures_that_cannot_be_read_are_left_out_and_told(convolutional, colours, write_pictures, truncate, tmp_path):
    write_pictures(tmp_path, *colours)
    truncate(tmp_path / "digit_0" / "broken.jpg")
    found = transfer.measure_drift(convolutional, transfer.read_labelled(tmp_path), preprocessing="unit")
    assert found.examples == 16
    assert "examples that cannot be read: 1" in found.notes


@pytest.mark.parametrize("data", [np.zeros((0, 8, 8, 3)), np.zeros(4), np.zeros((3, 9, 9, 3))], ids=str)
def test_data_that_the_network_cannot_take_is_refused(nested, data):
    with pytest.raises(DataError) as caught:
        transfer.measure_drift(nested, data)
    assert caught.value.next_step
    with pytest.raises(ValueError, match="most"):
        transfer.measure_drift(nested, data, most=0)


def test_a_network_of_several_inputs_is_refused():
    left, right = keras.Input((4,)), keras.Input((4,))
    model = keras.Model([left, right], keras.layers.Add()([left, right]))
    with pytest.raises(LayerError, match="2 inputs") as caught:
        transfer.measure_drift(model, np.zeros((3, 4)))
    assert "keras.Model(" in caught.value.next_step


def test_a_run_and_its_folder_are_looked_at_as_the_run_feeds_its_network(digits_run, digits):
    data = transfer.from_arrays(*digits)
    found = transfer.measure_drift(digits_run, data)
    assert found.source == str(digits_run.folder)
    assert (found.inputs.low, found.inputs.high, found.inputs.slips) == (0, 255, ())
    assert transfer.measure_drift(digits_run.folder, data).to_json() == found.to_json()
    with pytest.raises(DataError) as caught:
        transfer.measure_drift(digits_run, data, preprocessing="raw")
    assert "leave out" in caught.value.next_step


class Tripled(keras.layers.Layer):
    """A layer of the caller's own."""

    def call(self, x):
        return 3 * x


def test_layers_of_the_callers_own_are_run_as_they_are(images):
    model = keras.Sequential([keras.Input((8, 8, 3)), Tripled(), keras.layers.BatchNormalization(name="norm")])
    values = 3 * images
    model.get_layer("norm").set_weights([np.ones(3), np.zeros(3), values.mean((0, 1, 2)), values.var((0, 1, 2))])
    found = transfer.measure_drift(model, images)
    assert found.score == pytest.approx(0, abs=1e-8)
    assert transfer.measure_drift(model, images[..., ::-1] + 1).score > 0.01


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_a_batch_norm_is_compared_along_its_own_axis(images, axis):
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.BatchNormalization(axis=axis, name="norm")])
    others = tuple(each for each in range(4) if each != axis)
    mean, variance = images.mean(others, dtype=np.float64), images.var(others, dtype=np.float64)
    units = images.shape[axis]
    model.get_layer("norm").set_weights([np.ones(units), np.zeros(units), mean + 1, variance * 4])
    (found,) = transfer.measure_drift(model, images).layers
    assert (found.channels, found.positions) == (units, 8 * 8 * 3 // units)
    a, c = 4 * variance + 1e-3, variance + 1e-3
    assert found.score == pytest.approx(((a / c + c / a - 2 + 1 / a + 1 / c) / 4).mean(), rel=1e-4)


def test_batch_norm_on_rows_of_numbers_is_compared_column_by_column():
    inputs = keras.Input((3,), name="columns")
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.BatchNormalization(name="norm", epsilon=0)(inputs)))
    mean, variance = np.array([1.0, -2.0, 0.0]), np.array([4.0, 1.0, 9.0])
    model.get_layer("norm").set_weights([np.ones(3), np.zeros(3), mean, variance])
    rows = np.random.default_rng(0).normal([1, -2, 6], [2, 1, 3], (4000, 3))
    found = transfer.measure_drift(model, rows, most=4000)
    a, c = variance, rows.var(0)
    expected = (a / c + c / a - 2 + (rows.mean(0) - mean) ** 2 * (1 / a + 1 / c)) / 4
    assert found.score == pytest.approx(expected.mean(), rel=1e-4)
    assert found.layers[0].cut == ""
    assert found.inputs.readings == ()
    assert found.parts_at == "norm"
