"""What runs once, once a stage and in training, one after the other, is the whole network."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from transfer.data.loading import ImageBatch
from transfer.errors import LayerError
from transfer.graphs.freezing import freeze_all, unfreeze, unfreeze_all, unfreeze_from, unfreeze_last
from transfer.models.building import build_model, read_model
from transfer.surgery.network import Network
from transfer.training.feature_keys import example_keys
from transfer.training.feature_store import FeatureStore
from transfer.training.prefixing import Piece, split_off_prefix, split_stage, with_tensors

L = keras.layers


def with_statistics(model):
    """The model with batch norms that do something, of values that keep sizes as they are."""
    random = np.random.default_rng(0)
    for layer in model._flatten_layers():
        if isinstance(layer, L.BatchNormalization):
            layer.set_weights([random.uniform(0.5, 1.5, each.shape) for each in layer.get_weights()])
    return model


@pytest.fixture(scope="module")
def mobilenet() -> Network:
    keras.utils.set_random_seed(0)
    raw = keras.Input((96, 96, 3), name="image")
    scaled = L.Rescaling(1 / 127.5, -1, name="scale")(raw)
    base = keras.applications.MobileNetV2(
        (96, 96, 3), input_tensor=scaled, weights=None, include_top=False, pooling="avg", alpha=0.35
    )
    features = L.Dropout(0.2, name="drop")(base.output)
    return read_model(with_statistics(keras.Model(raw, L.Dense(3, name="label")(features))))


IMAGES = np.random.default_rng(1).integers(0, 256, (5, 96, 96, 3), np.uint8)


def batches_of(inputs, size=16):
    return lambda places: (ImageBatch(k, inputs[places[k : k + size]]) for k in range(0, len(places), size))


def passes(network, stages, images=IMAGES):
    """(between, features, suffix) of each stage, as the module's docstring has it; nothing is trained."""
    store = FeatureStore()
    prefix, rest = split_off_prefix(network, stages)
    piece = Piece(prefix)
    keys = example_keys(piece.key, [str(k) for k in range(len(images))])
    rows = store.compute(piece, keys, batches_of(images))
    found = []
    for graph in stages:
        between, suffix = split_stage(rest, graph)
        features = rows
        if between is not None:
            piece = Piece(between)
            features = store.compute(piece, example_keys(piece.key, keys), rows.batches(piece.batch_size))
        found.append((between, features, suffix))
    return prefix, found


def close(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


def outputs_of(network, values):
    return np.asarray(build_model(network)(np.asarray(values, np.float32), training=False))


def probe(network):
    return unfreeze(freeze_all(network.graph), "label")


def test_every_stage_of_mobilenet_computes_the_whole_network(mobilenet):
    graph = mobilenet.graph
    stages = [probe(mobilenet), unfreeze_from(graph, "block_15_expand"), unfreeze_from(graph, "block_13_depthwise")]
    prefix, found = passes(mobilenet, stages)
    assert [ref.layer for ref in prefix.graph.outputs] == ["block_13_pad"]
    whole = outputs_of(mobilenet, IMAGES)
    for _, features, suffix in found:
        close(outputs_of(suffix, features.values()), whole)
    shapes = [features.shape for _, features, _ in found]
    assert shapes == [(5, 1280), (5, 3, 3, 56), (5, 7, 7, 192)]
    assert [between is None for between, _, _ in found] == [False, False, True]


def test_batch_norms_are_folded_away_in_what_runs_once(mobilenet, monkeypatch):
    built = []
    monkeypatch.setattr(
        "transfer.training.prefixing.build_model", lambda network, *_: built.append(network) or build_model(network)
    )
    passes(mobilenet, [probe(mobilenet)])
    kinds = [layer.class_name for network in built for layer in network.graph]
    assert kinds.count("Conv2D") == 2 + 16 + 17  # at both ends, expanding in all blocks but one, projecting in all
    assert "BatchNormalization" not in kinds


def test_a_stage_in_the_midst_of_a_block_takes_several_tensors_as_one_row(mobilenet):
    stage = unfreeze_from(mobilenet.graph, "block_15_depthwise")
    prefix, [(between, features, suffix)] = passes(mobilenet, [stage])
    assert [ref.layer for ref in prefix.graph.outputs] == ["block_14_add", "block_15_expand_relu"]
    assert between is None
    assert features.shape == (5, 3 * 3 * (56 + 336))
    close(outputs_of(suffix, features.values()), outputs_of(mobilenet, IMAGES))


def test_images_that_come_in_their_size_are_not_resized_again(mobilenet):
    raw = keras.Input((None, None, 3), name="raw")
    fitted = L.Resizing(96, 96, antialias=True, pad_to_aspect_ratio=True, name="fit")(raw)
    network = read_model(keras.Model(raw, build_model(mobilenet)(fitted)))
    prefix, _ = split_off_prefix(network, [freeze_all(network.graph)])
    plain, known = Piece(prefix), Piece(prefix, shape=(96, 96, 3))
    assert plain.run(IMAGES).tobytes() == known.run(IMAGES).tobytes()
    assert plain.key != known.key
    with pytest.raises(LayerError):
        Piece(prefix, shape=(96, 96))


def test_several_tensors_go_on_into_the_next_piece(mobilenet):
    graph = mobilenet.graph
    stages = [unfreeze_from(graph, "block_15_depthwise"), unfreeze_from(graph, "block_16_depthwise"), probe(mobilenet)]
    _, found = passes(mobilenet, stages)
    whole = outputs_of(mobilenet, IMAGES)
    for _, features, suffix in found:
        close(outputs_of(suffix, features.values()), whole)


def test_an_example_has_the_same_bits_wherever_it_stands_in_a_batch(mobilenet):
    prefix, _ = split_off_prefix(mobilenet, [probe(mobilenet)])
    piece = Piece(prefix)
    together = piece.run(IMAGES)
    alone = np.concatenate([piece.run(IMAGES[place : place + 1]) for place in range(len(IMAGES))])
    assert alone.tobytes() == together.tobytes()


def test_what_a_stage_trained_is_in_the_next_stage_and_in_the_whole(mobilenet):
    stages = [unfreeze(freeze_all(mobilenet.graph), "Conv_1"), probe(mobilenet)]
    _, rest = split_off_prefix(mobilenet, stages)
    _, suffix = split_stage(rest, stages[0])
    trained = build_model(suffix)
    kernel = trained.get_layer("Conv_1").kernel
    kernel.assign(kernel * 1.5)
    before = Piece(split_stage(rest, stages[1])[0])
    rest = with_tensors(rest, read_model(trained).tensors)
    between, suffix = split_stage(rest, stages[1])
    assert Piece(between).key != before.key
    whole = with_tensors(mobilenet, rest.tensors)
    assert np.array_equal(whole.tensors["Conv_1/kernel"], mobilenet.tensors["Conv_1/kernel"] * np.float32(1.5))
    assert list(whole.tensors) == list(mobilenet.tensors)
    _, [_, (_, features, suffix)] = passes(whole, stages)
    close(outputs_of(suffix, features.values()), outputs_of(whole, IMAGES))


def test_the_key_of_a_prefix_hangs_on_what_is_in_it_alone(mobilenet):
    def key(network, *stages):
        return Piece(split_off_prefix(network, stages)[0]).key

    last = unfreeze_last(mobilenet.graph, 1)
    first = key(mobilenet, last, probe(mobilenet))
    assert key(mobilenet, unfreeze_last(mobilenet.graph, 1, batch_norm="adapt")) == first
    head = {"label/kernel": mobilenet.tensors["label/kernel"] + 1}
    assert key(with_tensors(mobilenet, head), last) == first
    stem = {"Conv1/kernel": mobilenet.tensors["Conv1/kernel"] * np.float32(1.0000001)}
    assert key(with_tensors(mobilenet, stem), last) != first
    scaled = [each.with_config(scale=1 / 255) if each.name == "scale" else each for each in last]
    other = replace(last, layers=tuple(scaled))
    assert key(replace(mobilenet, graph=other), other) != first


def test_the_same_network_built_twice_has_the_same_key(mobilenet):
    again = read_model(build_model(mobilenet))
    keys = [Piece(split_off_prefix(each, [probe(each)])[0]).key for each in (mobilenet, again)]
    assert keys[0] == keys[1]


def test_a_piece_that_has_nothing_to_compute_is_never_built(mobilenet, monkeypatch):
    store, piece = FeatureStore(), Piece(split_off_prefix(mobilenet, [probe(mobilenet)])[0])
    store.compute(piece, example_keys(piece.key, ["a"]), batches_of(IMAGES[:1]))
    monkeypatch.setattr("transfer.training.prefixing.build_model", None)
    again = Piece(split_off_prefix(mobilenet, [probe(mobilenet)])[0])
    store.compute(again, example_keys(again.key, ["a"]), batches_of(IMAGES[:1]))


def test_where_everything_is_trained_the_prefix_prepares_alone(mobilenet):
    prefix, [(between, features, suffix)] = passes(mobilenet, [unfreeze_all(mobilenet.graph, batch_norm="adapt")])
    assert [ref.layer for ref in prefix.graph.outputs] == ["scale"]
    assert between is None
    close(features.values(), IMAGES.astype(np.float32) / 127.5 - 1)
    close(outputs_of(suffix, features.values()), outputs_of(mobilenet, IMAGES))


def test_a_network_without_anything_fixed_is_fed_its_inputs():
    keras.utils.set_random_seed(0)
    network = read_model(keras.Sequential([keras.Input((4,)), L.Dense(3, name="one"), L.Dense(2, name="two")]))
    values = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
    _, [(between, features, suffix)] = passes(network, [unfreeze_all(network.graph)], values)
    assert between is None
    assert np.array_equal(features.values(), values)
    close(outputs_of(suffix, values), outputs_of(network, values))


def test_stages_that_train_different_branches_share_what_neither_trains():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6,), name="x")
    stem = L.Dense(5, activation="relu", name="stem")(inputs)
    joined = L.Concatenate(name="join")([L.Dense(3, name="left")(stem), L.Dense(4, name="right")(stem)])
    network = read_model(keras.Model(inputs, L.Dense(2, name="label")(joined)))
    frozen = freeze_all(network.graph)
    stages = [unfreeze(frozen, ["left", "label"]), unfreeze(frozen, ["right", "label"]), unfreeze(frozen, "label")]
    values = np.random.default_rng(0).normal(size=(7, 6)).astype(np.float32)
    prefix, found = passes(network, stages, values)
    assert [ref.layer for ref in prefix.graph.outputs] == ["stem"]
    assert [features.shape for _, features, _ in found] == [(7, 9), (7, 8), (7, 7)]
    for _, features, suffix in found:
        close(outputs_of(suffix, features.values()), outputs_of(network, values))


def test_whole_numbers_at_the_boundary_come_through():
    keras.utils.set_random_seed(0)
    words = keras.Input((4,), name="words", dtype="int32")
    x = L.Flatten(name="flat")(L.Embedding(70_000, 3, name="embed")(words))
    network = read_model(keras.Model(words, L.Dense(2, name="label")(x)))
    values = np.array([[1, 69_999, 3, 65_537], [0, 4, 5, 6]])
    for stage in (unfreeze_all(network.graph), probe(network)):
        _, [(_, features, suffix)] = passes(network, [stage], values)
        close(outputs_of(suffix, features.values()), np.asarray(build_model(network)(values)))


def test_stages_of_another_network_are_refused(mobilenet):
    other = replace(mobilenet.graph, layers=mobilenet.graph.layers[:-1])
    for stages in ([], [other]):
        with pytest.raises(ValueError, match="the network's own layers"):
            split_off_prefix(mobilenet, stages)
