"""Networks of several named inputs, from arrays to a finished run."""

import keras
import numpy as np
import pytest

import transfer
from transfer.data.inputs import Inputs
from transfer.data.named_arrays import NamedArrays
from transfer.errors import DataError, LayerError
from transfer.jobs.examples.feeding import make_feed
from transfer.jobs.finetuning.forecasting import forecast_file
from transfer.jobs.finetuning.learning import Learning
from transfer.jobs.runs.asking_runs import ask
from transfer.jobs.runs.evaluating import evaluate
from transfer.jobs.runs.predicting import predict
from transfer.models.building import read_model
from transfer.specs import silent

L = keras.layers
TUNED = transfer.Recipe(
    (transfer.Stage("probe"), transfer.Stage("tune", unfreeze=("*",), epochs=2, rate=1e-3, batch_size=8)), seed=3
)
NUMBERS = transfer.Output("size", "regression", ("size",))
PROBED = transfer.Recipe(transfer.Stage("probe"), seed=3)


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    """A file with a network on token ids and on numbers, the ids in the second place and of any number."""
    keras.utils.set_random_seed(4)
    b, a = keras.Input((3,), name="b"), keras.Input((None,), name="a", dtype="int32")
    told = L.GRU(6, name="gru")(L.Embedding(12, 5, mask_zero=True, name="embed")(a))
    seen = L.Dense(4, activation="tanh", name="dense")(b)
    joined = L.Dense(8, activation="relu", name="mixed")(L.Concatenate(name="joined")([seen, told]))
    model = keras.Model([b, a], L.Dense(5, activation="softmax", name="old")(joined), name="pair")
    path = tmp_path_factory.mktemp("file") / "pair.h5"
    model.save(path)
    return path


@pytest.fixture(scope="module")
def examples():
    """Token ids with zeros behind, numbers, and which of three classes: as both say."""
    random = np.random.default_rng(5)
    a = random.integers(1, 12, (60, 7))
    a[:, 5:][random.random((60, 2)) < 0.4] = 0
    b = random.normal(size=(60, 3)).astype(np.float32)
    return {"a": a, "b": b}, (a[:, 0] > 6).astype(int) + (b[:, 1] > 0)


@pytest.fixture(scope="module")
def student(pretrained):
    return transfer.extract(
        transfer.restore(pretrained), drop_last=1, freeze="backbone", heads=[transfer.Head("label", 3)]
    )


@pytest.fixture(scope="module")
def run(student, examples, tmp_path_factory):
    return transfer.finetune(
        student, transfer.from_arrays(*examples), recipe=TUNED, out=tmp_path_factory.mktemp("runs") / "pair"
    )


def test_a_finished_model_takes_the_inputs_by_name_and_gives_what_the_run_was_scored_on(run, examples):
    x, y = examples
    found = run.model.predict(x, verbose=0)
    assert [each.name for each in run.model.inputs] == ["b", "a"]
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-6)
    places = [int(name[2:-1]) for name in run.asked["split"]["test"]]
    assert run.result.score.correct == np.sum(found.argmax(1)[places] == y[places])


def test_stock_keras_makes_the_same_of_the_kept_model(run, examples):
    stock = keras.models.load_model(run.folder / "model.keras")
    np.testing.assert_array_equal(
        stock.predict(examples[0], verbose=0), transfer.load_run(run.folder).model.predict(examples[0], verbose=0)
    )


def test_what_is_asked_of_a_file_is_answered_as_by_the_model(run, examples, tmp_path):
    x, y = examples
    np.savez(tmp_path / "asked.npz", x_a=x["a"], x_b=x["b"], y=y)
    found = predict(run.folder, [tmp_path / "asked.npz"])
    shares = [each.outputs[0].values for each in found.answers]
    np.testing.assert_allclose(shares, run.model.predict(x, verbose=0), atol=1e-6)
    scored = evaluate(run.folder, transfer.read_labelled(tmp_path / "asked.npz"))
    assert scored.seen == len(run.asked["split"]["train"])
    assert (scored.score.correct, scored.score.examples) == (run.result.score.correct, run.result.score.examples)


def test_open_sizes_are_those_of_what_is_asked(run, examples):
    assert run.model.input_shape == [(None, 3), (None, None)]
    longer = {"a": np.pad(examples[0]["a"], ((0, 0), (0, 4))), "b": examples[0]["b"]}  # zeros are masked
    asked = ask(run, Inputs.of_array(NamedArrays(longer)), silent)
    np.testing.assert_allclose(asked.probabilities[0], run.model.predict(examples[0], verbose=0), atol=1e-6)


def test_the_same_seed_gives_the_same_bits(run, student, examples, tmp_path):
    again = transfer.finetune(student, transfer.from_arrays(*examples), recipe=TUNED, out=tmp_path / "again")
    for name in ("model.keras", "result.json", "run.json", "history.jsonl"):
        assert (again.folder / name).read_bytes() == (run.folder / name).read_bytes(), name


def test_training_reaches_what_stands_right_behind_an_input(run, student):
    for name in ("embed", "dense", "gru"):
        before, after = (model.get_layer(name).get_weights()[0] for model in (student, run.model))
        assert not np.array_equal(before, after), name


def test_what_is_frozen_runs_once_and_is_kept_for_other_runs(student, examples, tmp_path):
    totals = []

    def progress(stage, done, total):
        totals.extend([total] if stage == "computing features" and done == total else [])

    head = transfer.Recipe((transfer.Stage("probe"), transfer.Stage("tune", unfreeze_last=0, epochs=3, rate=1e-3)))
    asked = {"recipe": head, "cache": tmp_path / "cache", "progress": progress}
    first = transfer.finetune(student, transfer.from_arrays(*examples), **asked)
    assert totals == [60]
    again = transfer.finetune(student, transfer.from_arrays(*examples), **asked)
    assert totals == [60]
    for before, after, kept in zip(*(each.get_weights() for each in (student, first.model, again.model)), strict=True):
        np.testing.assert_array_equal(after, kept)
        assert np.array_equal(before, after) is (before.shape[-1] != 3)


def test_arrays_of_other_names_in_another_order_are_found(student, examples):
    (a, b), y = examples[0].values(), examples[1]
    told = transfer.from_arrays({"x_b": b, "x_a": a}, y)
    given = transfer.finetune(student, transfer.from_arrays(*examples), recipe=PROBED)
    np.testing.assert_array_equal(
        transfer.finetune(student, told, recipe=PROBED).model.get_layer("label").get_weights()[0],
        given.model.get_layer("label").get_weights()[0],
    )


def test_a_network_that_takes_a_dictionary_is_given_one(examples):
    keras.utils.set_random_seed(1)
    inputs = {"b": keras.Input((3,), name="b"), "a": keras.Input((7,), name="a")}
    told = L.Dense(8, activation="relu", name="mixed")(L.Concatenate()([inputs["b"], inputs["a"]]))
    whole = keras.Model(inputs, L.Dense(3, name="label")(told))
    run = transfer.finetune(whole, transfer.from_arrays(*examples), recipe=PROBED)
    assert set(run.model.input) == {"a", "b"}
    asked = ask(run, Inputs.of_array(NamedArrays(examples[0])), silent)
    np.testing.assert_allclose(asked.probabilities[0], run.model.predict(examples[0], verbose=0), atol=1e-6)


def test_several_inputs_and_several_outputs(pretrained, examples, tmp_path):
    x, y = examples
    wanted = {"kind": y.astype(str), "size": x["b"][:, 0].astype(float)}
    heads = [transfer.Head("kind", 3), transfer.Head("size", 1, "regression")]
    student = transfer.extract(transfer.restore(pretrained), drop_last=1, freeze="backbone", heads=heads)
    labelling = transfer.Labelling((transfer.Output("kind", classes=("0", "1", "2")), NUMBERS))
    data = transfer.from_arrays(x, wanted, labelling=labelling)
    run = transfer.load_run(transfer.finetune(student, data, recipe=TUNED, out=tmp_path / "run").folder)
    asked, told = ask(run, data, silent), run.model.predict(x, verbose=0)
    for name, found in zip(("kind", "size"), asked.probabilities, strict=True):
        np.testing.assert_allclose(found, told[name], atol=1e-5)


@keras.saving.register_keras_serializable("own")
class Doubled(L.Layer):
    """A class of the user's."""

    def call(self, values):
        return 2 * values


def test_classes_of_the_users_own_are_trained_with_several_inputs(examples):
    a, b = keras.Input((7,), name="a"), keras.Input((3,), name="b")
    joined = L.Dense(4, name="mixed")(L.Concatenate()([Doubled(name="twice")(a), b]))
    whole = keras.Model([a, b], L.Dense(3, name="label")(joined))
    run = transfer.finetune(whole, transfer.from_arrays(*examples), recipe=TUNED)
    asked = ask(run, Inputs.of_array(NamedArrays(examples[0])), silent)
    np.testing.assert_allclose(asked.probabilities[0], run.model.predict(examples[0], verbose=0), atol=1e-6)


def fed(student, x, **options):
    return make_feed(
        read_model(student), Inputs.of_array(x if isinstance(x, np.ndarray) else NamedArrays(x)), **options
    )


def test_all_that_is_wrong_with_the_arrays_is_told_at_once(student):
    with pytest.raises(DataError, match="does not fit the network") as caught:
        fed(student, {"c": np.zeros((4, 3)), "a": np.zeros((4, 2, 5))})
    assert [(each.where, each.expected, each.found) for each in caught.value.problems] == [
        ("x_b", "an array (n, 3)", "none of that name; nearest: 'x_c'"),
        ("x_a", "(n, ?)", "(4, 2, 5)"),
        ("x_c", "an input of the network", "nearest: 'b', 'a'"),
    ]
    assert caught.value.next_step == "give arrays of these names and shapes: numpy.savez(path, x_b=…, x_a=…)"


@pytest.mark.parametrize(
    ("ids", "found"),
    [([[1, 2**24 + 1]], "from 1 to 16,777,217"), ([[1.0, 2.0], [3.0, 4.5]], "fractions, first in row 1")],
)
def test_ids_without_an_embedding_are_refused_by_name(student, ids, found):
    with pytest.raises(DataError) as caught:
        fed(student, {"a": np.array(ids), "b": np.zeros((len(ids), 3))})
    (problem,) = caught.value.problems
    assert (problem.where, problem.expected, problem.found) == ("x_a", "token ids from 0 to 11", found)


def test_whole_numbers_that_a_row_does_not_hold_are_refused_by_name():
    a, b = keras.Input((2,), name="a", dtype="int64"), keras.Input((3,), name="b")
    shared = keras.ops.cast(a, "float32") / 2.0**24
    network = keras.Model([a, b], L.Dense(2, name="label")(L.Concatenate()([shared, b])))
    with pytest.raises(DataError) as caught:
        fed(network, {"a": np.array([[1, 2**24 + 1]]), "b": np.zeros((1, 3))})
    (problem,) = caught.value.problems
    assert problem.expected == "whole numbers from -16,777,216 to 16,777,216"
    assert (problem.where, problem.found) == ("x_a", "from 1 to 16,777,217")


def test_ids_without_an_embedding_are_refused_where_a_run_is_asked(run, examples):
    with pytest.raises(DataError, match="does not fit the network") as caught:
        transfer.predict(run, {"a": examples[0]["a"] + 1, "b": examples[0]["b"]})
    (problem,) = caught.value.problems
    assert (problem.where, problem.expected, problem.found) == ("x_a", "token ids from 0 to 11", "from 1 to 12")


def test_one_array_is_refused_with_the_names_of_those_that_are_wanted(student):
    with pytest.raises(DataError, match="holds one array; this network takes an array for each of 2 inputs") as caught:
        fed(student, np.zeros((4, 3)))
    assert [(each.where, each.expected) for each in caught.value.problems] == [
        ("x_b", "an array (n, 3)"),
        ("x_a", "an array (n, ?)"),
    ]


@pytest.mark.parametrize("options", [{"preprocessing": "unit"}, {"size": (8, 8)}])
def test_preparing_is_refused(student, options):
    with pytest.raises(DataError, match="'pair' has 2 inputs; arrays are taken as they are") as caught:
        fed(student, {"a": np.zeros((4, 5)), "b": np.zeros((4, 3))}, **options)
    assert "leave out --preprocessing and --size" in caught.value.next_step


def test_looking_into_a_network_of_several_inputs_is_refused(student, examples):
    with pytest.raises(LayerError, match="'pair' has 2 inputs; networks of one are looked into") as caught:
        transfer.diagnose(student, transfer.from_arrays(*examples))
    assert [each.where for each in caught.value.problems] == ["b", "a"]
    with pytest.raises(LayerError, match="pair has 2 inputs"):
        transfer.measure_drift(student, transfer.from_arrays(*examples))


def test_a_trial_in_small_counts_what_the_run_does(pretrained, examples):
    found = forecast_file(str(pretrained), transfer.from_arrays(*examples), Learning(recipe=TUNED))
    assert [(each.kind, each.first) for each in found.stages] == [("probe", "label"), ("tune", "embed")]
    assert found.features.examples == 60
