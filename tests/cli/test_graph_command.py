"""`transfer graph` shows and draws an architecture, from files without TensorFlow."""

import json
import subprocess
import sys
import time
from xml.etree import ElementTree

import keras
import pytest

from transfer.graphs.parsing import parse_config
from transfer.graphs.summarizing import summarize

L = keras.layers
SVG = "{http://www.w3.org/2000/svg}"


def nested():
    inner = keras.Sequential(
        [keras.Input((8,), name="given"), L.Dense(4, name="one"), L.Dense(3, name="two")], name="backbone"
    )
    inner.trainable = False
    inputs = keras.Input((8,), name="photo")
    return keras.Model(inputs, L.Dense(2, name="label")(inner(inputs)), name="outer")


def hostile():
    """Names that would steer a terminal, close an element or leave a quotation."""
    inputs = keras.Input((4,), name="x")
    x = L.Dense(3, name='<script>alert("1")&')(inputs)
    return keras.Model(inputs, L.Dense(2, name="red\x1b[31m\u202e")(x), name="]]>&amp;\n\\")


@pytest.fixture
def stored(here):
    nested().save(here / "nested.keras")
    nested().save_weights(here / "nested.weights.h5")
    (here / "hostile.json").write_text(hostile().to_json())
    return here


def rows(stdout):
    return [line.split() for line in stdout.splitlines() if line]


def test_a_shipped_checkpoint_is_told_layer_by_layer(call):
    ended = call("graph", "digits_mlp")
    assert (ended.code, ended.stderr) == (0, "")
    first, *layers, total = rows(ended.stdout)
    assert first == ["layer", "class", "output", "parameters", "takes"]
    assert layers == [
        ["digits", "InputLayer", "784", "0"],
        ["dense_1", "Dense", "64", "50,240", "trainable", "digits"],
        ["dense_2", "Dense", "64", "4,160", "trainable", "dense_1"],
        ["predictions", "Dense", "10", "650", "trainable", "dense_2"],
    ]
    assert " ".join(total) == "3_layer_mlp: 4 layers; 55,050 parameters, 55,050 trainable and 0 not"


def test_long_tables_are_whole_in_a_pipe(call):
    ended = call("graph", "mobilenet_v2_imagenet")
    assert ended.code == 0
    assert "…" not in ended.stdout
    assert len(ended.stdout.splitlines()) == 1 + 156 + 2
    assert "2,257,984 parameters, 2,223,872 trainable and 34,112 not" in ended.stdout


@pytest.mark.usefixtures("stored")
def test_a_nested_model_is_one_layer_until_it_is_opened(call):
    ended = call("graph", "nested.keras")
    assert ["backbone", "Sequential", "(2", "layers)", "3", "51", "frozen", "photo"] in rows(ended.stdout)
    assert "59 parameters, 8 trainable and 51 not" in ended.stdout
    ended = call("graph", "nested.keras", "--flatten")
    assert ["one", "Dense", "4", "36", "frozen", "photo"] in rows(ended.stdout)
    assert ["label", "Dense", "2", "8", "trainable", "two"] in rows(ended.stdout)
    assert "59 parameters, 8 trainable and 51 not" in ended.stdout


@pytest.mark.usefixtures("stored")
def test_json_tells_what_the_table_tells(call):
    ended = call("graph", "nested.keras", "--json")
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.json == {
        "schema": "transfer/graph/1",
        "name": "outer",
        "parameters": 59,
        "trainable_parameters": 8,
        "fixed_parameters": 51,
        "unknown_layers": [],
        "inputs": ["photo"],
        "outputs": [{"layer": "label", "call": 0, "output": 0}],
        "layers": [
            {
                "name": name,
                "class": kind,
                "inner_layers": inner,
                "output_shapes": [[size]],
                "parameters": held,
                "trainable_parameters": trained,
                "state": state,
                "takes": [[{"layer": source, "call": 0, "output": 0}] for source in sources],
            }
            for name, kind, inner, size, held, trained, state, sources in [
                ("photo", "InputLayer", 0, 8, 0, 0, "", []),
                ("backbone", "Sequential", 2, 3, 51, 0, "frozen", ["photo"]),
                ("label", "Dense", 0, 2, 8, 8, "trainable", ["backbone"]),
            ]
        ],
        "drawn": None,
    }


@pytest.mark.usefixtures("stored")
def test_weights_without_an_architecture_say_so_and_take_one(call):
    ended = call("graph", "nested.weights.h5")
    assert ended.code == 3
    assert "holds weights alone, no architecture" in ended.stderr
    assert "--into" in ended.stderr
    ended = call("graph", "nested.weights.h5", "--into", "nested.keras")
    assert (ended.code, ended.stderr) == (0, "")
    assert "new" not in ended.stdout


def test_layers_of_which_the_file_holds_nothing_are_new(call, stored):
    inputs = keras.Input((8,), name="photo")
    inner = nested().get_layer("backbone")
    keras.Model(inputs, [L.Dense(2, name="label")(y := inner(inputs)), L.Dense(5, name="more")(y)]).save(
        stored / "more.keras"
    )
    states = {
        each["name"]: each["state"]
        for each in call("graph", "nested.weights.h5", "--into", "more.keras", "--flatten", "--json").json["layers"]
    }
    assert states == {"photo": "", "one": "frozen", "two": "frozen", "label": "trainable", "more": "new"}
    ended = call("graph", "nested.weights.h5", "--into", "more.keras", "-o", "more.svg")
    assert ended.code == 0
    assert 'class="layer new"' in (stored / "more.svg").read_text()


@pytest.mark.usefixtures("here")
def test_a_builder_is_built(call):
    ended = call("graph", "pretrained.weights.h5", "--into", "functional_models:create_functional_model")
    assert (ended.code, ended.stderr) == (0, "")
    assert "3_layer_mlp: 4 layers; 55,050 parameters" in ended.stdout
    assert call("graph", "functional_models:create_narrow_model", "--json").json["parameters"] == 25450


def test_a_file_that_is_not_there_ends_with_3(call, here):
    ended = call("graph", "nowhere.h5")
    assert ended.code == 3
    assert "no file nowhere.h5" in ended.stderr
    assert not (here / "nowhere.h5").exists()


@pytest.mark.usefixtures("stored")
def test_names_that_steer_a_terminal_are_written_out(call):
    ended = call("graph", "hostile.json")
    assert ended.code == 0
    assert "\x1b" not in ended.stdout
    assert "red\\x1b[31m\\u202e" in ended.stdout
    assert '<script>alert("1")&' in ended.stdout


# Drawings


@pytest.mark.parametrize("name", ["net.svg", "net.dot"])
def test_a_drawing_is_written_whole_and_replaced_only_by_force(call, here, name):
    ended = call("graph", "digits_mlp", "-o", name)
    assert ended.code == 0
    assert ended.stdout.splitlines()[-1] == f"drawn: {name}"
    whole = (here / name).read_text()
    (here / name).write_text("precious")
    ended = call("graph", "digits_mlp", "-o", name)
    assert ended.code == 8
    assert (here / name).read_text() == "precious"
    assert call("graph", "digits_mlp", "-o", name, "--force", "--json").json["drawn"] == name
    assert (here / name).read_text() == whole
    assert not [each for each in here.iterdir() if "unfinished" in each.name]


def test_a_drawing_of_hostile_names_is_still_one(call, stored):
    assert call("graph", "hostile.json", "-o", "net.svg").code == 0
    root = ElementTree.fromstring((stored / "net.svg").read_bytes())
    assert not list(root.iter(f"{SVG}script")) + list(root.iter("script"))
    shown = [each.text for each in root.iter(f"{SVG}text")]
    assert '<script>alert("1")&' in shown
    assert "red\\x1b[31m\\u202e" in shown


@pytest.mark.usefixtures("here")
def test_a_name_that_does_not_tell_what_to_draw_is_a_slip(call):
    ended = call("graph", "digits_mlp", "-o", "net.png")
    assert ended.code == 2
    assert ".svg or .dot" in ended.stderr


def test_an_opened_model_is_drawn_opened(call, stored):
    assert call("graph", "nested.keras", "-o", "net.svg", "--flatten").code == 0
    text = (stored / "net.svg").read_text()
    assert ">one<" in text
    assert "backbone" not in text


# In a process of its own


def test_looking_at_a_graph_loads_neither_tensorflow_nor_keras_and_is_quick(stored):
    code = """
import json, sys
from transfer.cli.group import transfer
try:
    transfer.main(json.loads(sys.argv[1]), prog_name="transfer")
except SystemExit as stop:
    assert stop.code == 0, stop.code
print([each for each in ("keras", "tensorflow") if each in sys.modules], file=sys.stderr)
"""
    for arguments in (
        ["graph", "digits_mlp", "-o", "mlp.svg"],
        ["graph", "nested.weights.h5", "--into", "nested.keras", "--flatten", "-o", "nested.dot"],
    ):
        begun = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code, json.dumps(arguments)],
            cwd=stored, capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        assert done.stderr.splitlines()[-1] == "[]"
        assert time.monotonic() - begun < 10  # a tenth of it on a machine that is not busy


def test_the_counts_are_those_of_keras():
    model = nested()
    layers = summarize(parse_config(keras.saving.serialize_keras_object(model)))
    assert sum(each.parameters for each in layers) == model.count_params()
