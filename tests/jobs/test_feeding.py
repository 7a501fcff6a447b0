"""What goes into a network: its preprocessing by layers is the preprocessing by hand."""

import json
from functools import partial

import keras
import numpy as np
import pytest
from keras.applications.imagenet_utils import preprocess_input
from PIL import Image

import transfer
from transfer.data.named_inputs import NamedInput
from transfer.errors import DataError, LayerError
from transfer.jobs.examples.feeding import Feed, feed_of_run, make_feed
from transfer.models.building import read_model
from transfer.specs import PREPROCESSINGS, Preprocessing

solve = partial(transfer.finetune, recipe=transfer.Recipe(transfer.Stage("probe")))


def prepared(mode: str, images: np.ndarray) -> np.ndarray:
    """As keras.applications prepares images for the networks of that name."""
    images = images.astype(np.float32)
    if mode == "raw":
        return images
    return images / 255 if mode == "unit" else preprocess_input(images, data_format="channels_last", mode=mode)


def probabilities(student: keras.Model, inputs: np.ndarray, run: transfer.Run) -> np.ndarray:
    """What the plain network makes of prepared inputs, with the head that the run solved."""
    plain = keras.models.clone_model(student)
    plain.set_weights(student.get_weights())
    plain.get_layer("label").set_weights(run.model.get_layer("label").get_weights())
    logits = plain.predict(inputs, verbose=0).astype(np.float64)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def from_stock_keras(run: transfer.Run, images: np.ndarray) -> np.ndarray:
    return keras.models.load_model(run.folder / "model.keras").predict(images, verbose=0)


@pytest.mark.parametrize("mode", PREPROCESSINGS)
def test_raw_images_give_what_prepared_images_give_the_plain_network(colour_student, colours, mode, tmp_path):
    images, labels = colours
    data = transfer.from_arrays(images, labels)
    run = solve(colour_student, data, preprocessing=PREPROCESSINGS[mode], out=tmp_path / "run")
    found = from_stock_keras(run, images)
    np.testing.assert_allclose(found, probabilities(colour_student, prepared(mode, images), run), atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    assert np.ptp(found[:, 0]) > 0.01, "the images are told apart"


@pytest.mark.parametrize(("frame", "pixels"), [(0.25, 6), (0.1, 2)])
@pytest.mark.parametrize("background", [255, 0])
def test_a_frame_is_background_around_a_smaller_image(colour_student, colours, frame, pixels, background, tmp_path):
    images, labels = colours
    inside = images[:, pixels:-pixels, pixels:-pixels]
    asked = Preprocessing(
        color="bgr", mean=(103.939, 116.779, 123.68), size=(24, 24), frame=frame, background=background
    )
    data = transfer.from_arrays(inside, labels)
    run = solve(colour_student, data, preprocessing=asked, out=tmp_path / "run")
    around = [(0, 0), (pixels, pixels), (pixels, pixels), (0, 0)]
    framed = prepared("caffe", np.pad(inside, around, constant_values=background))
    np.testing.assert_allclose(from_stock_keras(run, inside), probabilities(colour_student, framed, run), atol=1e-5)


def test_grey_digits_are_flattened(student, digits, tmp_path):
    images, labels = digits
    run = solve(student, transfer.from_arrays(images, labels), out=tmp_path / "run")
    found = from_stock_keras(run, images[..., None])
    expected = probabilities(student, images.reshape(-1, 784) / np.float32(255), run)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_model_fits_images_of_any_size_with_their_aspect_ratio_on_the_background(colour_student, colours, tmp_path):
    images, labels = colours
    asked = Preprocessing(scale=1 / 127.5, mean=(1.0,), background=9)
    run = solve(colour_student, transfer.from_arrays(images, labels), preprocessing=asked, out=tmp_path / "run")
    tall = np.random.default_rng(1).integers(0, 256, (1, 96, 48, 3), np.uint8)
    square = np.pad(tall, ((0, 0), (0, 0), (24, 24), (0, 0)), constant_values=9).astype(np.float32)
    planes = [Image.fromarray(square[0, :, :, k]).resize((24, 24), Image.Resampling.BILINEAR) for k in range(3)]
    fitted = np.stack([np.asarray(each) for each in planes], axis=-1)[None]
    expected = probabilities(colour_student, prepared("tf", fitted), run)
    np.testing.assert_allclose(from_stock_keras(run, tall), expected, atol=1e-4)


def test_one_value_of_mean_and_std_serves_all_channels(colour_student, colours, tmp_path):
    images, labels = colours
    one = Preprocessing(scale=1 / 255, mean=(0.4,), std=(0.2,))
    three = Preprocessing(scale=1 / 255, mean=(0.4,) * 3, std=(0.2,) * 3)
    data = transfer.from_arrays(images, labels)
    found = [
        from_stock_keras(solve(colour_student, data, preprocessing=each, out=tmp_path / name), images)
        for name, each in (("one", one), ("three", three))
    ]
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)


def test_a_network_without_a_card_takes_arrays_as_they_are(tmp_path):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((5,), name="measurements")
    x = keras.layers.Dense(6, activation="tanh", name="hidden", trainable=False)(inputs)
    student = keras.Model(inputs, keras.layers.Dense(2, name="label")(x))
    rows = np.random.default_rng(0).normal(size=(20, 5)).astype(np.float32) * 40 - 100
    run = solve(student, transfer.from_arrays(rows, np.arange(20) % 2), out=tmp_path / "run")
    np.testing.assert_allclose(from_stock_keras(run, rows), probabilities(student, rows, run), atol=1e-5)
    assert json.loads((run.folder / "run.json").read_text())["input"] == {"kind": "arrays", "shape": [5]}
    assert run.result.notes == ("arrays are taken as they are",)


@pytest.mark.parametrize("shape", [(6, 5, 2), (60,)])
def test_arrays_are_laid_out_as_the_network_takes_them(shape):
    model = keras.Sequential([keras.Input((6, 5, 2)), keras.layers.Flatten(), keras.layers.Dense(2)])
    rows = np.random.default_rng(0).normal(size=(7, 60)).astype(np.float32)
    data = transfer.from_arrays(rows.reshape(7, *shape), np.arange(7) % 2)
    feed = make_feed(read_model(model), data)
    assert np.array_equal(feed.load(data, 3), rows.reshape(7, 6, 5, 2))
    assert [batch.first for batch in feed.batches(data, 3)] == [0, 3, 6]


@pytest.mark.parametrize("shape", [(2, 6, 5), (6, 10)])
def test_arrays_with_their_axes_in_another_order_are_refused(shape):
    model = keras.Sequential([keras.Input((6, 5, 2)), keras.layers.Flatten(), keras.layers.Dense(2)])
    data = transfer.from_arrays(np.zeros((4, *shape), np.float32), np.arange(4) % 2)
    with pytest.raises(DataError, match="does not fit the network"):
        make_feed(read_model(model), data)


def test_arrays_of_another_size_are_refused():
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)])
    with pytest.raises(DataError) as caught:
        make_feed(read_model(model), transfer.from_arrays(np.ones((4, 7)), [0, 1, 0, 1]))
    assert caught.value.problems[0].expected == "(n, 6)"
    assert caught.value.problems[0].found == "(4, 7)"


def test_pictures_for_a_network_without_a_card_ask_for_its_preprocessing(colour_student, digits_folder):
    with pytest.raises(DataError) as caught:
        solve(
            transfer.extract(colour_student, drop_last=1, heads=[transfer.Head("label", 3)]),
            transfer.read_labelled(digits_folder),
        )
    assert "--preprocessing" in caught.value.next_step
    assert "preprocessing=" in caught.value.next_step
    assert all(name in caught.value.problems[0].expected for name in PREPROCESSINGS)


@pytest.mark.parametrize("scale", [1 / 255, 0.0])
def test_images_scaled_to_one_are_refused(student, digits, scale):
    images, labels = digits
    with pytest.raises(DataError) as caught:
        solve(student, transfer.from_arrays(images * np.float32(scale), labels))
    assert caught.value.problems[0].expected == "numbers from 0 to 255"
    assert caught.value.next_step == "multiply x by 255"


def test_a_size_against_the_one_that_the_network_is_fixed_to_is_refused(colour_student, colours):
    data = transfer.from_arrays(*colours)
    with pytest.raises(LayerError) as caught:
        solve(colour_student, data, preprocessing=PREPROCESSINGS["tf"], size=(32, 32))
    assert (caught.value.problems[0].expected, caught.value.problems[0].found) == ("(24, 24)", "(32, 32)")
    assert "--size" in caught.value.next_step


def test_a_size_that_does_not_flatten_to_the_input_is_refused(student, digits):
    with pytest.raises(LayerError) as caught:
        solve(student, transfer.from_arrays(*digits), size=(14, 14))
    assert "(196,)" in caught.value.problems[0].expected
    assert caught.value.problems[0].found == "(784,)"


def test_a_grey_preprocessing_for_a_network_on_colours_is_refused(colour_student, colours):
    with pytest.raises(LayerError) as caught:
        solve(colour_student, transfer.from_arrays(*colours), preprocessing=Preprocessing(color="grey"))
    assert caught.value.problems[0].found == "(24, 24, 3)"


def test_a_size_for_arrays_that_are_taken_as_they_are_is_refused():
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)])
    data = transfer.from_arrays(np.ones((4, 6)), [0, 1, 0, 1])
    with pytest.raises((DataError, LayerError)):
        make_feed(read_model(model), data, size=(2, 3))


@pytest.mark.parametrize(
    "feed",
    [
        Feed(None, None, (4, 2)),
        Feed(None, Preprocessing((9, 7), "grey", background=3)),
        Feed(None, Preprocessing((5, 5))),
        Feed(None, None, inputs=(NamedInput("b", (4, None), "float32"), NamedInput("a", (2,), "int32", ids=9))),
    ],
)
def test_a_feed_is_found_again_from_what_a_run_says_of_it(feed):
    described = json.loads(json.dumps(feed.to_json()))
    again = feed_of_run(keras.Sequential([keras.Input((4, 2)), keras.layers.Flatten()]), described)
    assert (again.image, again.shape, again.inputs) == (feed.image, feed.shape, feed.inputs)


def test_a_preprocessing_may_be_named_and_a_slip_is_told_with_the_nearest():
    model = keras.Sequential([keras.Input((6, 5, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    data = transfer.from_arrays(np.zeros((4, 6, 5, 3), np.uint8), np.arange(4) % 2)
    named = make_feed(read_model(model), data, preprocessing="unit")
    given = make_feed(read_model(model), data, preprocessing=PREPROCESSINGS["unit"])
    assert named.network.get_layer("normalize").scale == given.network.get_layer("normalize").scale
    with pytest.raises(DataError) as caught:
        make_feed(read_model(model), data, preprocessing="units")
    assert "'unit'" in caught.value.next_step


@pytest.mark.parametrize(
    ("inside", "whole", "told"),
    [
        ((92, 92), (96, 96), "96 x 96, of which a frame of 2 on each side, aspect"),
        ((90, 120), (96, 128), "96 x 128, of which a frame of 3 above and below and 4 left and right, aspect"),
        ((96, 96), (96, 96), "96 x 96, aspect"),
        ((96, 96), None, "96 x 96, aspect"),
    ],
)
def test_the_note_names_the_size_that_was_asked_for_and_the_frame_within_it(inside, whole, told):
    preprocessing = None if whole is None else Preprocessing(whole)
    assert f"images are fitted to {told}" in Feed(None, Preprocessing(inside), preprocessing=preprocessing).note


def network_of(*shapes):
    inputs = [keras.Input(shape, name=f"x{place}") for place, shape in enumerate(shapes)]
    flat = [keras.layers.Flatten()(each) for each in inputs]
    joined = keras.layers.Concatenate()(flat) if len(flat) > 1 else flat[0]
    return read_model(keras.Model(inputs, keras.layers.Dense(2, name="label")(joined), name="net"))


def pictures(folder):
    for label in ("a", "b"):
        (folder / label).mkdir()
        Image.new("RGB", (8, 8)).save(folder / label / "one.png")
    return transfer.read_labelled(folder)


def test_pictures_are_refused_where_a_network_has_several_inputs(tmp_path):
    with pytest.raises(DataError, match="holds pictures; this network takes an array for each of 2 inputs") as caught:
        make_feed(network_of((8, 8, 3), (5,)), pictures(tmp_path))
    assert [(each.where, each.expected) for each in caught.value.problems] == [
        ("x_x0", "an array (n, 8, 8, 3)"),
        ("x_x1", "an array (n, 5)"),
    ]


@pytest.mark.parametrize("preprocessing", [None, "unit"])
@pytest.mark.parametrize(("shape", "told"), [((20,), "(n, 20)"), ((30, 4), "(n, 30, 4)"), ((8, 8, 5), "(n, 8, 8, 5)")])
def test_pictures_that_cannot_fit_are_refused_before_preprocessing_is_asked_for(tmp_path, shape, told, preprocessing):
    with pytest.raises(DataError, match="holds pictures; 'net' does not take pictures") as caught:
        make_feed(network_of(shape), pictures(tmp_path), preprocessing=preprocessing)
    (problem,) = caught.value.problems
    assert (problem.expected, problem.found) == (f"an array {told}", "pictures")
    assert caught.value.next_step.startswith(f"give an array x {told}, and no preprocessing")


@pytest.mark.parametrize("how", [{}, {"preprocessing": "unit"}, {"preprocessing": "unit", "size": (8, 8)}], ids=str)
def test_pictures_for_a_network_on_letters_are_told_so_whatever_is_said_of_images(tmp_path, how):
    letters = keras.Input((192,), name="letters")
    x = keras.layers.Flatten()(keras.layers.Embedding(30, 2)(letters))
    network = read_model(keras.Model(letters, keras.layers.Dense(2)(x), name="languages"))
    with pytest.raises(DataError, match="holds pictures; 'languages' takes text: letters or words") as caught:
        make_feed(network, pictures(tmp_path), **how)
    (problem,) = caught.value.problems
    assert problem == transfer.errors.Problem("letters", "an array (n, 192) of token ids from 0 to 29", "pictures")
    assert caught.value.next_step.startswith("choose a network on pictures; ")


def test_flattened_pictures_are_taken_where_their_size_is_said(tmp_path):
    data = pictures(tmp_path)
    grey = make_feed(network_of((64,)), data, preprocessing="unit", size=(8, 8))
    assert grey.load(data, 2).shape == (2, 8, 8, 1)
    with pytest.raises(DataError, match="Nothing says how pictures are prepared"):
        make_feed(network_of((64,)), data, size=(8, 8))


def test_only_arrays_that_may_be_images_are_told_of_preprocessing():
    for shape, is_told in (((4, 20), False), ((4, 9, 9, 3), True)):
        with pytest.raises(DataError, match="does not fit the network") as caught:
            make_feed(network_of((8, 8, 3)), transfer.from_arrays(np.zeros(shape), [0, 1, 0, 1]))
        assert caught.value.problems[0].expected == "(n, 8, 8, 3)"
        assert ("--preprocessing" in caught.value.next_step) is is_told


def test_ids_without_an_embedding_are_refused_before_a_run_and_where_it_is_asked(tmp_path):
    ids = keras.Input((4,), name="ids")
    told = keras.layers.GRU(3)(keras.layers.Embedding(9, 2)(ids))
    network = keras.Model(ids, keras.layers.Dense(2, name="label")(told))
    rows = np.arange(32).reshape(8, 4) % 9
    run = solve(network, transfer.from_arrays(rows, np.arange(8) % 2), out=tmp_path / "run")
    for ask in (partial(transfer.predict, run), lambda x: solve(network, transfer.from_arrays(x, np.arange(8) % 2))):
        with pytest.raises(DataError, match="does not fit the network") as caught:
            ask(rows + 1)
        (problem,) = caught.value.problems
        assert (problem.where, problem.expected, problem.found) == ("x", "token ids from 0 to 8", "from 1 to 9")
