"""Cards: everything goes round, and what was changed is noticed."""

import hashlib
import json
from dataclasses import replace

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transfer.errors import CheckpointError
from transfer.specs import PREPROCESSINGS, Preprocessing
from transfer.weights.cards import ATTRIBUTE, Card, Fingerprint, parse_card, sidecar_of
from transfer.weights.opening import open_checkpoint
from transfer.weights.signing import write_card
from transfer.weights.tensor_digests import digest_tensor
from transfer.weights.writing import write_legacy

FULL = Card(
    name="Цифры",
    architecture={"class_name": "Functional", "config": {"name": "x", "layers": [], "size": [None, 3]}},
    preprocessing=Preprocessing((160, 96), "bgr", 1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 0),
    classes=("cat", "dog"),
    origin="trained here",
    licence="MIT",
    fingerprint=Fingerprint(7, ((2, 3), (2, 4)), ("float32", "int32"), ((0.1, -1e-30, 3.5e8), (1.0,))),
    digests={"a/kernel": "ab" * 32, "a/bias": "cd" * 32},
    history=("dropped the last 1", "attached label:5"),
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
TUPLES = st.lists(FLOATS, min_size=1, max_size=3).map(tuple)


@pytest.fixture
def path(tmp_path):
    write_legacy(tmp_path / "a.h5", {"a": {"a/kernel": np.ones((2, 2)), "a/bias": np.ones(2)}}, writer="3.15.1")
    return tmp_path / "a.h5"


@pytest.mark.parametrize("card", [Card(), FULL, *(Card(preprocessing=each) for each in PREPROCESSINGS.values())])
def test_a_card_goes_round(card):
    assert parse_card(card.to_text(), "here") == card


@settings(max_examples=25)
@given(
    st.builds(
        Card,
        name=st.text(),
        preprocessing=st.none()
        | st.builds(
            Preprocessing,
            size=st.none() | st.tuples(st.integers(1, 512), st.integers(1, 512)),
            color=st.sampled_from(["rgb", "bgr", "grey"]),
            scale=FLOATS,
            mean=TUPLES,
            std=TUPLES,
            background=st.integers(0, 255),
        ),
        classes=st.lists(st.text()).map(tuple),
        fingerprint=st.none()
        | st.builds(
            Fingerprint,
            seed=st.integers(0, 2**32 - 1),
            shapes=st.lists(st.lists(st.integers(1, 9), max_size=5).map(tuple)).map(tuple),
            dtypes=st.lists(st.sampled_from(["float32", "int32"])).map(tuple),
            outputs=st.lists(TUPLES).map(tuple),
        ),
        digests=st.dictionaries(st.text(), st.text("0123456789abcdef", min_size=64, max_size=64), max_size=3),
        history=st.lists(st.text()).map(tuple),
    )
)
def test_any_card_goes_round_to_the_bit(card):
    assert parse_card(card.to_text(), "here") == card


def test_equal_cards_give_equal_text():
    turned = replace(FULL, digests=dict(reversed(FULL.digests.items())))
    assert turned.to_text() == FULL.to_text()


def test_a_card_is_json_that_others_can_read():
    values = json.loads(FULL.to_text())
    assert values["schema"] == 2
    assert values["classes"] == ["cat", "dog"]
    assert values["preprocessing"]["size"] == [160, 96]


@pytest.mark.parametrize(
    "change",
    [
        {"digests": {"a/kernel": "ab" * 32}},
        {"digests": {"a/kernel": "ab" * 32, "a/bias": "ce" * 32}},
        {"digests": {}},
        {"digest": "00" * 32},
        {"architecture": None},
        {"classes": ["dog", "cat"]},
        {"preprocessing": None},
        {"fingerprint": None},
        {"outline": "00" * 32},
        {"name": "Буквы"},
        {"schema": 1},
    ],
)
def test_a_card_that_was_changed_is_refused(change):
    text = json.dumps({**json.loads(FULL.to_text()), **change})
    with pytest.raises(CheckpointError, match="here: its card was changed"):
        parse_card(text, "here")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"schema": 1}',
        '{"schema": "one", "digest": ""}',
        "[" * 100_000,
        Card().to_text().replace('"name"', '"nickname"'),
        Card().to_text().replace('"preprocessing": null', '"preprocessing": {"colour": "red"}'),
        Card().to_text().replace('"preprocessing": null', '"preprocessing": [1]'),
        Card().to_text().replace('"preprocessing": null', '"preprocessing": {"scale": "large"}'),
        Card().to_text().replace('"preprocessing": null', '"preprocessing": {"size": [1]}'),
        Card().to_text().replace('"preprocessing": null', '"preprocessing": {"size": ["a", "b"]}'),
        Card().to_text().replace('"preprocessing": null', '"preprocessing": {"color": "infrared"}'),
        Card().to_text().replace('"outline": ""', '"outline": 3'),
        Card().to_text().replace('"fingerprint": null', '"fingerprint": {"seed": 1}'),
        Card().to_text().replace('"digests": {}', '"digests": []'),
        Card().to_text().replace('"digests": {}', '"digests": {"a": {}}'),
        Card().to_text().replace('"classes": []', '"classes": 3'),
        Card().to_text().replace('"classes": []', '"classes": [[1]]'),
        Card().to_text().replace('"name": ""', '"name": 3'),
        Card().to_text().replace('"digest": "', '"digest": 3, "x": "'),
    ],
)
def test_what_is_no_card_is_refused(text):
    with pytest.raises(CheckpointError, match="here: its card") as caught:
        parse_card(text, "here")
    assert len(str(caught.value)) < 1000


def test_a_card_of_the_first_schema_is_read():
    """Its digest covered the digests of tensors alone."""
    values = {key: each for key, each in json.loads(FULL.to_text()).items() if key != "outline"}
    lines = "".join(f"{name} {digest}\n" for name, digest in sorted(FULL.digests.items()))
    first = {**values, "schema": 1, "digest": hashlib.sha256(lines.encode()).hexdigest()}
    assert parse_card(json.dumps(first), "here") == FULL
    with pytest.raises(CheckpointError, match="was changed"):
        parse_card(json.dumps({**first, "digests": {}}), "here")


def test_a_card_of_a_newer_transfer_asks_for_an_upgrade():
    text = json.dumps({**json.loads(Card().to_text()), "schema": 3, "new": 1})
    with pytest.raises(CheckpointError, match="newer transfer") as caught:
        parse_card(text, "here")
    assert "upgrade" in caught.value.next_step


def test_what_was_recorded_does_not_hold_for_changed_weights():
    card = FULL.without_proof()
    assert (card.fingerprint, card.digests) == (None, {})
    assert card.classes == FULL.classes


# Beside and inside a file


@pytest.mark.parametrize(
    ("name", "sidecar"),
    [
        ("a.h5", "a.card.json"),
        ("a.weights.h5", "a.card.json"),
        ("a.hdf5", "a.card.json"),
        ("a.keras", "a.card.json"),
        ("a.b.h5", "a.b.card.json"),
        ("weights", "weights.card.json"),
    ],
)
def test_a_sidecar_stands_beside_its_file(tmp_path, name, sidecar):
    assert sidecar_of(tmp_path / name) == tmp_path / sidecar


def test_a_sidecar_is_found_and_the_files_own_card_goes_first(path):
    path.with_name("a.card.json").write_text(Card(name="beside").to_text())
    assert open_checkpoint(path).card.name == "beside"
    write_card(path, Card(name="inside"))
    assert open_checkpoint(path).card.name == "inside"


def test_a_sidecar_that_is_damaged_is_named(path):
    path.with_name("a.card.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"a\.card\.json: its card cannot be read"):
        open_checkpoint(path)


def test_a_sidecar_that_is_no_text_is_refused(path):
    path.with_name("a.card.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CheckpointError):
        open_checkpoint(path)


def test_a_card_in_a_file_that_is_no_text_is_refused(path):
    with h5py.File(path, "r+") as file:
        file.attrs[ATTRIBUTE] = np.bytes_(b"\xff\xfe\xfa")
    with pytest.raises(CheckpointError):
        open_checkpoint(path)


def test_a_card_of_300_kilobytes_is_kept(path):
    history = tuple(f"step {k}" for k in range(24_000))
    assert len(Card(history=history).to_text()) > 300_000
    write_card(path, Card(history=history))
    assert open_checkpoint(path).card.history == history


def test_a_written_card_lists_a_digest_of_each_tensor_as_stored(path):
    card = write_card(path, Card(name="mine"))
    assert card == open_checkpoint(path).card
    assert card.digests == {"a/kernel": digest_tensor(np.ones((2, 2))), "a/bias": digest_tensor(np.ones(2))}


def test_a_tensor_that_was_changed_is_refused_and_the_others_are_read(path):
    write_card(path, Card())
    with h5py.File(path, "r+") as file:
        file["a/a/bias"][1] = 7
    checkpoint = open_checkpoint(path)
    np.testing.assert_array_equal(checkpoint["a/kernel"], np.ones((2, 2)))
    with pytest.raises(CheckpointError, match="damaged") as caught:
        checkpoint.read(checkpoint)
    assert [each.where for each in caught.value.problems] == ["a/bias"]


def test_one_flipped_bit_is_noticed(path):
    write_card(path, Card())
    content = bytearray(path.read_bytes())
    place = content.index(np.ones(4).tobytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged"):
        open_checkpoint(path)["a/kernel"]
