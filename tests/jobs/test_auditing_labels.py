"""The audit of a set: flipped labels are found by a probe that has not learnt from them, whatever the labels are."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

import transfer
from transfer.errors import DataError, LayerError
from transfer.jobs.correcting_labels import write_corrections


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
    assert audit.notes[0] == "classes with one example are not held against others: z"
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
