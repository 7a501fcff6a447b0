"""Where a classifier's features end, for those who do not name a layer."""

import keras
import pytest

from transfer.errors import LayerError
from transfer.graphs.feature_layers import feature_layer
from transfer.graphs.flattening import flatten
from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.graphs.parsing import parse_config

L = keras.layers


def graph_of(*described, outputs=None, inputs=("x",), **activations):
    """`(name, class, sources)` for each layer; the last one is the output unless told otherwise."""
    layers = [
        Layer(
            name,
            kind,
            {"name": name} | ({"activation": activations[name]} if name in activations else {}),
            (Call([Ref(each) for each in sources], {}),) if sources else (),
        )
        for name, kind, *sources in described
    ]
    ends = outputs or (layers[-1].name,)
    return Graph("net", tuple(layers), tuple(map(Ref, inputs)), tuple(map(Ref, ends)))


def in_row(*described, **activations):
    """`name:class` for each layer behind the input."""
    names = ["x", *(each.split(":")[0] for each in described)]
    kinds = [each.split(":")[1] for each in described]
    return graph_of(("x", "InputLayer"), *zip(names[1:], kinds, names[:-1], strict=True), **activations)


def graph_from(model):
    return parse_config(keras.saving.serialize_keras_object(model))


def application(name, **options):
    return getattr(keras.applications, name)(weights=None, input_shape=(64, 64, 3), **options)


def test_features_end_at_the_last_global_pooling():
    graph = graph_of(
        ("x", "InputLayer"),
        ("conv", "Conv2D", "x"),
        ("pool", "GlobalAveragePooling2D", "conv"),
        ("drop", "Dropout", "pool"),
        ("hidden", "Dense", "drop"),
        ("logits", "Dense", "hidden"),
    )
    assert feature_layer(graph) == "pool"


def test_features_end_at_the_flatten_of_an_old_network():
    graph = graph_of(
        ("x", "InputLayer"),
        ("conv", "Conv2D", "x"),
        ("flat", "Flatten", "conv"),
        ("fc1", "Dense", "flat"),
        ("fc2", "Dense", "fc1"),
        ("logits", "Dense", "fc2"),
    )
    assert feature_layer(graph) == "flat"


def test_features_of_a_plain_network_end_before_its_last_dense():
    graph = in_row("dense_1:Dense", "relu_1:ReLU", "dense_2:Dense", "relu_2:Activation", "logits:Dense", "soft:Softmax")
    assert feature_layer(graph) == "relu_2"


def test_a_network_without_a_classifier_ends_where_it_ends():
    graph = graph_of(("x", "InputLayer"), ("conv", "Conv2D", "x"), ("relu", "ReLU", "conv"))
    assert feature_layer(graph) == "relu"


def test_a_pooling_in_a_squeeze_and_excitation_branch_does_not_count():
    graph = graph_of(
        ("x", "InputLayer"),
        ("conv", "Conv2D", "x"),
        ("squeeze", "GlobalAveragePooling2D", "conv"),
        ("excite", "Dense", "squeeze"),
        ("scale", "Multiply", "conv", "excite"),
        ("top_pool", "GlobalAveragePooling2D", "scale"),
        ("logits", "Dense", "top_pool"),
    )
    assert feature_layer(graph) == "top_pool"


def test_a_pooling_in_a_branch_is_not_taken_where_no_other_pooling_stands():
    graph = graph_of(
        ("x", "InputLayer"),
        ("conv", "Conv2D", "x"),
        ("squeeze", "GlobalAveragePooling2D", "conv"),
        ("excite", "Dense", "squeeze"),
        ("scale", "Multiply", "conv", "excite"),
        ("flat", "Flatten", "scale"),
        ("logits", "Dense", "flat"),
    )
    assert feature_layer(graph) == "flat"


def test_a_single_dense_after_the_input_has_no_features_before_it():
    with pytest.raises(LayerError, match="right after its input"):
        feature_layer(graph_of(("x", "InputLayer"), ("logits", "Dense", "x"), ("softmax", "Softmax", "logits")))


def test_features_of_several_outputs_are_refused():
    two = graph_of(("x", "InputLayer"), ("p", "Dense", "x"), ("q", "Dense", "x"), outputs=("p", "q"))
    with pytest.raises(LayerError, match="2 outputs"):
        feature_layer(two)


@pytest.mark.parametrize(
    ("name", "options", "layer", "width"),
    [
        ("MobileNetV2", {"alpha": 0.35, "input_shape": (32, 32, 3)}, "global_average_pooling2d", 1280),
        ("VGG16", {"classes": 10, "input_shape": (32, 32, 3)}, "flatten", 512),
        ("MobileNetV3Small", {"input_shape": (32, 32, 3), "minimalistic": True}, "global_average_pooling2d", 576),
        ("MobileNetV3Small", {"input_shape": (32, 32, 3)}, "global_average_pooling2d", 576),
        ("EfficientNetB0", {"input_shape": (32, 32, 3)}, "avg_pool", 1280),
    ],
)
def test_features_of_keras_own_networks_end_where_people_cut_them(name, options, layer, width):
    model = getattr(keras.applications, name)(weights=None, **options)
    found = feature_layer(parse_config(keras.saving.serialize_keras_object(model)))
    assert found.rstrip("0123456789").rstrip("_") == layer.rstrip("0123456789").rstrip("_")
    assert model.get_layer(found).output.shape[-1] == width


# A convolution as the classifier


def test_features_end_before_a_convolution_whose_maps_are_pooled_to_scores():
    graph = in_row(
        *("conv1:Conv2D", "fire9:Conv2D", "drop9:Dropout", "conv10:Conv2D", "relu10:Activation"),
        *("pool10:GlobalAveragePooling2D", "loss:Softmax"),
    )
    assert feature_layer(graph) == "fire9"


def squeezenet(*, include_top=True):
    """The end of SqueezeNet 1.1: fire modules join two branches."""
    x = inputs = keras.Input((32, 32, 3))
    for k, width in enumerate((4, 8), 8):
        x = L.Conv2D(4, 1, activation="relu", name=f"fire{k}_squeeze")(x)
        one = L.Conv2D(width, 1, activation="relu", name=f"fire{k}_expand1")(x)
        three = L.Conv2D(width, 3, padding="same", activation="relu", name=f"fire{k}_expand3")(x)
        x = L.Concatenate(name=f"fire{k}_concat")([one, three])
    if include_top:
        x = L.Dropout(0.5, name="drop9")(x)
        x = L.Activation("relu", name="relu_conv10")(L.Conv2D(10, 1, name="conv10")(x))
        x = L.Activation("softmax", name="loss")(L.GlobalAveragePooling2D(name="pool10")(x))
    else:
        x = L.GlobalAveragePooling2D(name="pool9")(x)
    return keras.Model(inputs, x)


def test_features_of_squeezenet_end_at_its_last_fire_module():
    assert feature_layer(graph_from(squeezenet())) == "fire9_concat"
    assert feature_layer(graph_from(squeezenet(include_top=False))) == "pool9"


@pytest.mark.parametrize(
    ("described", "activations", "end"),
    [
        # a backbone without its classifier gives no probabilities
        (("a:Conv2D", "b:Conv2D", "pool:GlobalAveragePooling2D"), {"b": "relu"}, "pool"),
        (("a:Conv2D", "b:Conv2D", "pool:GlobalAveragePooling2D", "act:Activation"), {"act": "relu"}, "pool"),
        # a convolution with a normalization behind it is no classifier
        (("a:Conv2D", "b:Conv2D", "bn:BatchNormalization", "pool:GlobalMaxPooling2D", "s:Softmax"), {}, "pool"),
        # something learns behind the pooling
        (("a:Conv2D", "b:Conv2D", "pool:GlobalAveragePooling2D", "fc:Dense"), {"fc": "softmax"}, "pool"),
        (
            ("a:Conv2D", "pool:GlobalAveragePooling2D", "drop:Dropout", "b:Conv2D", "flat:Reshape", "s:Softmax"),
            {},
            "pool",
        ),
        # nothing is learnt before the convolution
        (("scale:Rescaling", "a:Conv2D", "pool:GlobalAveragePooling2D", "s:Softmax"), {}, "pool"),
        # classifiers
        (("a:Conv1D", "b:Conv1D", "pool:GlobalAveragePooling1D", "act:Activation"), {"act": "sigmoid"}, "a"),
        (("a:Conv2D", "d:SpatialDropout2D", "e:Dropout", "b:Conv2D", "pool:GlobalMaxPooling2D", "s:Softmax"), {}, "a"),
        (("a:Conv2D", "act:ReLU", "b:Conv2D", "pool:GlobalAveragePooling2D", "flat:Flatten", "s:Softmax"), {}, "act"),
    ],
)
def test_only_a_convolution_that_classifies_is_taken_for_the_classifier(described, activations, end):
    assert feature_layer(in_row(*described, **activations)) == end


@pytest.mark.parametrize(
    ("described", "activations", "end"),
    [
        (("a:Conv2D", "bn:BatchNormalization", "act:ReLU", "mask:Conv2D"), {"mask": "sigmoid"}, "act"),
        (("a:Conv2D", "up:UpSampling2D", "drop:Dropout", "mask:Conv2D", "s:Softmax"), {}, "up"),
        (("a:Conv3D", "mask:Conv3D", "act:Activation"), {"act": "softmax"}, "a"),
        # without probabilities the network ends where it ends
        (("a:Conv2D", "b:Conv2D"), {"b": "relu"}, "b"),
        (("a:Conv2D", "up:UpSampling2D"), {}, "up"),
        (("a:Conv2D", "b:Conv2D", "bn:BatchNormalization", "s:Softmax"), {}, "s"),
        # and so does one that has learnt nothing before
        (("scale:Rescaling", "mask:Conv2D"), {"mask": "sigmoid"}, "mask"),
    ],
)
def test_features_end_before_a_convolution_that_gives_probabilities_for_each_position(described, activations, end):
    assert feature_layer(in_row(*described, **activations)) == end


# Nested backbones


def backbone(pooling):
    return application("MobileNetV2", include_top=False, alpha=0.35, pooling=pooling)


def test_features_end_at_the_pooling_behind_a_nested_backbone():
    inner = backbone(None)
    model = keras.Sequential([inner, L.GlobalAveragePooling2D(name="pool"), L.Dropout(0.2), L.Dense(3)])
    assert feature_layer(graph_from(model)) == "pool"


def test_features_end_at_a_nested_backbone_that_pools():
    inner = backbone("avg")
    graph = graph_from(keras.Sequential([inner, L.Dropout(0.2, name="drop"), L.Dense(3)]))
    assert feature_layer(graph) == "drop"
    graph = graph_from(keras.Sequential([inner, L.Dense(3)]))
    assert feature_layer(graph) == inner.name
    assert feature_layer(flatten(graph).graph) == inner.layers[-1].name


def test_a_nested_backbone_alone_ends_where_it_ends():
    inner = backbone("avg")
    model = keras.Sequential([keras.Input((64, 64, 3)), inner])
    assert feature_layer(graph_from(model)) == inner.name


# Networks of Keras


@pytest.mark.parametrize(
    ("name", "kind", "width"),
    [
        ("MobileNet", "GlobalAveragePooling2D", 1024),
        ("NASNetMobile", "GlobalAveragePooling2D", 1056),
        ("DenseNet121", "GlobalAveragePooling2D", 1024),
        ("ConvNeXtTiny", "GlobalAveragePooling2D", 768),
    ],
)
def test_features_of_classifiers_of_keras_end_at_their_pooling(name, kind, width):
    model = application(name)
    layer = model.get_layer(feature_layer(graph_from(model)))
    assert (type(layer).__name__, layer.output.shape[-1]) == (kind, width)


@pytest.mark.parametrize("pooling", ["avg", "max", None])
@pytest.mark.parametrize("name", ["MobileNet", "VGG16", "ResNet50"])
def test_backbones_of_keras_end_where_they_end(name, pooling):
    graph = graph_from(application(name, include_top=False, pooling=pooling))
    assert feature_layer(graph) == graph.outputs[0].layer
