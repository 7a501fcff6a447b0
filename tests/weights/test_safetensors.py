"""Safetensors: the format's library reads what we write, we read what it writes; hostile headers are refused."""

import json
import struct

import ml_dtypes
import numpy as np
import pytest
import safetensors
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from transfer.errors import CheckpointError, OutputError
from transfer.specs import TensorSpec, Writer
from transfer.weights.cards import ATTRIBUTE, Card
from transfer.weights.safetensors import is_safetensors, open_safetensors, write_safetensors
from transfer.weights.verifying import verify

TYPES = ["float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint64", "uint8", "bool"]
TENSORS = st.dictionaries(
    st.text("aéz/._0", min_size=1, max_size=6),
    hnp.arrays(st.sampled_from(TYPES), hnp.array_shapes(min_dims=0, max_dims=3, max_side=3)),
    max_size=5,
)


def specs(tensors):
    return [TensorSpec(name, each.shape, each.dtype.name, "layer", name) for name, each in tensors.items()]


def put(path, tensors, card=None):
    return write_safetensors(
        path, specs(tensors), tensors.items(), card or Card(name="mine"), Writer("2.2.4", "theano")
    )


def bits(tensors):
    return {name: (each.dtype.name, each.shape, each.tobytes()) for name, each in tensors.items()}


@settings(max_examples=30)
@given(TENSORS)
def test_the_library_reads_the_bits_that_we_write(tmp_path_factory, tensors):
    path = tmp_path_factory.mktemp("ours") / "a.safetensors"
    put(path, tensors)
    assert bits(safetensors.numpy.load_file(path)) == bits(tensors)


@settings(max_examples=30)
@given(TENSORS)
def test_we_read_the_bits_that_the_library_writes(tmp_path_factory, tensors):
    path = tmp_path_factory.mktemp("theirs") / "a.safetensors"
    safetensors.numpy.save_file(tensors, path, metadata={"format": "np"})
    opened = open_safetensors(path)
    assert bits(opened.read(opened)) == bits(tensors)
    assert not opened.is_ours


@settings(max_examples=20)
@given(TENSORS)
def test_what_we_write_comes_back_in_its_order_with_its_card(tmp_path_factory, tensors):
    path = tmp_path_factory.mktemp("round") / "a.safetensors"
    card = put(path, tensors, Card(name="Цифры", history=("one",)))
    opened = open_safetensors(path)
    assert list(opened) == list(tensors)
    assert list(opened.specs.values()) == specs(tensors)
    assert (opened.card, opened.writer) == (card, Writer("2.2.4", "theano"))
    assert bits(opened.read(opened)) == bits(tensors)
    assert verify(path).recorded == len(tensors)


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2])
def test_short_floats_keep_their_type_and_bits(tmp_path, dtype):
    values = np.arange(-6, 6, dtype="float32").astype(dtype).reshape(3, 4)
    put(tmp_path / "a.safetensors", {"a": values})
    opened = open_safetensors(tmp_path / "a.safetensors")
    assert bits(opened.read(opened)) == bits({"a": values})
    with safetensors.safe_open(tmp_path / "a.safetensors", "np") as theirs:
        assert theirs.get_slice("a").get_shape() == [3, 4]
        assert theirs.get_slice("a").get_dtype() == {2: "BF16"}.get(
            values.itemsize, "F8_E4M3" if dtype is ml_dtypes.float8_e4m3fn else "F8_E5M2"
        )


def test_a_bfloat16_of_the_library_is_read(tmp_path):
    values = np.array([1.5, -2, 0.25], ml_dtypes.bfloat16)
    path = tmp_path / "a.safetensors"
    safetensors.numpy.save_file({"a": values}, path)
    assert bits(dict(open_safetensors(path))) == bits({"a": values})


def test_values_are_aligned_and_equal_contents_give_equal_files(tmp_path):
    tensors = {"b": np.float16([1, 2, 3]), "a": np.float64([1, 2]), "c": np.array([True])}
    put(tmp_path / "one", tensors)
    write_safetensors(
        tmp_path / "two", specs(tensors), reversed(tensors.items()), Card(name="mine"), Writer("2.2.4", "theano")
    )
    content = (tmp_path / "one").read_bytes()
    assert content == (tmp_path / "two").read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    assert length % 8 == 0
    assert all(header[name]["data_offsets"][0] % each.itemsize == 0 for name, each in tensors.items())
    assert ATTRIBUTE in header["__metadata__"]


def test_a_card_of_300_kilobytes_goes_in(tmp_path):
    history = tuple(f"step {k}" for k in range(24_000))
    put(tmp_path / "a.safetensors", {"a": np.ones(2)}, Card(history=history))
    assert open_safetensors(tmp_path / "a.safetensors").card.history == history
    assert list(safetensors.numpy.load_file(tmp_path / "a.safetensors")["a"]) == [1, 1]


@pytest.mark.parametrize(
    "tensors", [{}, {"a": np.ones(3)}, {"a": np.ones(2, "float32")}, {"a": np.ones(2), "b": np.ones(2)}]
)
def test_tensors_that_do_not_come_as_announced_are_refused(tmp_path, tensors):
    announced = specs({"a": np.ones(2)}) + specs({"b": np.ones(2)}) * (len(tensors) == 0)
    if "b" in tensors:
        with pytest.raises(KeyError):
            write_safetensors(tmp_path / "a", announced, tensors.items(), Card(), Writer())
        return
    with pytest.raises(OutputError, match="a cannot be written"):
        write_safetensors(tmp_path / "a", announced, tensors.items(), Card(), Writer())


def test_a_type_that_the_format_lacks_is_refused(tmp_path):
    with pytest.raises(OutputError) as caught:
        put(tmp_path / "a", {"a": np.ones(2, "complex64")})
    assert caught.value.problems[0].found == "complex64"


# Recognising


def test_it_is_recognised_by_content_and_by_name_where_content_says_nothing(tmp_path):
    put(tmp_path / "a.h5", {"a": np.ones(2)})
    (tmp_path / "b.safetensors").write_bytes(b"\x00")
    (tmp_path / "c.safetensors").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(20))
    (tmp_path / "d.h5").write_bytes(b"PK\x03\x04" + bytes(20))
    found = {path.name: is_safetensors(path) for path in sorted(tmp_path.iterdir())}
    assert found == {"a.h5": True, "b.safetensors": True, "c.safetensors": False, "d.h5": False}
    assert not is_safetensors(tmp_path / "nowhere")


# Hostile and damaged


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def craft(path, header, room=8, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + bytes(room))
    return path


def layout(**changes):
    row = {"name": "a", "layer": "", "role": "a", "layer_class": "", "position": None, "owner": "", **changes}
    return json.dumps({"keras": "", "backend": "", "tensors": [row]})


HOSTILE = {
    "length past the file": ({"a": entry()}, 8, 10_000),
    "length of 2**63": ({"a": entry()}, 8, 2**63),
    "no header": (b"", 0, 0),
    "no JSON": (b"{nonsense", 8, None),
    "no object": (b"[1, 2]", 0, None),
    "no text": (b"\xff\xfe{}", 0, None),
    "nested without end": (b'{"a":' * 50_000, 0, None),
    "twice": (b'{"a":%s,"a":%s}' % ((json.dumps(entry()).encode(),) * 2), 8, None),
    "overlap": ({"a": entry(), "b": entry(offsets=(4, 12))}, 12, None),
    "the same place": ({"a": entry(), "b": entry()}, 8, None),
    "gap": ({"a": entry(), "b": entry(offsets=(12, 20))}, 20, None),
    "beyond the end": ({"a": entry(shape=(4,), offsets=(0, 16))}, 8, None),
    "bytes left over": ({"a": entry()}, 16, None),
    "backwards": ({"a": entry(offsets=(8, 0))}, 8, None),
    "negative": ({"a": entry(offsets=(-8, 0))}, 8, None),
    "wrong size": ({"a": entry(dtype="F64")}, 8, None),
    "unknown type": ({"a": entry(dtype="F3")}, 8, None),
    "type no text": ({"a": entry(dtype=["F32"])}, 8, None),
    "huge shape": ({"a": entry(shape=(2**62, 2**62))}, 8, None),
    "sizes that wrap": ({"a": entry(shape=(2**31, 2**31, 2**31, 2), offsets=(0, 8))}, 8, None),
    "negative shape": ({"a": entry(shape=(-1, -2))}, 8, None),
    "fractions": ({"a": entry(shape=(2.0,))}, 8, None),
    "truth values": ({"a": entry(shape=(True, 2))}, 8, None),
    "many axes": ({"a": entry(shape=(1,) * 40 + (2,))}, 8, None),
    "no offsets": ({"a": {"dtype": "F32", "shape": [2]}}, 8, None),
    "more keys": ({"a": {**entry(), "path": "/etc/passwd"}}, 8, None),
    "entry no object": ({"a": 3}, 8, None),
    "metadata no texts": ({"__metadata__": {"a": 1}, "a": entry()}, 8, None),
    "metadata no object": ({"__metadata__": [], "a": entry()}, 8, None),
    "name no UTF-8": (b'{"\\ud800":%s}' % json.dumps(entry()).encode(), 8, None),
    "card no card": ({"__metadata__": {ATTRIBUTE: "{"}, "a": entry()}, 8, None),
    "layout no layout": ({"__metadata__": {"transfer_layout": "{}"}, "a": entry()}, 8, None),
    "layout of strange facts": (
        {"__metadata__": {"transfer_layout": layout(layer=["a"])}, "a": entry()},
        8,
        None,
    ),
    "layout of strange places": ({"__metadata__": {"transfer_layout": layout(position="1")}, "a": entry()}, 8, None),
    "layout of others": (
        {"__metadata__": {"transfer_layout": '{"keras": "", "backend": "", "tensors": []}'}, "a": entry()},
        8,
        None,
    ),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_header_is_refused(tmp_path, what):
    path = craft(tmp_path / "a.safetensors", *HOSTILE[what])
    with pytest.raises(CheckpointError) as caught:
        open_safetensors(path)
    assert "a.safetensors" in caught.value.summary
    assert len(str(caught.value)) < 2000


def test_a_header_larger_than_the_format_allows_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "a.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", 2**31))
        file.truncate(2**31 + 100)
    with pytest.raises(CheckpointError) as caught:
        open_safetensors(path)
    assert "100,000,000" in caught.value.problems[0].expected


def test_a_file_cut_off_anywhere_is_refused(tmp_path):
    put(tmp_path / "a.safetensors", {"a": np.ones(4), "b": np.ones(3, "float32")})
    content = (tmp_path / "a.safetensors").read_bytes()
    for length in range(0, len(content), 7):
        (tmp_path / "a.safetensors").write_bytes(content[:length])
        with pytest.raises(CheckpointError):
            open_safetensors(tmp_path / "a.safetensors")


def test_a_name_that_is_not_there_offers_the_nearest(tmp_path):
    put(tmp_path / "a.safetensors", {"dense/kernel": np.ones(2)})
    with pytest.raises(KeyError, match="dense/kernel"):
        open_safetensors(tmp_path / "a.safetensors")["dense/kernal"]
