"""The audit of a set: flipped labels are found by a probe that has not learnt from them, whatever the labels are."""

import shutil

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

import transfer
from transfer.errors import DataError, LayerError
from transfer.jobs.audits.auditing_labels import audit_features
from transfer.jobs.audits.correcting_labels import write_corrections


@pytest.fixture(scope="module")
def scans():
    """Digits as arrays (n, 28, 28) of bytes, and what they are."""
    found = load_digits()
    large = np.kron(found.images[:600], np.ones((3, 3))) * 255 / 16
    return np.pad(np.rint(large), ((0, 0), (2, 2), (2, 2))).astype(np.uint8), found.target[:600]


def flip(labels, count, classes, seed=0):
    random = np.random.default_rng(seed)
    places = random.permutation(len(labels))[:count]
    flipped = labels.copy()
    flipped[places] = (labels[places] + random.integers(1, classes, count)) % classes
    return flipped, {f"x[{place}]" for place in places}


def test_flipped_labels_are_found_with_what_they_should_be(scans):
    images, labels = scans
    flipped, wrong = flip(labels, 18, 10)
    audit: transfer.LabelAudit = transfer.audit_labels("digits_mlp", (images, flipped), seed=1)
    named = {each.name: each for each in audit.suspects}
    assert len(named.keys() & wrong) >= 15
    assert len(named.keys() - wrong) <= 6
    right = [each.suggested == str(labels[int(each.name[2:-1])]) for each in audit.suspects if each.name in wrong]
    assert sum(right) >= 14
    share = audit.shares[""]
    assert share.low < 0.03 < share.high
    scores = [each.score for each in audit.labels]
    assert scores == sorted(scores)
    assert len(audit.labels) == 600
    assert 0.85 < audit.accuracies[""] < 0.97


def test_labels_each_for_itself_and_unknown_ones_are_audited_and_the_network_stays_as_it_is(scans):
    images, labels = scans
    tags = np.stack([labels % 2 == 0, labels > 4], axis=1).astype(float)
    tags[3] = np.nan
    tags[5, 0] = 1 - tags[5, 0]
    labelling = transfer.Labelling((transfer.Output("tags", "sigmoid", ("even", "large")),))
    restored = transfer.restore("digits_mlp")
    head = transfer.Head("tags", classes=2, kind="sigmoid")
    student = transfer.extract(restored, drop_last=1, freeze="backbone", heads=[head])
    before = [each.copy() for each in student.get_weights()]
    audit = transfer.audit_labels(student, transfer.from_arrays(images, tags, labelling=labelling))
    assert set(audit.shares) == {"tags even", "tags large"}
    assert len(audit.labels) == 2 * 599
    found = next(each for each in audit.suspects if each.name == "x[5]" and each.question == "tags even")
    assert (found.label, found.suggested) == (("no", "yes") if labels[5] % 2 == 0 else ("yes", "no"))
    assert all(np.array_equal(*pair) for pair in zip(before, student.get_weights(), strict=True))


def test_the_table_to_correct_has_every_example(scans, tmp_path):
    images, labels = scans
    kinds = np.array([*"abcdefghij"])[labels]
    kinds[0] = "z"
    audit = transfer.audit_labels("digits_mlp", (images[:200], kinds[:200]))
    assert audit.notes[0] == "classes with one example, or one group of them, are not held against others: z"
    write_corrections(audit, tmp_path / "suspects.csv")
    lines = (tmp_path / "suspects.csv").read_text().splitlines()
    assert lines[0] == "file,label,suggested,score"
    assert lines[-1] == "x[0],z,,"
    assert len(lines) == 201
    assert [line.split(",")[2] for line in lines[1 : len(audit.suspects) + 1]] == [x.suggested for x in audit.suspects]


def test_the_same_seed_says_the_same(scans):
    images, labels = scans
    one, other = (transfer.audit_labels("digits_mlp", (images[:150], labels[:150]), seed=5) for _ in range(2))
    assert one.to_json() == other.to_json()


def test_a_set_of_numbers_alone_is_refused(scans):
    images, labels = scans
    numbers = transfer.from_arrays(
        images[:20],
        labels[:20, None].astype(float),
        labelling=transfer.Labelling((transfer.Output("size", "regression"),)),
    )
    with pytest.raises(DataError, match="no labels that can be held against others"):
        transfer.audit_labels("digits_mlp", numbers)


def test_a_model_without_a_head_is_refused(scans):
    inputs = keras.Input((28, 28))
    model = keras.Model(inputs, keras.layers.Flatten()(inputs))
    with pytest.raises(LayerError, match="does not end in a head"):
        transfer.audit_labels(model, scans)


def test_copies_are_found_across_sets_and_do_not_confirm_each_others_label(scans):
    images, labels = scans
    darker = images - (images > 3).astype(np.uint8)
    copied = np.concatenate([images, darker[:1], darker[:1] - (darker[:1] > 3).astype(np.uint8)])
    kinds = np.concatenate([labels, labels[[0, 0]]])
    kinds[[0, 600, 601]] = (labels[0] + 5) % 10
    data = transfer.from_arrays(copied, kinds)
    test = transfer.from_arrays(np.stack([darker[1], 255 - images[5]]), np.array([(labels[1] + 1) % 10, labels[1]]))
    test = test.with_classes(data.classes)
    audit = transfer.audit_labels("digits_mlp", data, test=test)
    across = [each for each in audit.near if each.is_across]
    assert [(each.names, each.differ) for each in across] == [(("x[1]", "test/x[0]"), True)]
    within = {each.names for each in audit.near if not each.is_across}
    assert within == {("x[0]", "x[600]"), ("x[0]", "x[601]"), ("x[600]", "x[601]")}
    assert {"x[0]", "x[600]", "x[601]"} <= {each.name for each in audit.suspects}
    assert "1 across sets" in str(audit)
    assert len(audit.labels) == 602


def test_a_probe_that_knows_nothing_is_called_weak(scans):
    images, _ = scans
    drawn = np.random.default_rng(0).integers(0, 3, 200)
    audit = transfer.audit_labels("digits_mlp", (images[:200], drawn))
    assert "may well be of its own errors" in audit.notes[0]
    assert audit.weak == ("",)
    first, second = str(audit).splitlines()[:2]
    assert first.endswith("contradict a weak probe: the first are the likeliest to be wrong")
    assert second.endswith("too few to tell its errors from those of the labels: no share is estimated")


def blobs(*counts, seed=0):
    """Features of classes that lie apart, and the class of each."""
    random = np.random.default_rng(seed)
    kinds = np.repeat(np.arange(len(counts)), counts)
    centres = 3 * random.normal(size=(len(counts), 20))
    return (centres[kinds] + random.normal(size=(len(kinds), 20))).astype(np.float32), kinds


def test_a_class_of_one_group_is_not_asked_since_it_is_never_learnt_where_it_is():
    features, kinds = blobs(60, 60, 6)
    groups = np.concatenate([np.arange(120) // 6, np.full(6, 99)])
    audit = audit_features(transfer.from_arrays(features, np.array([*"abc"])[kinds], groups=groups), [features])
    assert audit.notes == ("classes with one example, or one group of them, are not held against others: c",)
    assert len(audit.labels) == 120
    assert {label for _, label in audit.others} == {"c"}
    assert len(audit.others) == 6
    assert audit.shares[""].value == 0


def test_a_class_whose_examples_are_copies_of_each_other_is_not_asked():
    features, kinds = blobs(60, 60, 2)
    features[-1] = features[-2] + 0.001
    audit = audit_features(transfer.from_arrays(features, np.array([*"abc"])[kinds]), [features])
    assert audit.notes[0].endswith("are not held against others: c")
    assert len(audit.labels) == 120


def test_an_audit_by_one_feature_says_that_copies_are_not_looked_for_and_asks_each_example_for_itself():
    features, kinds = (10 * np.arange(300) % 7 + np.arange(300) / 100)[:, None].astype(np.float32), np.arange(300) % 7
    told = []
    audit = audit_features(
        transfer.from_arrays(features, kinds), [features], progress=lambda stage, *_: told.append(stage)
    )
    assert audit.near == ()
    assert audit.notes[-1].endswith("are not looked for: fewer than 3 features vary")
    assert len(audit.labels) == 300
    wide, kinds = blobs(60, 60)
    audit_features(transfer.from_arrays(wide, kinds), [wide], progress=lambda stage, *_: told.append(stage))
    assert "comparing examples" in told


def test_a_set_of_one_group_is_refused_before_anything_is_computed(scans):
    images, labels = scans
    data = transfer.from_arrays(images, labels, groups=np.zeros(600, int))
    with pytest.raises(DataError, match="no labels that can be held against others"):
        transfer.audit_labels("no_such_file.h5", data)
    with pytest.raises(DataError, match="no labels that can be held against others"):
        audit_features(data, [images.reshape(600, -1).astype(np.float32)])


def test_a_question_that_a_group_leaves_no_answers_of_is_told_of():
    features, kinds = blobs(60, 60)
    groups = np.arange(120) // 6
    tags = np.stack([kinds, groups == 3], axis=1).astype(float)
    labelling = transfer.Labelling((transfer.Output("tags", "sigmoid", ("old", "loud")),))
    audit = audit_features(transfer.from_arrays(features, tags, labelling=labelling, groups=groups), [features])
    assert list(audit.shares) == ["tags old"]
    assert audit.notes == ("tags loud: not audited, for fewer than two answers are left with two groups of examples",)


@pytest.fixture
def damaged(digits, write_pictures, truncate, tmp_path):
    """Pictures of three classes; of the last one alone can be decoded."""
    folder = write_pictures(tmp_path / "pictures", *digits)
    for path in sorted((folder / "digit_2").iterdir())[1:]:
        path.unlink()
        truncate(path.with_suffix(".jpg"))
    return folder


def test_a_set_of_which_unreadable_pictures_leave_one_class_is_refused(damaged):
    shutil.rmtree(damaged / "digit_0")
    with pytest.raises(DataError, match="no labels that can be held against others"):
        transfer.audit_labels("digits_mlp", damaged, skip_unreadable=True)


def test_a_question_that_unreadable_pictures_leave_no_answers_of_is_told_of(damaged):
    named = [(path.relative_to(damaged), path.parent.name) for path in sorted(damaged.glob("*/*"))]
    lines = [f"{path},{kind},{'yes' if kind == 'digit_2' else 'no'}" for path, kind in named]
    (damaged / "labels.csv").write_text("\n".join(["file,kind,broken", *lines]))
    audit = transfer.audit_labels("digits_mlp", damaged, skip_unreadable=True)
    assert list(audit.shares) == ["kind"]
    assert "broken broken: not audited, for fewer than two answers are left with two groups of examples" in audit.notes


@pytest.mark.parametrize("count", [3, 6, 7])
def test_versions_of_an_example_do_not_confirm_each_others_wrong_label_however_many_there_are(count):
    random = np.random.default_rng(0)
    means, kinds = 0.6 * random.normal(size=(5, 256)), random.integers(0, 5, 300)
    rows = random.normal(size=(300, 64)) @ random.normal(size=(64, 256)) / 8 + means[kinds]
    labels = kinds.copy()
    labels[:15] = (labels[:15] + 1) % 5
    changed = np.repeat(rows[:15], count - 1, axis=0)
    changed += 0.2 * rows.std() * random.normal(size=changed.shape)
    features = np.concatenate([rows, changed]).astype(np.float32)
    said = np.concatenate([labels, np.repeat(labels[:15], count - 1)])
    data = transfer.from_arrays(features.reshape(-1, 16, 16), said, list("abcde"))
    named = {each.name for each in audit_features(data, [features], seed=0).suspects}
    wrong = [data.names[place] for place in (*range(15), *range(300, len(features)))]
    assert np.mean([each in named for each in wrong]) > 0.85
