"""Names with a '/', which older Keras took, are plain ones after parsing."""

import json

import h5py
import keras
import numpy as np

from transfer.graphs.flattening import flatten
from transfer.graphs.freezing import freeze
from transfer.graphs.graph import Ref
from transfer.graphs.parsing import parse_config
from transfer.graphs.variables import describe_graph
from transfer.models.building import build_graph, build_model
from transfer.specs import Restoring, Writer
from transfer.surgery.opening import open_network
from transfer.weights.opening import open_checkpoint

OLD = Writer("2.2.4", "tensorflow")
L = keras.layers


def layer(kind, name, *sources, **options):
    nodes = [[[source, 0, 0, {}] for source in sources]] if sources else []
    return {"class_name": kind, "name": name, "config": {"name": name, **options}, "inbound_nodes": nodes}


def entrance(name, *shape):
    return layer("InputLayer", name, batch_input_shape=[None, *shape], dtype="float32", sparse=False)


def model(name, *layers, output):
    ends = {"input_layers": [[layers[0]["name"], 0, 0]], "output_layers": [[output, 0, 0]]}
    return {"class_name": "Model", "config": {"name": name, "layers": list(layers), **ends}}


def densenet():
    """The stem and a block of DenseNet, in the words of Keras 2.2.4."""
    return model(
        "densenet",
        entrance("input_1", 8, 8, 3),
        layer("Conv2D", "conv1/conv", "input_1", filters=4, kernel_size=[3, 3], use_bias=False, padding="same"),
        layer("BatchNormalization", "conv1/bn", "conv1/conv", axis=3, epsilon=1.001e-05),
        layer("Activation", "conv1/relu", "conv1/bn", activation="relu"),
        layer("Conv2D", "conv2_block1_1_conv", "conv1/relu", filters=2, kernel_size=[1, 1], use_bias=False),
        layer("Concatenate", "conv2_block1_concat", "conv1/relu", "conv2_block1_1_conv", axis=3),
        output="conv2_block1_concat",
    )


VALUES = {
    "conv1/conv": {"kernel": (3, 3, 3, 4)},
    "conv1/bn": {"gamma": (4,), "beta": (4,), "moving_mean": (4,), "moving_variance": (4,)},
    "conv2_block1_1_conv": {"kernel": (1, 1, 4, 2)},
}


def write(path, config):
    """The file that Keras 2.2.4 writes, and its arrays by layer and role."""
    generator, arrays = np.random.RandomState(0), {}
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config).encode()
        file.attrs["keras_version"] = b"2.2.4"
        file.attrs["backend"] = b"tensorflow"
        root = file.create_group("model_weights")
        names = [each["name"] for each in config["config"]["layers"]]
        root.attrs["layer_names"] = [name.encode() for name in names]
        root.attrs["keras_version"], root.attrs["backend"] = b"2.2.4", b"tensorflow"
        for name in names:
            group, weights = root.create_group(name), VALUES.get(name, {})
            group.attrs["weight_names"] = [f"{name}/{role}:0".encode() for role in weights]
            for role, shape in weights.items():
                arrays[name, role] = generator.rand(*shape).astype("float32")
                group[f"{name}/{role}:0"] = arrays[name, role]
    return arrays


def test_a_file_of_keras_2_with_the_names_of_densenet_is_matched_by_name_and_computes_what_it_should(tmp_path):
    arrays = write(tmp_path / "densenet.h5", densenet())
    opened = open_network(open_checkpoint(tmp_path / "densenet.h5"), None, Restoring())
    assert {pair.stored for pair in opened.receipt.plan.pairs} == {pair.wanted for pair in opened.receipt.plan.pairs}
    built = build_model(opened.network)
    inputs = keras.Input((8, 8, 3))
    x = L.Conv2D(4, 3, use_bias=False, padding="same", name="a")(inputs)
    x = L.ReLU()(L.BatchNormalization(epsilon=1.001e-05, name="b")(x))
    same = keras.Model(inputs, L.Concatenate()([x, L.Conv2D(2, 1, use_bias=False, name="c")(x)]))
    same.set_weights([*(arrays["conv1/conv", "kernel"],), *(arrays["conv1/bn", role] for role in VALUES["conv1/bn"]),
                      arrays["conv2_block1_1_conv", "kernel"]])  # fmt: skip
    images = np.random.RandomState(1).rand(2, 8, 8, 3).astype("float32")
    np.testing.assert_allclose(built.predict(images, verbose=0), same.predict(images, verbose=0), rtol=1e-5, atol=1e-6)


def test_opening_nothing_changes_nothing():
    graph = parse_config(densenet(), OLD)
    assert graph.names[1:4] == ("conv1_conv", "conv1_bn", "conv1_relu")
    found = flatten(graph, [])
    assert (found.graph, found.opened) == (graph, ())
    assert all(each.config["name"] == each.name for each in graph)


def test_layers_with_such_names_can_be_frozen_by_the_names_that_are_listed():
    graph = freeze(parse_config(densenet(), OLD), "conv1_conv")
    assert graph.layer("conv1_conv").config["trainable"] is False
    assert graph.layer("conv2_block1_1_conv").config["trainable"] is True


def test_layers_inside_models_and_wrappers_and_the_models_themselves_get_plain_names():
    inside = model(
        "back/bone",
        entrance("in/put", 5, 4),
        layer("TimeDistributed", "steps/all", "in/put",
              layer={"class_name": "Dense", "config": {"name": "de/nse", "units": 3}}),
        output="steps/all",
    )  # fmt: skip
    nested = {**inside, "name": "back/bone", "inbound_nodes": [[["x/in", 0, 0, {}]]]}
    outer = model("net/a", entrance("x/in", 5, 4), nested, layer("Dense", "out", "back/bone", units=2), output="out")
    outer["config"]["layers"][2]["inbound_nodes"] = [[["back/bone", 1, 0, {}]]]
    graph = parse_config(outer, OLD)
    assert (graph.name, graph.names, graph.inputs) == ("net_a", ("x_in", "back_bone", "out"), (Ref("x_in"),))
    assert set(describe_graph(graph)) == {
        "back_bone/steps_all/de_nse/kernel", "back_bone/steps_all/de_nse/bias", "out/kernel", "out/bias"
    }  # fmt: skip
    assert build_graph(graph).output_shape == (None, 5, 2)
    assert flatten(graph).opened == ("back_bone",)


def test_names_that_would_be_the_same_without_a_slash_are_numbered():
    chain = model("net", entrance("x", 4), layer("Dense", "a/b", "x", units=3), layer("Dense", "a_b", "a/b", units=2),
                  output="a_b")  # fmt: skip
    graph = parse_config(chain, OLD)
    assert graph.names == ("x", "a_b_1", "a_b")
    assert [ref for each in graph for call in each.calls for ref in call.sources] == [Ref("x"), Ref("a_b_1")]


def test_the_config_itself_is_left_as_it_is():
    config = densenet()
    parse_config(config, OLD)
    assert config == densenet()


def test_a_chain_with_such_names_is_read_too():
    layers = [
        {"class_name": "Dense", "config": {"name": "a/b", "units": 3, "batch_input_shape": [None, 4]}},
        {"class_name": "Dense", "config": {"name": "a/c", "units": 2}},
    ]
    graph = parse_config({"class_name": "Sequential", "config": {"name": "s/t", "layers": layers}}, OLD)
    assert (graph.name, graph.names) == ("s_t", ("a_b_input", "a_b", "a_c"))
    assert build_graph(graph).output_shape == (None, 2)
