"""Stages one after the other: features once, nothing worse than the probe by validation, to the bit after a cut."""

from __future__ import annotations

import time

import keras
import numpy as np
import pytest

from transfer.data.loading import ImageBatch
from transfer.errors import TrainingError
from transfer.models.building import build_model, read_model
from transfer.models.variables import name_variables
from transfer.recipes import Recipe, Stage
from transfer.training import lessons, probing
from transfer.training.labels import Labels
from transfer.training.learner import Learner
from transfer.training.scoring_logits import score_logits
from transfer.training.solving import solve_head
from transfer.training.stage_features import Examples

CLASSES = ("a", "b", "c")


def create_student() -> keras.Model:
    keras.utils.set_random_seed(3)
    inputs = keras.Input((6,), name="x")
    x = keras.layers.Dense(16, activation="relu", name="block1_dense")(inputs)
    x = keras.layers.BatchNormalization(name="block1_norm")(x)
    x = keras.layers.Dense(16, activation="relu", name="block2_dense")(x)
    x = keras.layers.Dropout(0.2, name="drop")(x)
    return keras.Model(inputs, keras.layers.Dense(3, name="label")(x))


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    return (rng.normal(size=(90, 6)) + np.eye(6)[labels] * 1.2).astype(np.float32), labels


class Seen:
    """How often each example was brought."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.counts = values, np.zeros(len(values), int)

    def examples(self) -> Examples:
        def batches(places):
            for start in range(0, len(places), 16):
                chosen = places[start : start + 16]
                self.counts[chosen] += 1
                yield ImageBatch(start, self.values[chosen])

        return Examples([f"{place:064x}" for place in range(len(self.values))], batches, (6,), {"kind": "arrays"})


def learn(recipe: Recipe, rows, *, state_folder=None, seconds=None) -> tuple[Learner, Seen]:
    values, labels = rows
    seen = Seen(values)
    found = Learner(read_model(create_student()), recipe, ("label",), state_folder=state_folder)
    found.read(seen.examples())
    found.deadline = time.monotonic() + seconds if seconds is not None else None
    found.begin(np.arange(60), Labels.of_classes(labels, len(CLASSES)))
    for place, stage in enumerate(recipe.stages):
        if stage.kind == "probe":
            found.solve()
        else:
            found.tune(place)
    return found, seen


def bits(found: Learner) -> dict[str, bytes]:
    network = found.learnt()
    return {name: network.tensors[name].tobytes() for name in network.tensors}


def choices(found: Learner) -> list[dict]:
    return [line for line in found.history if line["stage"] == "choice"]


TUNED = Recipe((Stage("probe"), Stage(unfreeze_last=1, epochs=8, rate=3e-3), Stage(unfreeze=("*",), epochs=4)), seed=5)


def test_every_example_is_brought_once_whatever_the_stages(rows):
    recipe = Recipe((Stage("probe"), Stage(unfreeze_last=1, epochs=3)), seed=5)
    assert set(learn(recipe, rows)[1].counts) == {1}


def test_what_no_stage_trains_keeps_its_bits_and_the_rest_moves(rows):
    recipe = Recipe((Stage("probe"), Stage(unfreeze_last=1, epochs=8, rate=3e-3)), seed=5, validation=0.0)
    found, _ = learn(recipe, rows)
    before = read_model(create_student()).tensors
    after = found.learnt().tensors
    changed = {name for name in after if not np.array_equal(after[name], before[name])}
    assert changed == {"block2_dense/kernel", "block2_dense/bias", "label/kernel", "label/bias"}


def test_the_logits_are_those_of_the_whole_network(rows):
    found, _ = learn(TUNED, rows)
    model = create_student()
    for name, each in name_variables(model).items():
        each.assign(found.learnt().tensors[name])
    places = np.arange(60, 90)
    np.testing.assert_allclose(found.logits(places), model.predict(rows[0][places], verbose=0), atol=1e-5)


AFTER = {
    "two stages": TUNED,
    "without a trial": Recipe(
        (Stage("probe"), Stage(unfreeze_last=1, epochs=2, batch_size=500)), seed=5, validation=0.0
    ),
    "a harmful second": Recipe(
        (TUNED.stages[0], TUNED.stages[1], Stage(unfreeze=("*",), optimizer="sgd", rate=4.0)), seed=5
    ),
    "products": Recipe((Stage("probe"), Stage(unfreeze_last=1, epochs=3, rate=1e-2, lora_rank=2)), seed=5),
    "pulled": Recipe((Stage("probe"), Stage(unfreeze_last=1, epochs=3, rate=1e-2, l2_sp=0.1)), seed=5),
    "narrow": Recipe((Stage("probe"), Stage(unfreeze_last=1, epochs=3, rate=1e-2, precision="mixed_bfloat16")), seed=5),
}


@pytest.mark.parametrize("recipe", AFTER.values(), ids=AFTER)
def test_after_every_stage_the_logits_are_those_of_the_network_built_anew(rows, recipe):
    values, labels = rows
    found = Learner(read_model(create_student()), recipe, ("label",))
    found.read(Seen(values).examples())
    found.begin(np.arange(60), Labels.of_classes(labels, len(CLASSES)))
    places = np.arange(60, 90)
    for place, stage in enumerate(recipe.stages):
        found.solve() if stage.kind == "probe" else found.tune(place)
        expected = build_model(found.learnt()).predict(values[places], verbose=0)
        np.testing.assert_allclose(found.logits(places), expected, atol=1e-5)


@pytest.mark.parametrize("rate", [1e-2, 1.0, 4.0])
def test_what_is_kept_validates_no_worse_than_either_end(rows, rate):
    stage = Stage(unfreeze_last=1, epochs=6, rate=rate, optimizer="sgd", momentum=0.0)
    (choice,) = choices(learn(Recipe((Stage("probe"), stage), seed=5), rows)[0])
    assert choice["kept"] <= min(choice["before"], choice["after"])


def test_where_the_probe_validates_best_it_stays_to_the_bit(rows):
    harmful = Stage(unfreeze_last=1, epochs=6, rate=4.0, optimizer="sgd", momentum=0.0)
    found, _ = learn(Recipe((Stage("probe"), harmful), seed=5), rows)
    assert [choice["alpha"] for choice in choices(found)] == [0.0]
    assert "the weights before it were kept" in found.remarks[0]
    assert bits(found) == bits(learn(Recipe((Stage("probe"),), seed=5), rows)[0])


def test_what_is_tuned_is_as_sure_as_it_should_be():
    random, labels = np.random.default_rng(3), np.arange(90) % 3
    rows = ((random.normal(size=(90, 6)) + np.eye(6)[labels] * 1.2).astype(np.float32) * 3, labels)
    tuned, _ = learn(Recipe((Stage("probe"), Stage(unfreeze=("*",), epochs=60, rate=3e-3)), seed=5), rows)
    (choice,) = choices(tuned)
    assert choice["alpha"] > 0
    assert choice["temperature"] > 1.2  # small sets make networks too sure
    places = np.arange(60, 90)
    losses = {
        factor: score_logits(tuned.logits(places) * factor, rows[1][places])[0].mean()
        for factor in (1, choice["temperature"])
    }
    assert losses[1] < losses[choice["temperature"]]  # of examples that took no part


def test_the_choice_is_made_on_examples_that_neither_side_has_learnt_from(rows, monkeypatch):
    learnt: list[np.ndarray] = []
    true = probing.solve_output

    def noting(features, *arguments, **options):
        learnt.append(features)
        return true(features, *arguments, **options)

    monkeypatch.setattr(probing, "solve_output", noting)
    found, _ = learn(TUNED, rows)
    whole, part = learnt
    assert (len(whole), len(part)) == (60, 48)
    assert [choice["examples"] for choice in choices(found)] == [12, 12]
    kinds = [line["stage"] for line in found.history]
    assert kinds[0] == "probe"
    assert kinds.count("choice") == 2


def test_a_recipe_of_one_stage_holds_nothing_out(rows):
    found, _ = learn(Recipe((Stage("probe"),), seed=5), rows)
    assert choices(found) == found.remarks == []
    scratch, _ = learn(Recipe((Stage(unfreeze=("*",), epochs=2, rate=1e-2),), seed=5), rows)
    assert [line["stage"] for line in scratch.history] == ["tune", "tune"]


def test_the_same_seed_gives_the_same_bits(rows):
    one, two = learn(TUNED, rows)[0], learn(TUNED, rows)[0]
    assert bits(one) == bits(two)
    assert one.history == two.history


def test_a_deadline_that_has_passed_leaves_the_probe(rows, monkeypatch):
    tune = Learner.tune

    def end(found: Learner) -> None:
        found._time.deadline = time.monotonic()

    monkeypatch.setattr(Learner, "tune", lambda self, place: end(self) or tune(self, place))
    found, _ = learn(TUNED, rows)
    assert found.remarks == ["the time limit left nothing for stage 1", "the time limit left nothing for stage 2"]
    assert bits(found) == bits(learn(Recipe((Stage("probe"),), seed=5), rows)[0])


def test_a_deadline_ends_training_and_keeps_the_best_so_far(rows):
    endless = Recipe((Stage("probe"), Stage(unfreeze_last=1, epochs=100_000, rate=1e-3)), seed=5)
    found, _ = learn(endless, rows, seconds=15)  # without an end it would go on for an hour
    assert [remark.split(": ")[1] for remark in found.remarks if "time limit ended training after" in remark] == [
        "trial of stage 1",
        "stage 1",
    ]
    (choice,) = choices(found)
    assert choice["kept"] <= choice["before"]


def test_a_stage_that_is_cut_short_leaves_what_its_trial_came_to(rows, monkeypatch, tmp_path):
    true, ends = lessons.fit, {"trial_1": None, "stage_1": 0.0}

    def cut(*arguments, **options):
        return true(*arguments, **{**options, "deadline": ends[options["state_folder"].name]})

    monkeypatch.setattr(lessons, "fit", cut)
    recipe = Recipe((Stage("probe"), Stage(unfreeze=("*",), epochs=60, rate=3e-3)), seed=5)
    random = np.random.default_rng(3)
    strong = ((random.normal(size=(90, 6)) + np.eye(6)[rows[1]] * 1.2).astype(np.float32) * 3, rows[1])
    found, _ = learn(recipe, strong, state_folder=tmp_path)
    (choice,) = choices(found)
    assert choice["alpha"] > 0
    assert "was kept instead" in found.remarks[-1]
    places = found._held_out
    losses = score_logits(found.logits(places), strong[1][places])[0]
    assert losses.mean() == pytest.approx(choice["kept"], rel=1e-5)  # the very weights that were validated


def test_a_deadline_that_passes_while_features_are_computed_is_an_error(rows):
    late = Learner(read_model(create_student()), TUNED, ("label",), deadline=time.monotonic())
    with pytest.raises(TrainingError, match="time limit passed while computing features: 16 of 90") as caught:
        late.read(Seen(rows[0]).examples())
    assert "more time" in caught.value.next_step


@pytest.mark.parametrize("cut", [2, 6, 9, 11])
def test_a_run_that_is_cut_off_goes_on_to_the_same_bits(rows, tmp_path, monkeypatch, cut):
    whole, _ = learn(TUNED, rows)
    count = 0
    true = lessons.fit

    def breaking(*arguments, progress, **options):
        def watched(what, done, total):
            nonlocal count
            count += 1
            if count == cut:
                raise KeyboardInterrupt
            progress(what, done, total)

        return true(*arguments, progress=watched, **options)

    monkeypatch.setattr(lessons, "fit", breaking)
    with pytest.raises(KeyboardInterrupt):
        learn(TUNED, rows, state_folder=tmp_path)
    monkeypatch.setattr(lessons, "fit", true)
    resumed, _ = learn(TUNED, rows, state_folder=tmp_path)
    assert bits(resumed) == bits(whole)
    assert resumed.history == whole.history


def test_low_rank_products_are_merged_into_kernels_that_stay_where_they_are_in_shape(rows):
    recipe = Recipe((Stage("probe"), Stage(unfreeze=("*",), lora_rank=2, epochs=6, rate=1e-2)), seed=5, validation=0.0)
    found, _ = learn(recipe, rows)
    before, after = read_model(create_student()).tensors, found.learnt().tensors
    change = after["block2_dense/kernel"] - before["block2_dense/kernel"]
    assert set(after) == set(before)
    assert np.linalg.matrix_rank(change, tol=1e-5) == 2


def test_a_fresh_start_forgets_the_pretrained_weights(rows):
    recipe = Recipe((Stage(unfreeze=("*",), fresh=True, batch_norm="train", epochs=1, rate=1e-6),), seed=5)
    found, _ = learn(recipe, rows)
    before, after = read_model(create_student()).tensors, found.learnt().tensors
    assert np.abs(after["block1_dense/kernel"] - before["block1_dense/kernel"]).mean() > 0.05


def test_changed_copies_of_pictures_are_learnt_from_and_kept():
    rng = np.random.default_rng(2)
    images = rng.integers(0, 256, (24, 8, 8, 3)).astype(np.uint8)
    labels = np.arange(24) % 3
    keras.utils.set_random_seed(1)
    inputs = keras.Input((8, 8, 3), name="x")
    x = keras.layers.Conv2D(4, 3, activation="relu", name="conv")(keras.layers.Rescaling(1 / 255)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(3, name="label")(keras.layers.GlobalAveragePooling2D()(x)))
    brought = []

    def batches(places):
        brought.append(len(places))
        for start in range(0, len(places), 16):
            yield ImageBatch(start, images[places[start : start + 16]])

    examples = Examples([f"{k:064x}" for k in range(24)], batches, (8, 8, 3), {"kind": "images", "background": 0})
    stage = Stage(unfreeze_last=0, augment=("flip", "shift"), views=3, epochs=6, rate=1e-2)
    found = Learner(read_model(model), Recipe((Stage("probe"), stage), seed=5, validation=0.0), ("label",))
    found.read(examples)
    found.begin(np.arange(15), Labels.of_classes(labels, len(CLASSES)))
    found.solve()
    before = found.learnt().tensors["label/kernel"]
    found.tune(1)
    assert brought == [24, 15, 15, 15]
    assert [line["stage"] for line in found.history] == ["probe", "tune", "tune"]  # 6 epochs are two of three views
    assert not np.array_equal(found.learnt().tensors["label/kernel"], before)


class Squared(keras.layers.Layer):
    """Of the caller's own, and as wide as what goes in."""

    def call(self, inputs):
        return inputs * inputs


def test_the_probe_is_solved_on_what_goes_into_the_head_behind_layers_that_may_not_be_fixed(rows):
    values, labels = rows
    keras.utils.set_random_seed(3)
    inputs = keras.Input((6,), name="x")
    inside = Squared(name="squared")(keras.layers.Dense(16, name="dense")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(3, name="label")(inside))
    found = Learner(read_model(model), Recipe((Stage("probe"),)), ("label",), {"Squared": Squared})
    found.read(Seen(values).examples())
    found.begin(np.arange(60), Labels.of_classes(labels, len(CLASSES)))
    found.solve()
    features = keras.Model(inputs, inside).predict(values, verbose=0)
    expected = solve_head(features[:60], labels[:60], 3)
    np.testing.assert_allclose(found.learnt().tensors["label/kernel"], expected.kernel, rtol=1e-3, atol=1e-5)
    logits = features[60:] @ expected.kernel + expected.bias
    np.testing.assert_allclose(found.logits(np.arange(60, 90)), logits, rtol=1e-3, atol=1e-4)
