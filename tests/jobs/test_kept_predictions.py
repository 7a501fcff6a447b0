"""What a run answered to its test examples: kept to the bit, and read with care."""

import json
import shutil

import numpy as np
import pytest

import transfer
from transfer.jobs.runs.kept_predictions import read_predictions, sorted_predictions
from transfer.jobs.runs.predicting import predict
from transfer.labellings import Labelling, Output

SEVERAL = Labelling(
    (Output("food", classes=("fruit", "cake")), Output("tags", "sigmoid", ("red",)), Output("price", "regression"))
)


def predictions():
    shares = (np.array([[0.25, 0.75], [1, 0]]), np.array([[0.5], [0.125]]), np.array([[-3.5], [1e9]]))
    wanted = (np.array([1, -1]), np.array([[1], [0]]), np.array([[np.nan], [2.0]]))
    return sorted_predictions(SEVERAL, ("b", "a"), shares, wanted)


def test_predictions_come_back_as_they_were_in_the_order_of_their_names(tmp_path):
    predictions().write(tmp_path)
    found = read_predictions(tmp_path, SEVERAL, ("a", "b"))
    assert found.names == ("a", "b")
    np.testing.assert_array_equal(found.probabilities[0], [[1, 0], [0.25, 0.75]])
    np.testing.assert_array_equal(found.probabilities[2], [[1e9], [-3.5]])
    np.testing.assert_array_equal(found.wanted[0], [-1, 1])
    np.testing.assert_array_equal(found.wanted[2], [[2.0], [np.nan]])
    assert [each.tolist() for each in found.answers()] == [[0, 1], [[0], [1]], [[1e9], [-3.5]]]
    limits = {"thresholds": {"tags": {"labels": [{"label": "red", "value": 0.1}]}}}
    assert found.answers(limits)[1].tolist() == [[1], [1]]


def test_the_file_has_the_same_bytes_each_time(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        predictions().write(tmp_path / name)
    assert (tmp_path / "one" / "predictions.npz").read_bytes() == (tmp_path / "two" / "predictions.npz").read_bytes()


def test_a_run_keeps_what_its_model_gives_for_the_test_examples(digits_run, digits_folder):
    asked = json.loads((digits_run.folder / "run.json").read_text())
    found = read_predictions(digits_run.folder, Labelling.of_classes(digits_run.result.classes), asked["split"]["test"])
    data = transfer.read_labelled(digits_folder)
    places = [data.names.index(name) for name in found.names]
    given = predict(digits_run, data.subset(places))
    np.testing.assert_allclose(found.probabilities[0], [each.probabilities for each in given], atol=1e-5)
    assert found.wanted[0].tolist() == data.labels[places].tolist()
    right = found.answers()[0] == found.wanted[0]
    assert int(right.sum()) == digits_run.result.score.correct
    kept = json.loads((digits_run.folder / "answers.json").read_text())
    assert dict(zip(found.names, right.tolist(), strict=True)) == dict(
        zip(kept["examples"], kept["ways"]["probe"], strict=True)
    )


def test_an_older_run_has_none(tmp_path):
    assert read_predictions(tmp_path, SEVERAL, ("a", "b")) is None


def test_a_run_without_them_still_loads(digits_run, tmp_path):
    old = shutil.copytree(digits_run.folder, tmp_path / "old")
    (old / "predictions.npz").unlink()
    assert transfer.load_run(old).result == digits_run.result


def cut_off(folder):
    path = folder / "predictions.npz"
    path.write_bytes(path.read_bytes()[:200])


def pickled(folder):
    np.savez(folder / "predictions.npz", probabilities_0=np.array([{}, {}], object), wanted_0=np.array([0, 1]))


def other_shape(folder):
    shares, wanted = np.zeros((2, 3)), np.array([0, 1])
    rest = {"probabilities_1": np.zeros((2, 1)), "wanted_1": np.array([[0], [1]])}
    more = {"probabilities_2": np.zeros((2, 1)), "wanted_2": np.zeros((2, 1))}
    np.savez(folder / "predictions.npz", probabilities_0=shares, wanted_0=wanted, **rest, **more)


def no_probabilities(folder):
    found = predictions()
    found.probabilities[0][0] = np.nan
    found.write(folder)


def nothing(folder):
    np.savez(folder / "predictions.npz", other=np.arange(3))


@pytest.mark.parametrize("damage", [cut_off, pickled, other_shape, no_probabilities, nothing])
def test_what_no_run_wrote_is_refused(tmp_path, damage):
    predictions().write(tmp_path)
    damage(tmp_path)
    with pytest.raises(ValueError, match=r"predictions\.npz"):
        read_predictions(tmp_path, SEVERAL, ("a", "b"))


def test_labels_of_other_classes_are_refused(tmp_path):
    predictions().write(tmp_path)
    fewer = Labelling((Output("food", classes=("fruit",)), *SEVERAL.outputs[1:]))
    with pytest.raises(ValueError, match="food"):
        read_predictions(tmp_path, fewer, ("a", "b"))
