"""Networks of keras.applications are named by their shapes, and what only looks like one is not."""

import random
import sys
from collections import Counter

import keras
import numpy as np
import pytest

from transfer.models.variables import describe_variables
from transfer.specs import PREPROCESSINGS, TensorSpec
from transfer.weights.identifying import _applications, identify
from transfer.weights.opening import open_checkpoint

L = keras.layers
TABLE = {each.name: each for each in _applications()}
APPLICATIONS = sorted(name for name, each in vars(keras.applications).items() if callable(each) and name[0].isupper())


def specs_of(shapes, prefix="", kind=""):
    """Tensors that say nothing but their shapes."""
    names = [f"{prefix}{kind}t{place}" for place, _ in enumerate(shapes)]
    return {
        f"{name}/0": TensorSpec(f"{name}/0", shape, "float32", name, "0")
        for name, shape in zip(names, shapes, strict=True)
    }


def shuffled(shapes):
    mixed = list(shapes)
    random.Random(0).shuffle(mixed)
    return mixed


def whole(name):
    return list(TABLE[name].shapes.elements())


def top(name, classes):
    return [tuple(classes if size < 0 else size for size in shape) for shape in TABLE[name].top]


@pytest.mark.parametrize("name", TABLE)
def test_every_network_is_named_whatever_the_names_and_the_order(name):
    known = identify(specs_of(shuffled(whole(name))))
    assert known.names == (name,)
    assert (known.top, known.classes, known.is_part) == ("none", None, False)
    with_top = identify(specs_of(shuffled(whole(name) + top(name, 1000))))
    assert (with_top.names, with_top.top, with_top.classes, with_top.is_part) == ((name,), "own", 1000, False)


@pytest.mark.parametrize("classes", [1, 2, 3, 5, 999])
@pytest.mark.parametrize("name", ["VGG16", "ResNet50", "MobileNet", "MobileNetV3Small", "EfficientNetB0", "Xception"])
def test_a_head_may_have_any_number_of_classes(name, classes):
    features = TABLE[name].features
    known = identify(specs_of([*whole(name), (features, classes), (classes,)]))
    assert (known.names, known.top, known.classes, known.is_part) == ((name,), "new", classes, False)
    own = identify(specs_of([*whole(name), *top(name, classes)]))
    assert (own.names, own.classes, own.is_part) == ((name,), classes, False)


@pytest.mark.parametrize("name", ["VGG16", "ResNet50", "ResNet101", "MobileNetV2", "EfficientNetB0"])
def test_a_nested_network_is_named_in_whatever_stands_around_it(name):
    inside = specs_of(whole(name), prefix="backbone/")
    head = specs_of([(TABLE[name].features, 5), (5,)])
    known = identify({**inside, **head})
    assert (known.names, known.top, known.classes, known.is_part) == ((name,), "new", 5, False)
    decoder = specs_of([(3, 3, TABLE[name].features, 64), (64,), (1, 1, 64, 21), (21,)])
    known = identify({**decoder, **inside})
    assert (known.names, known.top, known.is_part) == ((name,), "none", True)
    deeper = specs_of(whole(name) + top(name, 1000), prefix="clf/net/")
    known = identify({**decoder, **deeper})
    assert (known.names, known.top, known.classes, known.is_part) == ((name,), "own", 1000, True)


def test_a_hidden_layer_before_the_head_makes_it_part_of_something_larger():
    head = [(1280,), (1280,), (1280,), (1280,), (1280, 256), (256,), (256, 5), (5,)]
    known = identify(specs_of([*whole("MobileNetV2"), *head]))
    assert (known.names, known.top, known.is_part) == (("MobileNetV2",), "none", True)
    recurrent = [(512, 400), (100, 400), (400,), (100, 7), (7,)]
    assert identify(specs_of([*whole("VGG16"), *recurrent])).names == ("VGG16",)


def test_convolutions_that_follow_a_network_in_its_order_make_it_a_part():
    inputs = keras.Input((64, 64, 3))
    backbone = keras.applications.MobileNetV2(weights=None, include_top=False, alpha=0.35, input_tensor=inputs)
    x = L.Conv2DTranspose(16, 3, strides=2)(backbone.output)
    known = identify(describe_variables(keras.Model(inputs, L.Conv2D(2, 1)(x))))
    assert (known.names, known.top, known.is_part) == (("MobileNetV2 (width 0.35)",), "none", True)


def without(shapes, shape, count=1):
    left = Counter(shapes)
    left[shape] -= count
    return list(left.elements())


def resnet_of(blocks):
    """A ResNet as in Keras with other numbers of blocks a stage: no network of keras.applications."""

    def conv(rows, channels, made):
        return [(rows, rows, channels, made), *[(made,)] * 5]

    shapes, channels = conv(7, 3, 64), 64
    for count, width in zip(blocks, (64, 128, 256, 512), strict=True):
        shapes += conv(1, channels, 4 * width)
        for _ in range(count):
            shapes += conv(1, channels, width) + conv(3, width, width) + conv(1, width, 4 * width)
            channels = 4 * width
    return shapes


def test_the_shapes_written_out_here_are_those_of_the_paper():
    assert identify(specs_of(resnet_of((3, 4, 6, 3)))).names == ("ResNet50",)
    assert identify(specs_of(resnet_of((3, 4, 23, 3)))).names == ("ResNet101",)


ALIKE = {
    "ResNet-77": resnet_of((3, 4, 15, 3)),
    "ResNet-77 with a head": [*resnet_of((3, 4, 15, 3)), (2048, 5), (5,)],
    "ResNet-38": resnet_of((3, 3, 3, 3)),
    "ResNet50 of torchvision, without biases": [
        shape
        for place, shape in enumerate(resnet_of((3, 4, 6, 3)))
        if place % 6 != 1  # kernel, bias, gamma, beta, mean, variance
    ],
    "VGG16 with another convolution": [*whole("VGG16"), (3, 3, 256, 256), (256,)],
    "VGG16 with another convolution in its midst": [
        shape for each in (whole("VGG16")[:6], [(3, 3, 256, 256)], whole("VGG16")[6:], [(256,)]) for shape in each
    ],
    "VGG16 without one": without(without(whole("VGG16"), (3, 3, 512, 512)), (512,)),
    "VGG16 without biases": [shape for shape in whole("VGG16") if len(shape) > 1],
    "VGG16 with batch norm": [*whole("VGG16"), *[shape for shape in whole("VGG16") if len(shape) == 1] * 4],
    "VGG16 of grey images": [*without(whole("VGG16"), (3, 3, 3, 64)), (3, 3, 1, 64)],
    "ResNet50 with squeeze and excitation": [
        *resnet_of((3, 4, 6, 3)),
        *[
            shape
            for count, width in ((3, 256), (4, 512), (6, 1024), (3, 2048))
            for shape in [(width, width // 16), (width // 16,), (width // 16, width), (width,)] * count
        ],
    ],
    "MobileNetV2 with a block more": [
        *whole("MobileNetV2"),
        (1, 1, 160, 960),
        (3, 3, 960, 1),
        (1, 1, 960, 160),
        *[(960,)] * 8,
        *[(160,)] * 4,
    ],
    "EfficientNetB0 with a wider head convolution": [
        *without(whole("EfficientNetB0"), (1, 1, 320, 1280)),
        (1, 1, 320, 1281),
    ],
    "a head for other features": [*whole("VGG16"), (511, 5), (5,)],
    "nothing": [],
    "a perceptron": [(784, 64), (64,), (64, 10), (10,)],
}


@pytest.mark.parametrize("name", ALIKE)
@pytest.mark.parametrize("prefix", ["", "backbone/"])
def test_what_only_looks_like_a_known_network_is_not_named(name, prefix):
    assert identify(specs_of(ALIKE[name], prefix=prefix)) is None


def test_a_network_and_what_feeds_it_from_elsewhere_is_not_told_as_one():
    assert identify(specs_of([*whole("VGG16"), (10, 32), (32,), (544, 5), (5,)])) is None


def test_statistics_of_images_come_and_go_between_versions():
    normalization = {
        f"norm/{role}": TensorSpec(f"norm/{role}", shape, "float32", "norm", role, "normalization")
        for role, shape in (("mean", (3,)), ("variance", (3,)), ("count", ()))
    }
    for count in (2, 3):
        some = dict(list(normalization.items())[:count])
        known = identify({**some, **specs_of([*whole("EfficientNetB0"), (1280, 3), (3,)])})
        assert (known.names, known.classes, known.is_part) == (("EfficientNetB0",), 3, False)


def test_in_words():
    assert str(identify(specs_of(whole("VGG16")))) == "VGG16 without top, keras.applications"
    assert str(identify(specs_of([*whole("ResNet50"), (2048, 5), (5,)]))) == (
        "ResNet50 with a head of 5 classes, keras.applications"
    )
    assert str(identify(specs_of([*whole("VGG16"), *top("VGG16", 1000)]))) == (
        "VGG16 with its top for 1,000 classes, keras.applications"
    )
    nested = {**specs_of(whole("MobileNetV2"), prefix="net/"), **specs_of([(3, 3, 1280, 8)])}
    assert str(identify(nested)) == "MobileNetV2 without top, inside a larger network, keras.applications"


def test_networks_of_equal_shapes_are_all_named(monkeypatch):
    import dataclasses

    import transfer.weights.identifying as module

    twin = dataclasses.replace(TABLE["VGG16"], name="Twin", preprocessing="torch")
    monkeypatch.setattr(module, "_applications", lambda: (*TABLE.values(), twin))
    known = identify(specs_of(whole("VGG16")))
    assert known.names == ("VGG16", "Twin")
    assert (known.preprocessing, known.preprocessing_name) == (None, "")
    assert str(known) == "VGG16 or Twin without top, keras.applications"


def test_no_two_networks_of_the_table_have_the_same_shapes():
    seen = [tuple(sorted(each.shapes.items())) for each in TABLE.values()]
    assert len(set(seen)) == len(seen)


FORMATS = ("net.h5", "net.weights.h5", "net.keras")


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_files_of_keras_are_recognised(tmp_path, format):
    inputs = keras.Input((96, 96, 3))
    backbone = keras.applications.MobileNetV2(weights=None, include_top=False, alpha=0.35, input_shape=(96, 96, 3))
    x = L.GlobalAveragePooling2D()(backbone(inputs))
    model = keras.Model(inputs, L.Dense(5)(x))
    (model.save_weights if format == "net.weights.h5" else model.save)(tmp_path / format)
    known = identify(open_checkpoint(tmp_path / format).specs)
    assert str(known) == "MobileNetV2 (width 0.35) with a head of 5 classes, keras.applications"


@pytest.mark.parametrize("name", ["MobileNet", "MobileNetV3Small"])
def test_models_of_keras_are_recognised(name):
    model = getattr(keras.applications, name)(weights=None, classes=7, classifier_activation=None)
    known = identify(describe_variables(model))
    assert (known.names, known.classes, known.is_part) == ((name,), 7, False)


@pytest.mark.slow
@pytest.mark.parametrize("name", APPLICATIONS)
def test_every_network_of_keras_is_recognised_with_its_size(name):
    model = getattr(keras.applications, name)(weights=None)
    known = identify(describe_variables(model))
    assert (known.names, known.top, known.classes, known.is_part) == ((name,), "own", 1000, False)
    assert known.preprocessing.size == model.input_shape[1:3]


@pytest.mark.parametrize("name", APPLICATIONS)
def test_the_preprocessing_is_what_the_networks_own_function_does(name):
    module = sys.modules[getattr(keras.applications, name).__module__]
    pixels = np.random.default_rng(1).uniform(0, 255, (1, 6, 5, 3)).astype("float32")
    known = identify(specs_of(whole(name)))
    told = known.preprocessing
    assert told.scale == PREPROCESSINGS[known.preprocessing_name].scale
    turned = pixels[..., ::-1] if told.color == "bgr" else pixels
    prepared = (turned * told.scale - np.array(told.mean)) / np.array(told.std)
    np.testing.assert_allclose(module.preprocess_input(pixels.copy()), prepared, atol=1e-4)
