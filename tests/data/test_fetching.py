"""Pictures at addresses, by filesystems of fsspec that need no network."""

import sys
from pathlib import Path

import pytest

import transfer
from transfer.data.fetching import fetch_pictures, refuse_unreachable
from transfer.errors import DataError

fsspec = pytest.importorskip("fsspec", reason="needs the extra: pip install 'h5transfer[remote]'")

CLIPART = Path(__file__).parents[2] / "examples" / "data" / "clipart"


@pytest.fixture
def memory():
    """Files in memory, by addresses such as `memory://a.png`."""
    files = fsspec.filesystem("memory")
    yield files
    files.store.clear()


def test_they_are_fetched_in_order_and_what_is_missing_has_a_reason(memory, tmp_path):
    for place in range(70):
        memory.pipe(f"/pictures/{place}.png", bytes([place]))
    wanted = [f"memory://pictures/{place}.png" for place in (*range(70), 99)]
    found, failed = fetch_pictures(wanted, tmp_path)
    assert [path.read_bytes() for path in found[:70]] == [bytes([place]) for place in range(70)]
    assert {path.suffix for path in found} == {".png"}
    assert list(failed) == [70]
    assert "cannot be fetched: FileNotFoundError" in failed[70]


def test_a_kind_that_nothing_reads_is_refused_by_name():
    with pytest.raises(DataError, match="nosuch://") as caught:
        refuse_unreachable(["nosuch://a/b.png"])
    assert caught.value.problems[0].where == "nosuch://a/b.png"


def test_without_fsspec_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(DataError) as caught:
        refuse_unreachable(["s3://bucket/a.png"])
    assert "pip install 'h5transfer[remote]'" in caught.value.next_step


def test_a_table_of_addresses_and_paths_gives_the_features_of_the_same_pictures(memory, tmp_path):
    pictures = sorted(CLIPART.rglob("*.png"))[:6]
    for place, path in enumerate(pictures):
        if place % 2:
            (tmp_path / path.name).write_bytes(path.read_bytes())
        else:
            memory.pipe(f"/{path.name}", path.read_bytes())
    names = [path.name if place % 2 else f"memory://{path.name}" for place, path in enumerate(pictures)]
    table = tmp_path / "manifest.csv"
    table.write_text("\n".join(["path", *names, "memory://gone.png"]) + "\n")
    found = transfer.compute_features("digits_mlp", table, tmp_path / "out", shard_rows=4)
    assert found.ids == tuple(names)
    assert [each.where for each in found.failed] == ["memory://gone.png"]
    assert "cannot be fetched" in found.failed[0].found
    plain = tmp_path / "plain"
    plain.mkdir()
    for place, path in enumerate(pictures):
        (plain / f"{place}.png").write_bytes(path.read_bytes())
    assert (found.load() == transfer.compute_features("digits_mlp", plain, tmp_path / "beside").load()).all()
    assert transfer.compute_features("digits_mlp", table, tmp_path / "out", shard_rows=4).computed == 0
