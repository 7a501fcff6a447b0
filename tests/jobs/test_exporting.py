"""A finished run for other runtimes: what they answer, and what is left where they answer otherwise."""

import sys

import keras
import numpy as np
import pytest

import transfer
from transfer.errors import DataError, LayerError, OutputError
from transfer.jobs.runs import exporting

L = keras.layers
PROBED = transfer.Recipe(transfer.Stage("probe"), seed=3)


@pytest.fixture(scope="module")
def colour_run(colour_student, colours, tmp_path_factory):
    data = transfer.from_arrays(*colours)
    folder = tmp_path_factory.mktemp("runs") / "colour"
    return transfer.finetune(colour_student, data, recipe=PROBED, preprocessing="torch", out=folder)


@pytest.fixture(scope="module")
def joined_run():
    """Of two inputs, one of them ids of any number, and of two outputs, one of them numbers."""
    keras.utils.set_random_seed(4)
    b, a = keras.Input((3,), name="b"), keras.Input((None,), name="a", dtype="int32")
    told = L.GRU(6, name="gru")(L.Embedding(12, 5, name="embed")(a))
    joined = L.Dense(8, activation="relu", name="mixed")(L.Concatenate(name="joined")([told, b]))
    whole = keras.Model([b, a], L.Dense(5, name="old")(joined), name="pair")
    heads = [transfer.Head("kind", 2), transfer.Head("size", 1, kind="regression")]
    student = transfer.extract(whole, drop_last=1, freeze="backbone", heads=heads)
    random = np.random.default_rng(5)
    x = {"a": random.integers(1, 12, (40, 7)), "b": random.normal(size=(40, 3)).astype(np.float32)}
    labels = {"kind": (x["a"][:, 0] > 6).astype(int), "size": 300 * x["b"][:, 1]}
    labelling = transfer.Labelling(
        (transfer.Output("kind", "softmax", ("low", "high")), transfer.Output("size", "regression", ("size",)))
    )
    return transfer.finetune(student, transfer.from_arrays(x, labels, labelling=labelling), recipe=PROBED), x


def test_onnx_answers_pictures_as_the_run_does(colour_run, colours, tmp_path):
    import onnxruntime

    images = colours[0]
    found: transfer.Exported = transfer.export(colour_run, tmp_path / "colour.onnx", inputs=images)
    assert (found.format, found.examples) == ("onnx", 16)
    assert found.difference < 1e-5
    session = onnxruntime.InferenceSession(tmp_path / "colour.onnx", providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    answers = session.run(None, {given.name: images.astype(np.float32)})[0]
    np.testing.assert_allclose(answers, colour_run.model.predict(images.astype(np.float32), verbose=0), atol=1e-5)
    assert f"input     {given.name}: float32 (any number, " in str(found)
    assert found.to_json()["outputs"] == {session.get_outputs()[0].name: colour_run.result.classes}


def test_of_a_moved_set_made_up_examples_are_compared_and_that_is_said(colour_run, tmp_path):
    found = transfer.export(colour_run.folder, tmp_path / "colour.tflite")
    assert found.format == "litert"
    assert found.compared_on == "made-up examples"
    assert f"compared  on {found.examples} made-up examples: largest difference" in str(found)
    assert found.difference < 1e-5
    assert found.size_bytes == (tmp_path / "colour.tflite").stat().st_size


def test_several_inputs_of_any_length_and_several_outputs(joined_run, tmp_path):
    run, x = joined_run
    found = transfer.export(run, tmp_path / "joined", inputs=x)
    assert (found.format, found.examples) == ("saved_model", 16)
    assert found.difference < 1e-5
    assert found.outputs == {"kind": ("low", "high"), "size": ("size",)}
    assert found.inputs["a"] == "int32 (any number, any)"
    longer = {"a": np.tile(x["a"], 2)[:4].astype(np.int32), "b": x["b"][:4]}
    answers = exporting.answers_of(tmp_path / "joined", "saved_model", longer)
    expected = run.model.predict([longer["b"], longer["a"]], verbose=0)
    assert set(answers) == set(expected)
    for name, answer in answers.items():
        np.testing.assert_allclose(answer, expected[name].reshape(4, -1), rtol=1e-4, atol=1e-4)


def test_thresholds_that_whoever_runs_it_has_to_apply_are_told(tmp_path):
    keras.utils.set_random_seed(2)
    whole = keras.Sequential([keras.Input((4,)), L.Dense(6, name="mixed"), L.Dense(3, name="old")], name="net")
    student = transfer.extract(whole, drop_last=1, freeze="backbone", heads=[transfer.Head("tags", 2, kind="sigmoid")])
    x = np.random.default_rng(1).normal(size=(120, 4)).astype(np.float32)
    labelling = transfer.Labelling((transfer.Output("tags", "sigmoid", ("rare", "frequent")),))
    labels = {"tags": np.stack([x[:, 0] > 1, x[:, 1] > -1], 1).astype(np.int8)}
    run = transfer.finetune(student, transfer.from_arrays(x, labels, labelling=labelling), recipe=PROBED)
    limits = tuple(each["value"] for each in run.result.decisions["thresholds"]["tags"]["labels"])
    assert set(limits) != {0.5}
    found = transfer.export(run, tmp_path / "tags", inputs=x)
    (name,) = exporting.answers_of(tmp_path / "tags", "saved_model", {each.name: x for each in run.model.inputs})
    assert found.outputs == {name: ("rare", "frequent")}
    assert found.thresholds == {name: limits} == found.to_json()["thresholds"]
    assert f"answered  {name}: rare from {limits[0]:.3g}, frequent from {limits[1]:.3g}\n" in str(found)
    assert "not at 0.5" in found.notes[0]


def test_nothing_is_written_that_answers_otherwise(colour_run, colours, tmp_path, monkeypatch):
    answer = exporting.answers_of
    monkeypatch.setattr(exporting, "answers_of", lambda *given: {k: v + 0.01 for k, v in answer(*given).items()})
    (tmp_path / "old").mkdir()
    with pytest.raises(OutputError) as caught:
        transfer.export(colour_run, tmp_path / "old", inputs=colours[0], force=True)
    assert caught.value.problems[0].found == "0.01"
    assert list(tmp_path.iterdir()) == [tmp_path / "old"]
    assert not list((tmp_path / "old").iterdir())


def test_what_exists_and_what_is_misnamed_is_refused_before_any_work(tmp_path):
    (tmp_path / "there.onnx").write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        transfer.export(tmp_path / "no_run", tmp_path / "there.onnx")
    with pytest.raises(OutputError, match="no name for litert"):
        transfer.export(tmp_path / "no_run", tmp_path / "new.onnx", format="litert")
    with pytest.raises(OutputError, match="no name for saved_model"):
        transfer.export(tmp_path / "no_run", tmp_path / "new.onnx", format="saved_model")
    with pytest.raises(ValueError, match="saved_model, onnx, litert"):
        transfer.export(tmp_path / "no_run", tmp_path / "new", format="torch")
    with pytest.raises(DataError):
        transfer.export(tmp_path / "no_run", tmp_path / "new")
    assert (tmp_path / "there.onnx").read_text() == "mine"


def test_an_absent_extra_is_named(colour_run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(OutputError) as caught:
        transfer.export(colour_run, tmp_path / "colour.onnx")
    assert "h5transfer[export]" in caught.value.next_step
    assert not list(tmp_path.iterdir())


def test_operations_that_a_format_lacks_are_named(tmp_path):
    """An antialiased resize inside the network is no operation of LiteRT."""
    x = inputs = keras.Input((12, 12, 3))
    x = L.Resizing(7, 7, antialias=True, name="small")(x)
    whole = keras.Model(inputs, L.Dense(4, name="old")(L.Flatten()(x)), name="resized")
    student = transfer.extract(whole, drop_last=1, freeze="backbone", heads=[transfer.Head("label", 2)])
    images = np.random.default_rng(0).integers(0, 256, (24, 12, 12, 3), np.uint8)
    images[::2] //= 4
    data = transfer.from_arrays(images, np.arange(24) % 2)
    run = transfer.finetune(student, data, recipe=PROBED, preprocessing="raw")
    with pytest.raises(LayerError, match="cannot be used as litert") as caught:
        transfer.export(run, tmp_path / "small.tflite")
    assert "ScaleAndTranslate" in caught.value.problems[0].found
    assert not list(tmp_path.iterdir())
