"""The child that reads HDF5: whatever becomes of it, the caller gets an answer or an error."""

import json
import sys

import h5py
import numpy as np
import pytest

from transfer.weights import isolating
from transfer.weights.guarding import DamagedError
from transfer.weights.isolating import PendingScan, Source, read_blocks
from transfer.weights.outline import Dataset, Group

VALUES = np.arange(24, dtype="float32").reshape(4, 6)


@pytest.fixture
def path(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["names"] = [b"x", "é".encode()]
        file.attrs["count"] = np.int64(3)
        file["group/plain"] = VALUES
        file.create_dataset("group/packed", data=VALUES, chunks=(2, 6), compression="gzip", shuffle=True)
        file["group/turned"] = VALUES.astype(">f4")
        file["group/text"] = "words"
        file["group"].attrs["one"] = "text"
    return tmp_path / "a.h5"


def source(path):
    return Source(path, None, path.stat().st_size)


@pytest.fixture
def child(tmp_path, monkeypatch):
    """Puts other code in the child's place."""

    def put(code):
        script = tmp_path / "child.py"
        script.write_text(f"import sys\nsys.stdin.buffer.readline()\n{code}\n")
        monkeypatch.setattr(isolating, "_SCRIPT", script)

    return put


def test_the_structure_comes_back_as_plain_values(path):
    root = PendingScan(source(path)).result().root
    assert root.attrs == {"names": ["x", "é"], "count": 3}
    group = root.members["group"]
    assert isinstance(group, Group)
    assert group.attrs == {"one": "text"}
    plain, packed, turned = (group.members[name] for name in ("plain", "packed", "turned"))
    assert isinstance(plain, Dataset)
    assert (plain.shape, plain.dtype, plain.byte_order, plain.stored_bytes) == ((4, 6), "float32", "<", 96)
    content = path.read_bytes()
    assert content[plain.offset : plain.offset + 96] == VALUES.tobytes()
    assert (packed.offset, packed.chunk, packed.chunk_bytes) == (None, (2, 6), 48)
    assert (turned.byte_order, turned.dtype) == (">", "float32")
    assert content[turned.offset : turned.offset + 96] == VALUES.astype(">f4").tobytes()
    assert group.members["text"].dtype == "text"


def test_offsets_count_from_the_start_of_a_user_block(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w", userblock_size=1024) as file:
        file["plain"] = VALUES
    found = PendingScan(source(tmp_path / "a.h5")).result().root.members["plain"]
    assert (tmp_path / "a.h5").read_bytes()[found.offset : found.offset + 96] == VALUES.tobytes()


def test_a_file_within_a_file_is_scanned_where_it_lies(path, tmp_path):
    outer = tmp_path / "outer.bin"
    outer.write_bytes(b"x" * 77 + path.read_bytes() + b"y" * 33)
    inner = Source(outer, 77, path.stat().st_size)
    assert PendingScan(inner).result().root.members["group"].members["plain"].shape == (4, 6)
    answers = read_blocks(inner, ["group/packed"])
    dtype, shape, blocks = next(answers)
    assert (dtype, shape) == ("float32", (4, 6))
    assert b"".join(blocks) == VALUES.tobytes()


def test_on_linux_the_child_is_limited(path):
    assert PendingScan(source(path)).result().limited == (sys.platform == "linux")


def test_the_caller_may_do_something_else_meanwhile_or_walk_away(path):
    first, second = PendingScan(source(path)), PendingScan(source(path))
    second.close()
    assert first.result().root.members["group"].path == "group"
    with pytest.raises(ValueError, match="one result"):
        first.result()


LOST = json.dumps({"limited": True, "records": [{"in": 7, "name": "a", "kind": "group", "attrs": {}}] * 2})
FATES = {
    "dies by a signal": ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "stopped by signal 11"),
    "ends with a code": ("sys.exit(3)", "ended with 3"),
    "says nothing": ("", "cannot describe"),
    "says something else": ("print('hello')", "cannot describe"),
    "says JSON of another kind": ("print('[1, 2]')", "cannot describe"),
    "names a parent that is not there": (f"print({json.dumps(LOST)})", "cannot describe"),
    "tells of a fault": ('print(\'{"fault": "bad symbol table"}\')', "bad symbol table"),
}


@pytest.mark.parametrize("fate", FATES)
def test_whatever_becomes_of_the_child_is_an_error(path, child, fate):
    code, told = FATES[fate]
    child(code)
    with pytest.raises(DamagedError) as caught:
        PendingScan(source(path)).result()
    assert told in caught.value.problems[0].found


def test_a_child_that_never_ends_is_stopped(path, child, monkeypatch):
    monkeypatch.setattr(isolating, "_PATIENCE", 0.5)
    child("import time\ntime.sleep(600)")
    with pytest.raises(DamagedError) as caught:
        PendingScan(source(path)).result()
    assert "not get to the end" in caught.value.problems[0].found


def test_a_child_that_breaks_off_within_a_tensor_is_an_error(path, child):
    child(
        'print(\'{"dtype": "float32", "shape": [4], "bytes": 16}\')\nprint(\'{"block": 16}\')\nprint("short", end="")'
    )
    answers = read_blocks(source(path), ["group/packed"])
    _, _, blocks = next(answers)
    with pytest.raises(DamagedError) as caught:
        list(blocks)
    assert caught.value.problems[0].where == "group/packed"


def test_a_data_set_that_is_not_there_is_an_error(path):
    with pytest.raises(DamagedError):
        list(read_blocks(source(path), ["group/nothing"]))


def test_memory_beyond_the_limit_is_not_to_be_had(path, child):
    child(
        "sys.path.insert(0, sys.argv[0])\n"
        "import importlib.util\n"
        f"spec = importlib.util.spec_from_file_location('scanning', {str(isolating._SCRIPT)!r})\n"
        "scanning = importlib.util.module_from_spec(spec)\nspec.loader.exec_module(scanning)\n"
        "scanning.limit(64 << 20, 5)\n"
        'try:\n    block = bytearray(256 << 20)\nexcept MemoryError:\n    print(\'{"fault": "no memory"}\')\n'
    )
    with pytest.raises(DamagedError) as caught:
        PendingScan(source(path)).result()
    assert "no memory" in caught.value.problems[0].found
