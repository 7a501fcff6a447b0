"""Keys are the same for the same, and others where anything that decides about features is another."""

import json
from dataclasses import replace

import keras
import numpy as np
import pytest

from transfer import from_arrays
from transfer.models.building import read_model
from transfer.surgery.network import Network
from transfer.training import arithmetic
from transfer.training.arithmetic import describe_arithmetic
from transfer.training.feature_keys import example_keys, piece_key

GIVEN = {"feeding": {"size": [8, 8]}, "batch_size": 16, "arithmetic": {"keras": "3.15.1"}}


@pytest.fixture(scope="module")
def network() -> Network:
    inputs = keras.Input((8, 8, 3), name="image")
    x = keras.layers.Rescaling(1 / 255, name="scale")(inputs)
    x = keras.layers.Conv2D(2, 3, name="conv")(x)
    read = read_model(keras.Model(inputs, x, name="net"))
    return Network(read.graph, {name: np.array(values) for name, values in read.tensors.items()})


def test_the_same_piece_has_the_same_key_whatever_it_is_called(network):
    key = piece_key(network, **GIVEN)
    renamed = replace(network, graph=replace(network.graph, name="other"))
    copied = replace(network, tensors={name: values.copy() for name, values in reversed(network.tensors.items())})
    assert piece_key(renamed, **GIVEN) == piece_key(copied, **GIVEN) == key
    assert len(key) == 64


@pytest.mark.parametrize(
    "changed",
    [{"feeding": {"size": [8, 9]}}, {"feeding": None}, {"batch_size": 8}, {"arithmetic": {"keras": "3.15.2"}}],
    ids=str,
)
def test_what_is_fed_how_and_what_computes_change_it(changed, network):
    assert piece_key(network, **GIVEN) != piece_key(network, **{**GIVEN, **changed})


def test_one_bit_of_one_tensor_changes_it(network):
    kernel = network.tensors["conv/kernel"].copy()
    kernel[0, 0, 0, 0] = np.nextafter(kernel[0, 0, 0, 0], np.float32(9))
    changed = replace(network, tensors={**network.tensors, "conv/kernel": kernel})
    assert piece_key(network, **GIVEN) != piece_key(changed, **GIVEN)


@pytest.mark.parametrize(("layer", "option"), [("scale", {"offset": 0.5}), ("conv", {"activation": "relu"})])
def test_preprocessing_and_every_other_layer_change_it(layer, option, network):
    layers = tuple(each.with_config(**option) if each.name == layer else each for each in network.graph)
    changed = replace(network, graph=replace(network.graph, layers=layers))
    assert piece_key(network, **GIVEN) != piece_key(changed, **GIVEN)


def test_keys_of_examples_tell_pieces_bytes_ways_and_views_apart():
    found = [
        *example_keys("a" * 64, ["1", "2"]),
        *example_keys("b" * 64, ["1"]),
        *example_keys("a" * 64, ["1"], view=1),
        *example_keys("a" * 64, ["1"], augmentation={"ways": ["flip"], "seed": 0}),
        *example_keys("a" * 64, ["1"], augmentation={"ways": ["flip"], "seed": 1}),
        *example_keys("a" * 64, ["1"], augmentation={"ways": ["flip"], "seed": 0}, view=1),
    ]
    assert len(set(found)) == len(found) == 7
    assert {len(each) for each in found} == {32}
    assert example_keys("a" * 64, ["2", "1"]) == example_keys("a" * 64, ["1", "2"])[::-1]


def test_versions_that_change_arithmetic_are_told():
    assert describe_arithmetic()["versions"]["keras"] == keras.__version__
    assert {"tensorflow", "pillow", "numpy", "h5transfer"} < set(describe_arithmetic()["versions"])
    assert describe_arithmetic() == describe_arithmetic()
    json.dumps(describe_arithmetic())


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        (arithmetic, "version", lambda name: f"9 of {name}"),
        (arithmetic.codecs, "version", lambda name: f"9 of {name}"),
        (arithmetic.platform, "machine", lambda: "other"),
        (arithmetic, "_processor", lambda: "other"),
        (arithmetic, "_processors", lambda: 99),
    ],
    ids=["packages", "codecs", "machine", "processor", "threads"],
)
def test_what_rounds_in_another_way_is_another_arithmetic(module, name, value, monkeypatch):
    before = describe_arithmetic()
    monkeypatch.setattr(module, name, value)
    assert describe_arithmetic() != before


def test_a_switch_of_tensorflow_and_the_precision_are_another_arithmetic(monkeypatch):
    before = describe_arithmetic()
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert describe_arithmetic() != before
    monkeypatch.undo()
    monkeypatch.setattr(keras.config, "epsilon", lambda: 1e-3)
    assert describe_arithmetic() != before


def test_one_changed_pixel_is_another_example():
    images = np.random.default_rng(0).integers(0, 255, (3, 8, 8, 3), np.uint8)
    changed = images.copy()
    changed[1, 7, 7, 2] += 1
    before, after = (example_keys("a" * 64, from_arrays(each, np.arange(3)).digests()) for each in (images, changed))
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False, True]
