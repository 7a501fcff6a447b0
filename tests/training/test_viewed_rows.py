"""Views of examples as one set: where each stands, what was not read, and what a stage makes of it."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from transfer.data.loading import ImageBatch
from transfer.errors import Problem
from transfer.recipes import Stage
from transfer.training.augmenting import Augmentation, augmented_batches
from transfer.training.feature_keys import example_keys
from transfer.training.feature_store import FeatureStore
from transfer.training.fitting import fit
from transfer.training.viewed_rows import join_views, places_of_views, spread_over_views

BAD = Problem("picture 3", "a picture", "none")


class Adding:
    """A piece that adds a number to each value."""

    def __init__(self, number):
        self.number, self.key = number, f"{number:064x}"

    def run(self, batch):
        return np.asarray(batch, np.float32) + self.number


def batches_of(values, bad=()):
    def batches(places):
        for start in range(0, len(places), 2):
            chosen = places[start : start + 2]
            failures = tuple((start + k, BAD) for k, place in enumerate(chosen) if place in bad)
            yield ImageBatch(start, values[chosen], failures)

    return batches


def rows_of(store, number, examples=5, bad=()):
    values = 10.0 * np.arange(examples)[:, None] + np.arange(3)
    keys = [f"{number:016x}{place:016x}" for place in range(examples)]
    return store.compute(Adding(number), keys, batches_of(values, bad))


@pytest.mark.parametrize("memory_bytes", [2**20, 0])
def test_a_place_of_the_whole_is_a_view_of_an_example(memory_bytes):
    store = FeatureStore(memory_bytes=memory_bytes)
    views = [rows_of(store, number) for number in (1, 2, 3)]
    whole = join_views(views)
    assert len(whole) == 15
    assert whole.shape == (15, 3)
    for view in range(3):
        for example in range(5):
            wanted = 10.0 * example + np.arange(3) + (1, 2, 3)[view]
            assert_array_equal(whole.read(np.array([view * 5 + example])), wanted[None])
    assert_array_equal(whole.values(), np.concatenate([each.values() for each in views]))
    places = np.array([14, 0, 7, 7, 3])
    assert_array_equal(whole.subset(places).values(), whole.values()[places])


def test_examples_that_could_not_be_read_are_told_of_in_every_view():
    store = FeatureStore()
    whole = join_views([rows_of(store, number, bad=(3,)) for number in (1, 2)])
    assert whole.failures == ((3, BAD), (8, BAD))
    assert not whole.read(np.array([3, 8])).any()
    assert whole.read(np.array([4])).any()


def test_one_view_is_the_rows_themselves():
    rows = rows_of(FeatureStore(), 1)
    assert_array_equal(join_views([rows]).values(), rows.values())


def test_views_of_different_sets_are_refused():
    store = FeatureStore()
    for views in ([], [rows_of(store, 1), rows_of(store, 2, examples=4)]):
        with pytest.raises(ValueError, match="same examples"):
            join_views(views)


def test_places_of_views_come_view_by_view():
    assert places_of_views(np.array([4, 1]), 5, 3).tolist() == [4, 1, 9, 6, 14, 11]
    assert (places_of_views(np.array([4, 1]), 5, 3) % 5).tolist() == [4, 1] * 3


def test_a_stage_passes_as_often_over_the_examples():
    stage = spread_over_views(Stage(unfreeze=("*",), epochs=10, patience=3, steps=7), 4)
    assert (stage.epochs, stage.patience, stage.steps) == (3, 1, 7)
    assert spread_over_views(Stage(unfreeze=("*",)), 1) == Stage(unfreeze=("*",))


def test_a_model_learns_from_views_as_from_an_array_of_them_all():
    images = np.random.default_rng(0).integers(0, 256, (6, 5, 4, 3), np.uint8)
    digests, labels = [f"{place}" for place in range(6)], np.arange(6) % 2
    augmentation, store, piece = Augmentation(("flip", "contrast"), seed=1), FeatureStore(), Adding(0)
    batches = batches_of(images)
    views = [
        store.compute(
            piece,
            example_keys(piece.key, digests, augmentation=augmentation.to_json(), view=view),
            augmented_batches(batches, augmentation, digests, view),
        )
        for view in range(2)
    ]
    train = np.array([0, 1, 4, 5])
    places = places_of_views(train, 6, 2)
    stage = spread_over_views(Stage(unfreeze=("*",), epochs=4, rate=1e-4, batch_size=3), 2)

    def trained(features, own_labels):
        inputs = keras.Input((5, 4, 3))
        model = keras.Model(inputs, keras.layers.Dense(2, "linear", True, "zeros")(keras.layers.Flatten()(inputs)))
        fit(model, features, own_labels, stage, seed=0)
        return model.get_weights()[0]

    plain = [augmentation.apply(images, digests, view)[train] for view in range(2)]
    wanted = trained(np.concatenate(plain).astype(np.float32), np.concatenate([labels[train], labels[train]]))
    found = trained(join_views(views).subset(places), labels[places % 6])
    assert found.tobytes() == wanted.tobytes()
    assert np.abs(found).max() > 0
