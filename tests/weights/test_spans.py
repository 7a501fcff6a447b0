"""Tensors copied from where they lie: a source that is another file by then is never taken for the one opened."""

import numpy as np
import pytest

from transfer.errors import CheckpointError, OutputError
from transfer.surgery.converting import convert
from transfer.weights import spans
from transfer.weights.cards import Card
from transfer.weights.opening import open_checkpoint
from transfer.weights.safetensors import open_safetensors, write_safetensors
from transfer.weights.spans import Copier, digest_span, is_same, read_span
from transfer.weights.tensor_digests import digest_tensor
from transfer.weights.writing import write_legacy

KERNEL = np.arange(12, dtype="float32").reshape(3, 4)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source.h5"
    write_legacy(path, {"a": {"a/kernel": KERNEL}, "b": {"b/kernel": KERNEL + 1}}, writer="3.15.1")
    return path


def change_in_place(path):
    """Other values in the same place of a file of the same size."""
    old = path.read_bytes()
    with path.open("r+b") as file:
        file.seek(old.index(KERNEL.tobytes()))
        file.write((KERNEL + 100).tobytes())


def replace_whole(path):
    other = path.with_name("other.h5")
    other.write_bytes(path.read_bytes())
    other.replace(path)


def pieces(path):
    return dict(open_checkpoint(path).pieces())


def test_a_span_gives_the_values_that_lie_there(source):
    found = pieces(source)
    np.testing.assert_array_equal(read_span(found["a/kernel"]), KERNEL)
    assert digest_span(found["b/kernel"]) == digest_tensor(KERNEL + 1)
    assert is_same(found["a/kernel"], found["a/kernel"])
    assert not is_same(found["a/kernel"], found["b/kernel"])


@pytest.mark.parametrize("act", [change_in_place, replace_whole, lambda path: path.unlink()])
@pytest.mark.parametrize("use", ["read", "digest", "compare", "copy"])
def test_a_file_that_changes_before_its_values_are_read_is_refused(source, act, use, tmp_path):
    span = pieces(source)["a/kernel"]
    (tmp_path / "target").write_bytes(bytes(48))
    act(source)
    with Copier(tmp_path / "target") as copier, pytest.raises(CheckpointError, match=r"has changed|cannot be read"):
        {
            "read": lambda: read_span(span),
            "digest": lambda: digest_span(span),
            "compare": lambda: is_same(span, span),
            "copy": lambda: copier.copy(span, 0),
        }[use]()
    assert (tmp_path / "target").read_bytes() == bytes(48)


def test_a_file_that_changes_between_two_blocks_is_refused(source, tmp_path, monkeypatch):
    monkeypatch.setattr(spans, "BLOCK", 16)
    (tmp_path / "target").write_bytes(bytes(48))
    span = pieces(source)["a/kernel"]

    def write(target, block):
        if not target.tell():
            change_in_place(source)
        written(target, block)

    written = spans._write
    monkeypatch.setattr(spans, "_write", write)
    with Copier(tmp_path / "target") as copier, pytest.raises(CheckpointError, match="has changed") as caught:
        copier.copy(span, 0)
    assert [each.where for each in caught.value.problems] == ["a/kernel"]
    assert caught.value.next_step == "open it again"


@pytest.mark.parametrize("act", [change_in_place, replace_whole])
def test_a_source_that_changes_while_it_is_converted_leaves_no_target(source, act, tmp_path, monkeypatch):
    copied = Copier.copy

    def copy(self, span, offset):
        if span.name == "b/kernel":
            act(source)
        return copied(self, span, offset)

    monkeypatch.setattr(Copier, "copy", copy)
    with pytest.raises(CheckpointError, match=r"source\.h5 has changed"):
        convert(source, tmp_path / "target.h5")
    assert [each.name for each in tmp_path.iterdir()] == ["source.h5"]


def test_a_source_that_changes_before_it_is_compared_leaves_no_target(source, tmp_path, monkeypatch):
    leaving = Copier.__exit__

    def leave(self, *error):
        leaving(self, *error)
        change_in_place(source)

    monkeypatch.setattr(Copier, "__exit__", leave)
    with pytest.raises(OutputError) as caught:
        convert(source, tmp_path / "target.h5")
    assert "source.h5 has changed" in caught.value.problems[0].found
    assert [each.name for each in tmp_path.iterdir()] == ["source.h5"]


def test_values_that_are_streamed_are_of_one_file(source):
    stream = open_checkpoint(source).stream()
    next(stream)
    change_in_place(source)
    with pytest.raises(CheckpointError, match="has changed"):
        list(stream)


def test_safetensors_that_change_are_refused(source, tmp_path):
    path = tmp_path / "a.safetensors"
    opened = open_checkpoint(source)
    write_safetensors(path, opened.specs.values(), opened.stream(), Card(), opened.writer)
    safe = open_safetensors(path)
    stream = safe.stream()
    next(stream)
    change_in_place(path)
    with pytest.raises(CheckpointError, match="has changed"):
        list(stream)
    with pytest.raises(CheckpointError, match="has changed"):
        safe["a/kernel"]
