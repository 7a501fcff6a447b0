"""Runs with several outputs: the promises of runs with one hold, and answers agree with each other."""

import json
from dataclasses import replace

import keras
import numpy as np
import pytest

import transfer
from transfer.data.labelled import LabelledSet
from transfer.errors import DataError, LayerError, NotFiniteError
from transfer.jobs.runs.evaluating import evaluate
from transfer.jobs.runs.predicting import predict
from transfer.jobs.students.deciding import decide
from transfer.labellings import Labelling, Output
from transfer.recipes import Recipe, Stage
from transfer.training import fitting
from transfer.training.labels import Labels
from transfer.weights.tensor_digests import digest_tensor

FOOD = Output("food", classes=("fruit", "dessert", "drink"))
KIND = Output("kind", classes=("apple", "pear", "cake", "pie"), parent="food", under=("fruit",) * 2 + ("dessert",) * 2)
TAGS = Output("tags", "sigmoid", ("loud", "old"))
SWEET = Output("sweet", "sigmoid", ("sweet",), parent="food", under=("dessert",))
PRICE = Output("price", "regression")
LABELLING = Labelling((FOOD, KIND, TAGS, SWEET, PRICE))
N = 160
TUNED = Recipe((Stage("probe"), Stage(unfreeze_last=1, epochs=6, rate=3e-3, batch_size=16)), seed=5)


def make_data(labelling: Labelling = LABELLING, *, missing: float = 0.3, seed: int = 0) -> LabelledSet:
    """Features that say all labels, with noise; a share of the labels is not known."""
    random = np.random.default_rng(seed)
    food = random.integers(0, 3, N)
    kind = np.where(food == 2, -1, 2 * food + random.integers(0, 2, N))
    tags, sweet = random.integers(0, 2, (N, 2)), np.where(food == 1, random.integers(0, 2, N), -1)[:, None]
    price = 1000.0 + 300 * food + 20 * random.normal(size=N)
    said = np.concatenate([np.eye(3)[food], np.eye(5)[kind + 1], tags, sweet], axis=1)
    mixing = np.random.default_rng(99).normal(size=(said.shape[1], 16))
    x = (said @ mixing + 0.5 * random.normal(size=(N, 16))).astype(np.float32)
    kind = np.where(random.random(N) < missing, -1, kind)
    tags = np.where(random.random(tags.shape) < missing, -1, tags)
    price = np.where(random.random(N) < missing, np.nan, price)[:, None]
    whole = {"food": food, "kind": kind, "tags": tags, "sweet": sweet, "price": price}
    targets = tuple(whole[name] for name in labelling.names)
    return LabelledSet("arrays", tuple(f"x[{place}]" for place in range(N)), labelling, targets, x)


def make_student(labelling: Labelling = LABELLING) -> keras.Model:
    keras.utils.set_random_seed(1)
    inputs = keras.Input((16,), name="x")
    x = keras.layers.Dense(24, activation="relu", name="block1_dense")(inputs)
    x = keras.layers.BatchNormalization(name="block1_norm")(x)
    x = keras.layers.Dense(24, activation="relu", name="block2_dense")(x)
    backbone = keras.Model(inputs, keras.layers.Dense(3, name="old")(x), name="net")
    heads = [transfer.Head(each.name, len(each.classes), each.kind) for each in labelling]
    return transfer.extract(backbone, drop_last=1, freeze="backbone", heads=heads)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return transfer.finetune(make_student(), make_data(), recipe=TUNED, out=tmp_path_factory.mktemp("runs") / "run")


def values_of(run: transfer.Run) -> dict[str, bytes]:
    return {each.path: np.asarray(each).tobytes() for each in run.model.variables}


def test_every_output_is_scored_beside_its_baselines(run):
    ways = run.result.outputs
    assert [each.name for each in ways] == ["tuned", "probe", "constant answer", "linear on raw input"]
    assert [each.name for each in ways[0].outputs] == [*LABELLING.names, "food, kind"]
    food = [way.outputs[0]["accuracy"].value for way in ways]
    assert min(food[:2]) > 0.8 > 0.6 > food[2]
    assert run.result.labelling == LABELLING
    assert run.result.classes == ()


def test_unknown_labels_are_not_among_the_examples_that_are_scored(run):
    test = [int(name[2:-1]) for name in run.asked["split"]["test"]]
    data = make_data()
    known = {"kind": (data.targets[1][test] >= 0).sum(), "price": np.isfinite(data.targets[4][test]).sum()}
    outputs = {each.name: each for each in run.result.outputs[0].outputs}
    assert {name: outputs[name].examples for name in known} == known


def test_finer_classes_never_have_more_than_their_parent_s(run):
    x = np.random.default_rng(3).normal(size=(200, 16)).astype(np.float32) * 4
    found = run.model.predict(x, verbose=0)
    assert set(found) == set(LABELLING.names)
    np.testing.assert_allclose(found["kind"][:, :2].sum(1), found["food"][:, 0], atol=1e-6)
    np.testing.assert_allclose(found["kind"][:, 2:].sum(1), found["food"][:, 1], atol=1e-6)
    assert (found["sweet"][:, 0] <= found["food"][:, 1] + 1e-7).all()


def test_a_saved_run_gives_the_same_answers_in_stock_keras(run):
    x = make_data().inputs[:20]
    stock = keras.models.load_model(run.folder / "model.keras")
    expected, found = run.model.predict(x, verbose=0), stock.predict(x, verbose=0)
    for name in LABELLING.names:
        np.testing.assert_array_equal(found[name], expected[name])


def test_numbers_are_in_their_own_units(run):
    data = make_data()
    price = run.model.predict(data.inputs, verbose=0)["price"][:, 0]
    known = np.isfinite(data.targets[4][:, 0])
    assert np.abs(price - data.targets[4][:, 0])[known].mean() < 150  # of a spread of 250


def test_the_same_seed_gives_the_same_bits(run, tmp_path):
    again = transfer.finetune(make_student(), make_data(), recipe=TUNED, out=tmp_path / "again")
    for name in ("model.keras", "result.json", "history.jsonl"):
        assert (tmp_path / "again" / name).read_bytes() == (run.folder / name).read_bytes(), name
    assert values_of(again) == values_of(run)
    assert again.result == replace(run.result)


def test_a_cut_off_run_ends_with_the_same_bits(tmp_path, monkeypatch):
    recipe = replace(TUNED, stages=(TUNED.stages[0], replace(TUNED.stages[1], balance="uncertainty")))
    whole = transfer.finetune(make_student(), make_data(), recipe=recipe, out=tmp_path / "whole")
    true, epochs = fitting._Run.end_epoch, []

    def cut(self, updates):
        true(self, updates)
        epochs.append(1)
        if len(epochs) == 9:  # in the middle of the second training
            raise KeyboardInterrupt

    monkeypatch.setattr(fitting._Run, "end_epoch", cut)
    monkeypatch.setattr("transfer.training.saving_times._LEAST_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        transfer.finetune(make_student(), make_data(), recipe=recipe, out=tmp_path / "cut")
    monkeypatch.setattr(fitting._Run, "end_epoch", true)
    resumed = transfer.finetune(make_student(), make_data(), recipe=recipe, out=tmp_path / "cut")
    assert resumed.resumed
    assert values_of(resumed) == values_of(whole)
    for name in ("history.jsonl", "result.json"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_frozen_tensors_keep_their_bits(run):
    before = {each.path: digest_tensor(np.asarray(each)) for each in make_student().variables if "block1" in each.path}
    after = {each.path: digest_tensor(np.asarray(each)) for each in run.model.variables if "block1" in each.path}
    assert before
    assert after == before


def test_kept_features_serve_the_next_run_whatever_its_outputs(tmp_path):
    alone = Labelling((FOOD,))
    first = transfer.finetune(make_student(alone), make_data(alone), recipe=TUNED, cache=tmp_path)
    kept = set(tmp_path.rglob("*.h5"))
    transfer.finetune(make_student(), make_data(), recipe=TUNED, cache=tmp_path)
    assert first.result.labelling is None
    assert kept
    assert set(tmp_path.rglob("*.h5")) == kept


def test_uncertainty_trains_the_weights_of_the_losses(run):
    recipe = replace(TUNED, stages=(TUNED.stages[0], replace(TUNED.stages[1], balance="uncertainty")))
    other = transfer.finetune(make_student(), make_data(), recipe=recipe)
    assert values_of(other) != values_of(run)
    assert other.result.outputs[0].outputs[0]["accuracy"].value > 0.8


def test_history_tells_of_each_output(run):
    lines = [json.loads(line) for line in (run.folder / "history.jsonl").read_text().splitlines()]
    probes = [line["output"] for line in lines if line["stage"] == "probe"]
    assert probes == ["food", "kind under fruit", "kind under dessert", "tags", "sweet", "price"]
    trial = next(line for line in lines if line["stage"] == "trial")
    assert set(trial["outputs"]) == set(LABELLING.names)
    assert trial["loss"] == pytest.approx(sum(each["loss"] for each in trial["outputs"].values()), rel=1e-6)
    choice = next(line for line in lines if line["stage"] == "choice")
    assert len(choice["temperatures"]) == 5


def test_predictions_follow_the_thresholds_and_the_coarse_answer(run, tmp_path):
    x = make_data().inputs[:40]
    np.savez(tmp_path / "new.npz", x=x)
    found = predict(run.folder, [tmp_path / "new.npz"])
    shares = run.model.predict(x, verbose=0)
    limits = [each["value"] for each in run.result.decisions["thresholds"]["tags"]["labels"]]
    for row, each in enumerate(found.answers):
        food, kind, tags, sweet, price = each.outputs
        assert food.labels == (FOOD.classes[shares["food"][row].argmax()],)
        assert (kind.labels is None) == (food.labels == ("drink",))
        if kind.labels:
            assert KIND.under[KIND.classes.index(kind.labels[0])] == food.labels[0]
        assert tags.labels == tuple(
            name for name, share, limit in zip(TAGS.classes, shares["tags"][row], limits, strict=True) if share >= limit
        )
        assert (sweet.labels is None) == (food.labels != ("dessert",))
        assert price.values[0] == pytest.approx(shares["price"][row, 0])
    told = found.to_json()["answers"][0]["outputs"]
    assert set(told) == set(LABELLING.names)
    assert found.columns == ("input", *LABELLING.names)


def test_an_evaluation_gives_what_the_run_itself_says_of_its_test_examples(run):
    found = evaluate(run.folder, make_data())
    assert found.seen == run.result.train_examples
    assert found.score.correct == run.result.score.correct
    mine = {each.name: each.measures[0].value for each in found.outputs.outputs}
    theirs = {each.name: each.measures[0].value for each in run.result.outputs[0].outputs}
    assert mine == pytest.approx(theirs, abs=1e-4)


def test_an_evaluation_takes_some_of_the_outputs_with_classes_in_another_order(run):
    turned = Labelling((Output("food", classes=("drink", "dessert", "fruit")),))
    data = make_data()
    some = LabelledSet(data.source, data.names, turned, (2 - data.targets[0],), data.inputs)
    found = evaluate(run.folder, some)
    assert found.outputs.outputs[0]["accuracy"] == run.result.outputs[0].outputs[0]["accuracy"]
    assert found.outputs.outputs[1].examples == 0


def test_labels_of_other_outputs_are_refused_all_at_once(run):
    other = Labelling((Output("food", classes=("fruit", "soup")), Output("colour", classes=("red", "blue"))))
    targets = (np.arange(N) % 2, np.arange(N) % 2)
    with pytest.raises(DataError) as caught:
        evaluate(run.folder, LabelledSet("arrays", make_data().names, other, targets, make_data().inputs))
    assert [each.where for each in caught.value.problems] == ["soup", "colour"]


def test_heads_are_found_by_the_names_of_the_outputs():
    labelling = Labelling((TAGS, FOOD))
    data = make_data(labelling)
    straight = transfer.finetune(make_student(labelling), data, recipe=Recipe((Stage("probe"),), seed=5))
    turned = transfer.finetune(make_student(Labelling((FOOD, TAGS))), data, recipe=Recipe((Stage("probe"),), seed=5))
    assert turned.result.outputs[0].outputs == straight.result.outputs[0].outputs


def test_a_network_without_the_heads_is_refused_with_what_to_attach():
    with pytest.raises(LayerError) as caught:
        transfer.finetune(make_student(Labelling((FOOD, TAGS))), make_data(Labelling((FOOD, PRICE))))
    assert "transfer.Head('price', classes=1, kind='regression')" in caught.value.next_step


def test_an_output_of_which_nothing_is_known_is_refused_by_name():
    data = make_data()
    nothing = replace(data, targets=(*data.targets[:4], np.full((N, 1), np.nan)))
    with pytest.raises(DataError) as caught:
        transfer.finetune(make_student(), nothing, recipe=TUNED)
    assert [each.where for each in caught.value.problems] == ["price"]


def test_a_loss_that_is_not_finite_names_its_output():
    inputs = keras.Input((16,))
    model = keras.Model(inputs, keras.layers.Dense(4)(inputs))
    data = make_data(Labelling((FOOD, PRICE)), missing=0)
    labels = Labels(data.labelling, (data.targets[0], data.targets[1] * 1e16))
    with pytest.raises(NotFiniteError) as caught:
        fitting.fit(model, data.inputs, labels, Stage(unfreeze=("*",), epochs=1), seed=0)
    assert caught.value.problems[0].found == "a loss of inf in price"


def test_a_probe_alone_is_calibrated_by_its_folds():
    found = transfer.finetune(make_student(), make_data(), recipe=Recipe((Stage("probe"),), seed=5))
    assert found.result.decisions["examples"] == found.result.train_examples


def test_without_validation_thresholds_are_even_and_it_says_so():
    recipe = Recipe((Stage(fresh=True, unfreeze=("*",), epochs=2),), seed=5)
    found = transfer.finetune(make_student(), make_data(), recipe=recipe)
    assert found.result.decisions == {"examples": 0, "calibrations": {}, "thresholds": {}}
    assert any("nothing was validated" in note for note in found.result.notes)


def test_a_calibration_is_applied_where_others_are_answered_better_by_it():
    random = np.random.default_rng(0)
    logits = random.normal(size=(24, 2))
    labels = Labels(Labelling((TAGS,)), ((random.random((24, 2)) < 1 / (1 + np.exp(-logits))).astype(np.int64),))
    found = decide(labels, logits, seed=0).calibrations["tags"]
    assert found.losses is not None
    assert (found.slopes == (1.0, 1.0)) == (found.losses[1] >= found.losses[0])


def test_groups_stay_on_one_side():
    groups = np.arange(N) // 4
    data = replace(make_data(), groups=groups)
    found = transfer.finetune(make_student(), data, recipe=TUNED)
    sides = [{groups[int(name[2:-1])] for name in found.asked["split"][side]} for side in ("train", "test")]
    assert not sides[0] & sides[1]


def test_what_a_single_output_weighs_is_part_of_what_is_asked(tmp_path):
    plain = make_data(Labelling((FOOD,)))
    first = transfer.finetune(make_student(plain.labelling), plain, recipe=TUNED, out=tmp_path / "run")
    focal = replace(plain, labelling=Labelling((replace(FOOD, focal=2.0),)))
    again = transfer.finetune(make_student(plain.labelling), focal, recipe=TUNED, out=tmp_path / "run", force=True)
    assert not again.reused
    assert again.asked["digest"] != first.asked["digest"]


def test_labels_that_are_always_no_do_not_end_a_run():
    data = make_data(Labelling((FOOD, TAGS)))
    never = data.targets[1].copy()
    never[never == 1] = 0
    found = transfer.finetune(
        make_student(data.labelling), replace(data, targets=(data.targets[0], never)), recipe=TUNED
    )
    assert any("no example to learn from for tags" in each for each in found.result.warnings)


def test_noise_does_not_beat_its_baselines():
    """Labels that nothing says anything of: thresholds are chosen for the baselines too."""
    random, apart = np.random.default_rng(0), []
    labelling = Labelling((TAGS,))
    for seed in range(4):
        values = (random.random((N, 2)) < 0.35).astype(np.int64)
        data = replace(make_data(labelling), targets=(values,))
        run = transfer.finetune(make_student(labelling), data, recipe=Recipe((Stage("probe"),), seed=seed))
        found = {way.name: way.outputs[0]["macro F1"].value for way in run.result.outputs}
        apart.append(found["probe"] - found["constant answer"])
    assert np.mean(apart) < 0.03
