"""Files brought into their architecture without Keras: what they lack starts from values that are drawn when needed."""

import keras
import numpy as np
import pytest

from tests.surgery.networks import nested
from transfer.graphs.parsing import parse_config
from transfer.specs import Restoring
from transfer.surgery import initializing
from transfer.surgery.initializing import initial_tensors
from transfer.surgery.network import dtype_of
from transfer.surgery.opening import open_network
from transfer.surgery.writing import write_network
from transfer.weights.opening import open_checkpoint


@pytest.fixture
def source(tmp_path):
    nested().save(tmp_path / "source.keras")
    return tmp_path / "source.keras"


@pytest.fixture
def drawn(monkeypatch):
    """Names of what is drawn, as it is."""
    names = []

    def draw(variable, seed):
        names.append(variable.spec.name)
        return original(variable, seed)

    original = initializing._draw
    monkeypatch.setattr(initializing, "_draw", draw)
    return names


def opened(path, *skip, seed=0):
    return open_network(open_checkpoint(path), None, Restoring(skip=skip, min_coverage=0), seed=seed).network


def test_only_the_tensor_that_is_skipped_is_drawn_and_only_when_it_is_needed(source, drawn, tmp_path):
    name = "backbone/backbone_conv_2/bias"
    network = opened(source, name)
    assert dtype_of(network.tensors, name) == "float32"
    assert name in network.tensors
    assert len(network.tensors) == len(open_checkpoint(source))
    assert drawn == []
    write_network(network, tmp_path / "out.keras")
    assert drawn == [name]


def test_what_is_skipped_starts_from_the_seed_and_all_else_from_the_file(source, drawn):
    name = "backbone/backbone_conv/kernel"
    network = opened(source, name, seed=5)
    graph = parse_config(open_checkpoint(source).config)
    wanted = initial_tensors(graph, ["backbone/backbone_conv"], 5)[name]
    np.testing.assert_array_equal(network.tensors[name], wanted)
    assert set(drawn) == {name}
    stored = opened(source).tensors
    assert set(network.tensors) == set(stored)
    for other in set(stored) - {name}:
        np.testing.assert_array_equal(network.tensors[other], stored[other])


def test_skipped_tensors_of_shared_and_nested_layers_are_all_there(source):
    network = opened(source, "backbone/*", "label/kernel")
    model = keras.models.load_model(source)
    assert sum(network.tensors[name].size for name in network.tensors) == model.count_params()
