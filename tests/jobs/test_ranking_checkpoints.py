"""Networks ranked, held against features that are known to tell classes or not, and against loops."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import transfer
from transfer.errors import CheckpointError, DataError, LayerError
from transfer.evidence.log_evidence import evidence_of_classes
from transfer.evidence.repeated_folds import deal_repeatedly
from transfer.training.solving import solve_head

CLIPART = Path(__file__).parents[2] / "examples" / "data" / "clipart"


@pytest.fixture(scope="module")
def data():
    """Ninety rows (6,) of three classes that the first two columns tell, the others being noise."""
    random = np.random.default_rng(3)
    labels = np.arange(90) % 3
    x = random.normal(size=(90, 6)).astype(np.float32)
    x[:, :2] += np.array([[4, 0], [-4, 0], [0, 5]])[labels]
    return transfer.from_arrays(x, labels)


def network(name, columns, answers=4):
    """A network whose layer `keep` gives some columns and `old` the softmax of a random map of them."""
    inputs = keras.Input((6,), name="numbers")
    keep = keras.layers.Dense(len(columns), use_bias=False, name="keep")
    old = keras.layers.Dense(answers, activation="softmax", name="old")
    model = keras.Model(inputs, old(keep(inputs)), name=name)
    keep.set_weights([np.eye(6, dtype=np.float32)[:, columns]])
    random = np.random.default_rng(len(name))
    old.set_weights([random.normal(size=(len(columns), answers)), random.normal(size=answers)])
    return model


@pytest.fixture(scope="module")
def good():
    return network("good", [0, 1])


@pytest.fixture(scope="module")
def bad():
    return network("poor", [2, 3])


@pytest.fixture(scope="module")
def ranking(good, bad, data):
    return transfer.rank([bad, good], data)


def test_the_network_whose_features_tell_the_classes_is_first_and_told_apart(ranking):
    assert isinstance(ranking, transfer.Ranking)
    assert ranking.order == "good > poor"
    assert ranking.tiers == (("good",), ("poor",))
    assert [(cut.name, cut.ties_best) for cut in ranking.cuts] == [("good at keep", True), ("poor at keep", False)]
    assert ranking.best.accuracy.value > 0.95
    assert ranking.cuts[1].accuracy.value < 0.6
    assert (ranking.examples, ranking.repeats, ranking.fold_count) == (90, 2, 5)
    assert ranking.command == ""  # neither is a file


def test_the_probe_and_the_scores_are_what_a_loop_finds(ranking, data):
    features = data.inputs[:, :2].astype(np.float64)
    folds = deal_repeatedly(data.labelling, data.targets, seed=0, folds=5, repeats=2)
    shares = []
    for learnt, tested in folds:
        head = solve_head(features[learnt].astype(np.float32), data.labels[learnt], 3, seed=0)
        shares.append(np.mean((features[tested] @ head.kernel + head.bias).argmax(1) == data.labels[tested]))
    assert ranking.best.folds == pytest.approx(shares)
    assert ranking.best.accuracy.value == pytest.approx(np.mean(shares))  # folds are of one size
    standard = (features - features.mean(0)) / features.std(0)
    assert ranking.best.scores.log_me == pytest.approx(evidence_of_classes(standard, data.labels), abs=1e-5)
    within = sum(np.cov(features[data.labels == k].T, bias=True) for k in range(3)) / 3
    whole = np.cov(features.T, bias=True)
    plain = np.trace(np.linalg.solve(whole, whole - within))
    assert 0.5 * plain < ranking.best.scores.h_score < plain  # shrunk


def test_source_classes_score_the_cut_before_the_head(good, data, ranking):
    theta = np.asarray(good(data.inputs), np.float64)
    joint = np.array([theta[data.labels == k].sum(0) for k in range(3)]) / len(data)
    given = joint / joint.sum(0)
    expected = np.mean([np.log(given[label] @ row) for label, row in zip(data.labels, theta, strict=True)])
    assert ranking.best.scores.leep == pytest.approx(expected, abs=1e-5)
    assert ranking.best.scores.nce < 0


def test_costs_are_those_up_to_the_cut(ranking):
    cost = ranking.best.cost
    assert (cost.flops, cost.parameters, cost.size_bytes) == (2 * 12, 12, 48)
    assert [cut.on_front for cut in ranking.cuts] == [True, False]


def test_the_order_of_the_candidates_changes_nothing(good, bad, data):
    other, few = network("another", [0, 3]), data.subset(np.arange(45))
    orders = ([good, bad, other], [other, bad, good], [bad, other, good])
    found = [transfer.rank(order, few, random=True).to_json() for order in orders]
    assert all(each == found[0] for each in found)
    assert found[0]["cuts"][0]["candidate"] == "good"


def test_random_weights_are_the_same_each_time_and_not_those_of_the_file(good, data):
    first, second = (transfer.rank({"good": good}, data, random=True) for _ in range(2))
    assert first.to_json() == second.to_json()
    assert [cut.candidate for cut in first.cuts] == ["good", "random:good"]
    assert [cut.is_random for cut in first.cuts] == [False, True]
    assert first.cuts[1].scores != first.cuts[0].scores


def test_features_of_maps_are_means_over_positions(convolutional, colours):
    from transfer.jobs.rankings.features_of_cuts import Fitting, read_candidate
    from transfer.jobs.rankings.opening_candidates import list_candidates, open_candidate

    images, labels = colours
    data = transfer.from_arrays(images.astype(np.float32), labels)
    (candidate,) = list_candidates([convolutional])
    read = read_candidate(open_candidate(candidate), data, most=3, fitting=Fitting())
    assert [cut.at for cut in read.cuts] == ["relu_1", "pool"]
    maps = keras.Model(convolutional.input, convolutional.get_layer("relu_1").output)(images.astype(np.float32))
    assert read.cuts[0].values == pytest.approx(np.asarray(maps).mean((1, 2)), rel=1e-3, abs=1e-3)
    pooled = keras.Model(convolutional.input, convolutional.get_layer("pool").output)(images.astype(np.float32))
    assert read.cuts[1].values == pytest.approx(np.asarray(pooled), rel=1e-3, abs=1e-3)


def test_what_cannot_be_ranked_is_told_with_its_reason_and_the_others_are_ranked(good, data, tmp_path):
    broken, weights = tmp_path / "broken.h5", tmp_path / "alone.weights.h5"
    broken.write_bytes(b"no HDF5 at all")
    good.save_weights(weights)
    narrow = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3), keras.layers.Dense(2)], name="narrow")
    ranking = transfer.rank(
        {"good": good, "broken": broken, "gone": tmp_path / "gone.h5", "alone": weights, "narrow": narrow, "odd": 7},
        data,
    )
    assert [cut.candidate for cut in ranking.cuts] == ["good"]
    codes = {failure.candidate: failure.exit_code for failure in ranking.failures}
    assert codes == {"alone": 3, "broken": 3, "gone": 3, "narrow": 6, "odd": 6}
    assert "no architecture" in next(each.reason for each in ranking.failures if each.candidate == "alone")
    assert "failed    broken: " in str(ranking)


def test_what_fails_as_its_file_does_is_not_told_twice(good, data, tmp_path):
    narrow = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3), keras.layers.Dense(2)], name="narrow")
    gone = str(tmp_path / "gone.h5")
    failures = transfer.rank({"good": good, "narrow": narrow, "gone": gone}, data, random=True).failures
    told = {each.candidate: (each.reason, each.next_step, each.exit_code) for each in failures}
    assert told["random:narrow"] == ("as narrow", "", 6)
    assert told["random:gone"] == ("as gone", "", 3)
    assert "does not fit" in told["narrow"][0]
    alone = transfer.rank([good, f"random:{gone}"], data).failures
    assert [(each.candidate, each.reason[:3]) for each in alone] == [(f"random:{gone}", "The")]


def test_random_weights_that_fail_otherwise_than_their_file_keep_their_reason(good, data, monkeypatch):
    from transfer.jobs.rankings import scoring_candidates

    def refuse(candidate, **_):
        raise DataError(f"{candidate.is_random} cannot be opened.")

    monkeypatch.setattr(scoring_candidates, "open_candidate", refuse)
    with pytest.raises(DataError) as caught:
        transfer.rank({"good": good}, data, random=True)
    assert [each.found for each in caught.value.problems] == ["False cannot be opened.", "True cannot be opened."]


def test_a_file_without_architecture_is_ranked_with_the_one_that_is_given(good, data, tmp_path):
    weights = tmp_path / "alone.weights.h5"
    good.save_weights(weights)
    ranking = transfer.rank([weights], data, into=lambda: network("fresh", [4, 5]))
    assert ranking.best.accuracy.value > 0.95
    named = transfer.rank([weights], data, into={str(weights): lambda: network("fresh", [4, 5])})
    assert named.to_json() == ranking.to_json()


def test_if_all_fail_the_error_is_of_the_kind_of_the_worst(data, tmp_path):
    broken = tmp_path / "broken.h5"
    broken.write_bytes(b"no HDF5 at all")
    with pytest.raises(CheckpointError, match="The candidate cannot be ranked"):
        transfer.rank([broken], data)
    inputs = keras.Input((6,))
    headless = keras.Model(inputs, keras.layers.Dense(3)(inputs), name="headless")
    with pytest.raises(LayerError) as caught:
        transfer.rank({"broken": broken, "headless": headless}, data)
    assert [each.where for each in caught.value.problems] == ["broken", "headless"]


def test_the_best_file_comes_with_the_command_that_extracts_it(good, data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    good.save("my network.keras")
    ranking = transfer.rank(["my network.keras"], data)
    assert ranking.finetuning == ""  # the examples are no file
    assert ranking.command == "transfer extract 'my network.keras' --at keep --head label:3 -o my_network_keep.keras"


def test_the_best_file_comes_with_the_command_that_fine_tunes_it_where_the_examples_are_a_file(
    good, data, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    good.save("good.keras")
    np.savez("rows.npz", x=data.inputs, y=data.labels)
    ranking = transfer.rank(["good.keras"], "rows.npz")
    assert ranking.finetuning == "transfer finetune good.keras rows.npz --at keep -o good_keep"
    assert str(ranking).splitlines()[-1] == f"or        {ranking.finetuning}"
    typed = transfer.rank(["good.keras"], data, named=("my rows.npz", "--head", "kind"), seed=4).finetuning
    assert typed == "transfer finetune good.keras 'my rows.npz' --at keep --head kind --seed 4 -o good_keep"
    assert transfer.rank([good], "rows.npz").finetuning == ""


def test_a_preprocessing_that_has_no_name_cannot_be_typed(tmp_path, monkeypatch, convolutional, colours):
    monkeypatch.chdir(tmp_path)
    convolutional.save("colours.keras")
    images, labels = colours
    np.savez("images.npz", x=images, y=labels)
    own = transfer.Preprocessing(scale=1 / 200)
    assert transfer.rank(["colours.keras"], "images.npz", preprocessing=own).finetuning == ""
    named = transfer.rank(["colours.keras"], "images.npz", preprocessing="tf").finetuning
    assert " --preprocessing tf -o colours_" in named


def test_other_labels_than_one_class_each_are_refused_with_what_is_supported(good, data):
    several = transfer.from_arrays(np.asarray(data.inputs), {"tags": np.eye(3, dtype=np.int64)[data.labels]})
    with pytest.raises(DataError, match="one class each") as caught:
        transfer.rank([good], several)
    assert "softmax" in str(caught.value)


def test_sets_by_which_nothing_can_be_ranked_are_refused(good, data):
    with pytest.raises(DataError, match="Some classes cannot be learnt"):
        transfer.rank([good], data.subset(np.array([0, 3, 6, 9, 12, 15, 18, 1])).with_classes(("0", "1", "2")))
    with pytest.raises(DataError, match="no candidate"):
        transfer.rank([], data)
    with pytest.raises(DataError, match="no example"):
        transfer.rank([good], data.subset(np.array([], np.int64)))


def test_features_that_are_not_finite_fail_their_network_alone(good, data):
    broken = network("broken", [0, 1])
    broken.get_layer("keep").set_weights([np.full((6, 2), np.nan, np.float32)])
    ranking = transfer.rank([broken, good], data)
    assert [cut.candidate for cut in ranking.cuts] == ["good"]
    assert "not finite" in ranking.failures[0].reason


@keras.saving.register_keras_serializable("tests")
class Fussy(keras.layers.Layer):
    """Takes numbers past 1000 alone."""

    def call(self, x):
        tf.debugging.assert_greater(x, 1000.0, message="too small for me")
        return x


def test_what_keras_and_tensorflow_refuse_is_a_row_with_its_reason(good, data, tmp_path):
    inputs = keras.Input((6,))
    fussy = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Dense(3)(Fussy()(inputs))), name="fussy")
    weights = tmp_path / "large.weights.h5"
    good.save_weights(weights)

    def build():
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when\nallocating " + "x" * 500)

    ranking = transfer.rank({"fussy": fussy, "good": good, "large": weights}, data, into={"large": build})
    reasons = {each.candidate: each.reason for each in ranking.failures}
    assert [cut.candidate for cut in ranking.cuts] == ["good"]
    assert reasons.keys() == {"fussy", "large"}
    assert reasons["large"].startswith("It cannot be run: ResourceExhaustedError: OOM when allocating xxx")
    assert len(reasons["large"]) < 300
    assert "too small for me" in reasons["fussy"]
    with pytest.raises(transfer.TransferError, match="The candidate cannot be ranked") as caught:
        transfer.rank({"large": weights}, data, into=build)
    assert caught.value.exit_code == 1


def test_slips_of_this_package_and_the_keyboard_end_a_ranking(good, data, monkeypatch):
    from transfer.evidence.rank_agreement import compare_ranks
    from transfer.jobs.rankings import scoring_candidates

    monkeypatch.setattr(scoring_candidates, "open_candidate", lambda *_, **__: compare_ranks([1], [1, 2]))
    with pytest.raises(ValueError, match="scores of shape"):
        transfer.rank([good], data)

    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(scoring_candidates, "open_candidate", stop)
    with pytest.raises(KeyboardInterrupt):
        transfer.rank([good], data)


def test_a_damaged_picture_is_refused_or_left_out_for_all(digits_folder, truncate, tmp_path):
    import shutil

    folder = shutil.copytree(digits_folder, tmp_path / "pictures")
    truncate(folder / "digit_0" / "bad.jpg")
    with pytest.raises(DataError, match="cannot be read"):
        transfer.rank(["digits_mlp"], folder)
    whole = transfer.rank(["digits_mlp"], digits_folder)
    ranking = transfer.rank(["digits_mlp"], folder, skip_unreadable=True)
    assert ranking.examples == whole.examples == 30
    assert "examples that cannot be read, left out: 1" in ranking.notes


def test_kept_features_give_the_same_ranking(digits_folder, tmp_path):
    plain = transfer.rank(["digits_mlp"], digits_folder)
    for _ in range(2):
        assert transfer.rank(["digits_mlp"], digits_folder, cache=tmp_path).to_json() == plain.to_json()


def test_the_best_are_fine_tuned_on_the_same_split_and_the_scores_are_held_against_that(good, bad, data):
    ranking = transfer.rank([good, bad], data, verify=1)
    assert ranking.cuts[1].tuned is None
    student = transfer.extract(good, at="keep", freeze="backbone", heads=transfer.Head("label", 3))
    run = transfer.finetune(student, data)
    assert ranking.cuts[0].tuned == run.result.stages[-1]
    told = {(each.score, each.measured): each for each in ranking.agreements}
    assert told["the probe", "fine-tuning"].tau is None
    assert not told["the probe", "fine-tuning"].trusted
    assert "fewer than 3" in told["LogME", "the probe"].sentence
    assert "tuned" in str(ranking)
    (told_of_tuning,) = [note for note in ranking.notes if "fine-tuned" in note]
    assert "chosen with these" in told_of_tuning
    assert "held out from all" not in told_of_tuning


def test_trained_weights_come_before_random_ones_on_clipart():
    pictures = transfer.read_labelled(CLIPART)
    ranking = transfer.rank(
        ["mobilenet_v2_imagenet"], pictures.subset(np.arange(0, 300, 3)), random=True, cuts=2, size=(96, 96)
    )
    assert [cut.is_random for cut in ranking.cuts] == [False, False, True, True]
    assert ranking.best.accuracy.value > 0.4
    assert {each.cuts for each in ranking.agreements} == {2}
    assert "scores are audited on trained cuts alone, without 2 that have random weights" in ranking.notes


def test_numbers_out_of_range_are_refused(good, data):
    with pytest.raises(ValueError, match="at least 1"):
        transfer.rank([good], data, cuts=0)


def test_one_model_for_several_files_is_refused(good, data, tmp_path):
    files = [tmp_path / "one.weights.h5", tmp_path / "two.weights.h5"]
    for file in files:
        good.save_weights(file)
    with pytest.raises(DataError, match="at once") as caught:
        transfer.rank(files, data, into=network("fresh", [4, 5]))
    assert "into=create_model" in caught.value.next_step
    alone = transfer.rank(files[:1], data, into=network("fresh", [4, 5]))
    assert alone.best.accuracy.value > 0.95


def test_groups_stay_together_and_widen_the_interval(bad, data):
    groups = np.arange(90) // 3 % 6
    x = np.asarray(data.inputs) + np.random.default_rng(5).normal(size=(6, 6))[groups].astype(np.float32)
    ranking = transfer.rank([bad], transfer.from_arrays(x, data.labels, groups=groups))
    plain = transfer.rank([bad], transfer.from_arrays(x, data.labels))
    assert ranking.fold_count == 5
    widths = [each.best.accuracy.high - each.best.accuracy.low for each in (ranking, plain)]
    assert ranking.best.folds != plain.best.folds
    assert widths[0] > 0.9 * widths[1]


def test_logits_are_source_classes_where_the_card_names_them(digits_folder):
    ranking = transfer.rank(["digits_mlp"], digits_folder)
    model = transfer.restore("digits_mlp").model
    scores = {cut.at: cut.scores for cut in ranking.cuts}
    assert scores["dense_1"].leep is None
    assert model.get_layer("predictions").activation.__name__ == "linear"
    assert -np.log(3) < scores["dense_2"].leep < -0.1  # digits it knows, better than a guess
