"""A finished run is asked about unlabelled inputs."""

import shutil
from functools import partial

import keras
import numpy as np
import pytest
from PIL import Image

import transfer
from transfer.errors import DataError
from transfer.jobs.runs.predicting import predict

solve = partial(transfer.finetune, recipe=transfer.Recipe(transfer.Stage("probe")))


@pytest.fixture
def bad(tmp_path):
    path = tmp_path / "bad.png"
    path.write_bytes(b"no picture")
    return path


def test_a_folder_is_asked_about_in_the_order_of_its_names(digits_run, digits_folder):
    found = predict(digits_run.folder, [digits_folder])
    paths = sorted(digits_folder.rglob("*.png"))
    assert [each.name for each in found.answers] == [str(path) for path in paths]
    assert found.answers == predict(digits_run.folder, paths).answers
    assert found.classes == ("digit_0", "digit_1", "digit_2")
    assert sum(each.label == path.parent.name for each, path in zip(found.answers, paths, strict=True)) >= 27


def test_an_array_is_asked_about_row_by_row(digits_run, digits, digits_folder, tmp_path):
    images, _ = digits
    for name, rows in (("images", images), ("rows", images.reshape(-1, 784)), ("floats", images.astype(np.float64))):
        np.savez(tmp_path / f"{name}.npz", x=rows)
        found = predict(digits_run.folder, [tmp_path / f"{name}.npz"])
        assert [each.name for each in found.answers] == [f"x[{place}]" for place in range(30)]
        expected = predict(digits_run.folder, [digits_folder])
        assert [each.probabilities for each in found.answers] == [each.probabilities for each in expected.answers]


def test_a_picture_of_another_size_is_fitted(digits_run, digits_folder, tmp_path):
    path = sorted(digits_folder.rglob("*.png"))[0]
    Image.open(path).resize((280, 280), Image.Resampling.NEAREST).convert("RGB").save(tmp_path / "large.png")
    (found,) = predict(digits_run.folder, [tmp_path / "large.png"]).answers
    (expected,) = predict(digits_run.folder, [path]).answers
    assert found.label == expected.label
    assert found.probability == pytest.approx(expected.probability, abs=0.02)


@pytest.fixture(scope="module")
def colour_run(colour_student, colours, tmp_path_factory):
    data = transfer.from_arrays(*colours)
    return solve(colour_student, data, preprocessing="torch", out=tmp_path_factory.mktemp("runs") / "colour")


@pytest.mark.parametrize(
    "extent",
    [(24, 24), (23, 24), (24, 19), (1, 1), (2, 3), (17, 92), (92, 69), (301, 200), (640, 427), (1000, 9), (3, 2000)],
)
def test_stock_keras_answers_alike_for_the_raw_pixels_of_any_size(colour_run, digits_run, extent, tmp_path):
    stripes = np.indices((*extent, 3)).sum(0) % 7 * 40
    noise = np.random.default_rng(0).integers(0, 256, (*extent, 3))
    paths = [tmp_path / "stripes.png", tmp_path / "noise.png"]
    for path, pixels in zip(paths, (stripes, noise), strict=True):
        Image.fromarray(pixels.astype(np.uint8)).save(path)
    for run, mode in ((colour_run, "RGB"), (digits_run, "L")):
        found = predict(run.folder, paths)
        pixels = np.stack([np.asarray(Image.open(path).convert(mode), np.float32) for path in paths])
        expected = keras.saving.load_model(run.folder / "model.keras")(pixels.reshape(2, *extent, -1), training=False)
        np.testing.assert_allclose([each.probabilities for each in found.answers], expected, rtol=0, atol=2e-3)


def test_what_cannot_be_read_is_named_and_the_rest_is_answered(digits_run, digits_folder, bad):
    good = sorted(digits_folder.rglob("*.png"))[:2]
    found = predict(digits_run.folder, [good[0], bad, good[1]])
    assert [each.name for each in found.answers] == [str(path) for path in good]
    assert [each.where for each in found.left_out] == [str(bad)]
    assert found.answers == predict(digits_run.folder, good).answers


def test_under_strict_what_cannot_be_read_is_an_error(digits_run, digits_folder, bad):
    with pytest.raises(DataError) as caught:
        predict(digits_run.folder, [*digits_folder.rglob("*.png"), bad], strict=True)
    assert [each.where for each in caught.value.problems] == [str(bad)]


def test_under_strict_what_is_no_picture_in_a_folder_is_an_error(digits_run, digits_folder, tmp_path):
    shutil.copytree(digits_folder / "digit_0", tmp_path / "some")
    (tmp_path / "some/notes.txt").write_text("not a picture")
    found = predict(digits_run.folder, [tmp_path / "some"])
    assert [each.where for each in found.left_out] == ["notes.txt"]
    assert len(found.answers) == 10
    with pytest.raises(DataError):
        predict(digits_run.folder, [tmp_path / "some"], strict=True)


def test_nothing_that_can_be_read_is_an_error(digits_run, bad):
    with pytest.raises(DataError) as caught:
        predict(digits_run.folder, [bad])
    assert [each.where for each in caught.value.problems] == [str(bad)]


def test_a_picture_that_is_not_there_names_the_nearest(digits_run, bad):
    with pytest.raises(DataError) as caught:
        predict(digits_run.folder, [bad.with_name("bat.png")])
    assert "'bad.png'" in caught.value.next_step


def test_a_folder_without_pictures_is_refused(digits_run, tmp_path):
    with pytest.raises(DataError, match="holds no pictures"):
        predict(digits_run.folder, [tmp_path])


def test_json_names_the_probability_of_every_class(digits_run, digits_folder, bad):
    path = next(digits_folder.rglob("*.png"))
    found = predict(digits_run.folder, [path, bad])
    values = found.to_json()
    (answer,) = found.answers
    assert values["answers"] == [
        {
            "name": str(path),
            "label": answer.label,
            "probability": answer.probability,
            "probabilities": dict(zip(found.classes, answer.probabilities, strict=True)),
        }
    ]
    assert [set(each) for each in values["left_out"]] == [{"where", "expected", "found"}]


def test_rows_for_a_run_on_arrays_are_taken_as_they_are(tmp_path):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,), name="measurements")
    hidden = keras.layers.Dense(4, trainable=False)(inputs)
    student = keras.Model(inputs, keras.layers.Dense(2, name="label")(hidden))
    rows = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
    run = solve(student, transfer.from_arrays(rows, np.arange(12) % 2), out=tmp_path / "run")
    np.savez(tmp_path / "rows.npz", x=rows)
    found = predict(run.folder, [tmp_path / "rows.npz"])
    expected = keras.models.load_model(run.folder / "model.keras").predict(rows, verbose=0)
    np.testing.assert_allclose([each.probabilities for each in found.answers], expected, atol=1e-6)
    np.savez(tmp_path / "other.npz", x=rows[:, :2])
    with pytest.raises(DataError):
        predict(run.folder, [tmp_path / "other.npz"])


@pytest.mark.parametrize(
    ("arrays", "found"),
    [({"y": np.arange(3)}, "the arrays 'y'"), ({"x": np.arange(3.0)}, "(3,)"), ({"x": np.full((2, 2), np.nan)}, "NaN")],
    ids=["no x", "one axis", "not finite"],
)
def test_an_array_file_that_cannot_be_asked_about_says_so_without_a_word_of_labels(digits_run, tmp_path, arrays, found):
    np.savez(tmp_path / "rows.npz", **arrays)
    with pytest.raises(DataError, match="holds no inputs") as caught:
        predict(digits_run.folder, [tmp_path / "rows.npz"])
    assert caught.value.problems[0].found.startswith(found)
    assert "label" not in str(caught.value)
    assert "y=" not in caught.value.next_step


def test_a_file_that_is_no_picture_says_what_would_do(digits_run, digits_folder, tmp_path):
    (tmp_path / "lab.py").write_text("x = 1\n")
    with pytest.raises(DataError, match="1 of 1 inputs") as caught:
        predict(digits_run.folder, [tmp_path / "lab.py"])
    assert ".npz" in caught.value.next_step
    with pytest.raises(DataError, match="1 of 31 inputs") as caught:
        predict(digits_run.folder, [digits_folder, tmp_path / "lab.py"], strict=True)
    assert "--strict" in caught.value.next_step
