"""`transfer extract`, as the task that the project began with puts it."""

import importlib
import json
import sys

import h5py
import keras
import numpy as np
import pytest

import transfer

INTO = ("--into", "functional_models:create_functional_model")
EXTRACT = ("extract", "pretrained.weights.h5", *INTO, "--drop-last", "--head", "dense_3:5")

OWN = """
import keras


class Wide(keras.layers.Layer):
    def __init__(self, **options):
        super().__init__(**options)
        self.inner = keras.layers.Dense(6)

    def build(self, shape):
        self.inner.build(shape)
        super().build(shape)

    def call(self, x):
        return self.inner(x)


def create_own():
    inputs = keras.Input((5,), name="x")
    return keras.Model(inputs, keras.layers.Dense(2, name="out")(Wide(name="wide")(inputs)), name="own")
"""


def rows(stdout: str) -> list[list[str]]:
    return [line.split() for line in stdout.splitlines()]


def test_a_student_is_taken_from_weights_alone_with_a_builder_in_the_current_folder(call, here):
    ended = call(*EXTRACT, "-o", "student.keras")
    assert ended.code == 0
    assert ended.stderr == ""
    student = keras.models.load_model(here / "student.keras")
    assert [layer.name for layer in student.layers][1:] == ["dense_1", "dense_2", "dense_3"]
    assert student.output_shape == (None, 5)
    assert student.count_params() == 784 * 64 + 64 + 64 * 64 + 64 + 64 * 5 + 5 == 54_725
    with h5py.File(here / "pretrained.weights.h5") as file:
        for name in ("dense_1", "dense_2"):
            for place, values in enumerate(student.get_layer(name).get_weights()):
                assert np.array_equal(
                    values, file[f"layers/{'dense' if name == 'dense_1' else 'dense_1'}/vars/{place}"]
                )


@pytest.mark.usefixtures("here")
def test_the_parameters_of_each_layer_and_their_sum_are_printed(call):
    printed = rows(call(*EXTRACT, "-o", "student.keras").stdout)
    assert ["dense_1", "50,240", "trainable"] in printed
    assert ["dense_2", "4,160", "trainable"] in printed
    assert ["dense_3", "325", "trainable,", "new"] in printed
    assert ["total", "54,725", "54,725", "trainable"] in printed
    assert ["dropped", "predictions"] in printed
    assert ["wrote", "student.keras"] in printed


def test_a_frozen_backbone_leaves_the_head_to_train(call, here):
    printed = rows(call(*EXTRACT, "--freeze", "backbone", "-o", "student.keras").stdout)
    assert ["dense_1", "50,240", "frozen"] in printed
    assert ["total", "54,725", "325", "trainable"] in printed
    student = keras.models.load_model(here / "student.keras")
    assert sum(int(np.prod(each.shape)) for each in student.trainable_weights) == 325


@pytest.mark.usefixtures("here")
def test_json_says_the_same(call):
    ended = call(*EXTRACT, "--freeze", "dense_1", "-o", "student.keras", "--json")
    assert ended.stderr == ""
    assert ended.json["out"] == "student.keras"
    assert ended.json["dropped"] == ["predictions"]
    layers = {each["name"]: (each["parameters"], each["trainable"], each["new"]) for each in ended.json["layers"]}
    assert layers["dense_1"] == (50_240, 0, False)
    assert layers["dense_2"] == (4_160, 4_160, False)
    assert layers["dense_3"] == (325, 325, True)
    assert ended.json["receipt"]["coverage"] == 1.0


@pytest.mark.parametrize("out", ["student.weights.h5", "student.h5"])
def test_weights_that_are_written_restore_without_a_builder(call, here, out):
    assert call(*EXTRACT, "-o", out).code == 0
    assert call(*EXTRACT, "-o", "student.keras").code == 0
    assert transfer.restore(out).receipt.fingerprint == "verified"
    again = call("extract", out, "-o", "again.keras", "--json").json
    assert again["receipt"]["fingerprint"] == "not checked: no network was built"
    first, second = (keras.models.load_model(here / name) for name in ("student.keras", "again.keras"))
    for ours, theirs in zip(first.get_weights(), second.get_weights(), strict=True):
        assert np.array_equal(ours, theirs)


def test_the_seed_decides_the_values_of_a_head(call, here):
    for name, seed in (("one", 1), ("same", 1), ("other", 2)):
        assert call(*EXTRACT, "--seed", seed, "-o", f"{name}.keras").code == 0
    kernels = {
        name: keras.models.load_model(here / f"{name}.keras").get_layer("dense_3").get_weights()[0].tobytes()
        for name in ("one", "same", "other")
    }
    assert kernels["one"] == kernels["same"] != kernels["other"]


def test_the_same_command_writes_the_same_bytes(call, here):
    for name in ("one", "same"):
        assert call("extract", "digits_mlp", "--drop-last", "--head", "label:3", "-o", f"{name}.keras").code == 0
    assert (here / "one.keras").read_bytes() == (here / "same.keras").read_bytes()


def test_a_builder_in_a_file_serves_as_well(call, here):
    arguments = ("extract", "pretrained.weights.h5", "--into", "functional_models.py:create_functional_model")
    assert call(*arguments, "--drop-last-n", "2", "--head", "label:2", "-o", "student.keras").code == 0
    student = keras.models.load_model(here / "student.keras")
    assert [layer.name for layer in student.layers][1:] == ["dense_1", "label"]


@pytest.mark.parametrize(
    "both",
    [
        ("--drop-last", "--at", "dense_1"),
        ("--drop-last-n", "2", "--at", "dense_1"),
        ("--drop-last", "--drop-last-n", "2"),
    ],
    ids=" ".join,
)
def test_two_ways_to_say_where_to_cut_are_a_slip(call, here, both):
    before = sorted(here.iterdir())
    ended = call("extract", "digits_mlp", *both, "-o", "student.keras")
    assert ended.code == 2
    assert "Give one of --drop-last, --drop-last-n and --at." in ended.stderr
    assert sorted(here.iterdir()) == before


@pytest.mark.parametrize(
    ("slip", "said"),
    [
        (("--unfreeze-last", "1", "--freeze", "backbone"), "--unfreeze-last fixes everything before the last blocks: "),
        (("--unfreeze-last", "1", "--freeze-up-to", "dense_1"), "give no --freeze-up-to beside it."),
        (("--at", "dense_1", "--at", "dense_1"), "--at: a name comes twice: dense_1, dense_1."),
        (("--head", "a:2", "--head", "a:3"), "--head: a name comes twice: a, a."),
    ],
)
def test_slips_are_told_in_the_words_of_the_command_line(call, slip, said):
    ended = call("extract", "digits_mlp", "-o", "new.keras", *slip)
    assert ended.code == 2
    assert said in ended.stderr


def test_the_word_for_where_features_end_is_among_the_nearest_names(call):
    ended = call("extract", "digits_mlp", "-o", "new.keras", "--at", "featurs", "--json")
    assert ended.code == 5
    assert ended.error["next"].startswith("nearest: 'features'")


def test_of_a_layer_that_is_partly_frozen_the_trained_part_is_counted(call, here):
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="a"), keras.layers.Dense(2, name="b")])
    inner.name = "inner"
    outer = keras.Input((4,))
    keras.Model(outer, keras.layers.Dense(2, name="end")(inner(outer))).save(here / "nested.keras")
    ended = call("extract", "nested.keras", "--freeze", "inner/a", "--dry-run")
    row = next(line.split() for line in ended.stdout.splitlines() if line.split()[:1] == ["inner"])
    assert row == ["inner", str(4 * 3 + 3 + 3 * 2 + 2), "partly", "frozen,", str(3 * 2 + 2), "trainable"]


def test_a_file_that_exists_is_replaced_only_with_force(call, here):
    (here / "student.keras").write_text("mine")
    assert call(*EXTRACT, "-o", "student.keras").code == 8
    assert (here / "student.keras").read_text() == "mine"
    assert call(*EXTRACT, "--force", "-o", "student.keras").code == 0
    assert keras.models.load_model(here / "student.keras").count_params() == 54_725


def test_a_layer_that_is_not_there_names_the_nearest(call, here):
    ended = call("extract", "digits_mlp", "--at", "dense2", "-o", "student.keras", "--json")
    assert ended.code == 5
    assert "'dense_2'" in json.dumps(ended.error, ensure_ascii=False)
    assert not (here / "student.keras").exists()


@pytest.mark.usefixtures("here")
def test_tensors_may_be_skipped_and_renamed(call):
    skipped = call(
        "extract", "pretrained.weights.h5", *INTO, "--skip", "predictions/*", "-o", "skipped.keras", "--json"
    )
    assert skipped.code == 0
    assert skipped.json["receipt"]["plan"]["skipped"] == ["predictions/kernel", "predictions/bias"]
    assert skipped.json["receipt"]["fingerprint"].startswith("not checked")


def test_a_builders_own_classes_may_stand_in_what_is_written(call, here):
    (here / "own_layers.py").write_text(OWN)
    sys.path.insert(0, str(here))
    try:
        own = importlib.import_module("own_layers")
        model = own.create_own()
        model.save(here / "own.keras")
        into = ("--into", "own_layers:create_own")
        ended = call("extract", "own.keras", *into, "--drop-last", "--head", "label:4", "-o", "student.keras")
        assert (ended.code, ended.stderr) == (0, "")
        assert ["wide", str(5 * 6 + 6), "trainable"] in rows(ended.stdout)
        assert ["label", str(6 * 4 + 4), "trainable,", "new"] in rows(ended.stdout)
        student = keras.models.load_model(here / "student.keras", custom_objects={"Wide": own.Wide})
    finally:
        sys.path.remove(str(here))
        sys.modules.pop("own_layers", None)
    for ours, theirs in zip(student.get_layer("wide").weights, model.get_layer("wide").weights, strict=True):
        assert np.array_equal(ours, theirs)
    assert call("extract", "own.keras", "--drop-last", "--head", "label:4", "-o", "other.keras").code == 5
