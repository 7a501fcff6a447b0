"""Pictures at addresses of a web server on this machine, which fails in the ways in which servers do."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pandas
import pytest
from PIL import Image

import transfer
from transfer.data import fetched_pictures
from transfer.data.fetching import fetch_pictures
from transfer.data.forms import as_examples
from transfer.errors import DataError
from transfer.jobs.examples.reading_unlabelled import read_unlabelled
from transfer.jobs.finetuning.learning import Learning
from transfer.jobs.finetuning.learning_features import learn_features

pytest.importorskip("aiohttp", reason="needs the extra: pip install 'h5transfer[remote]'")

DONE = threading.Event()


class Answering(BaseHTTPRequestHandler):
    """Says what was asked; of some paths too little, too late or nothing."""

    def do_GET(self):
        self.server.asked.append(self.path)
        what = self.path.split("?")[0].rsplit("/", 1)[-1]
        body = self.server.pictures.get(what, self.path.encode())
        if what == "once.png" and self.server.asked.count(self.path) == 1:
            return self.send_error(503)
        if what == "gone.png":
            return self.send_error(404)
        if what == "closed.png":
            return self.send_error(403)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) + (what in ("short.png", "slow.png")) * 10))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        return DONE.wait(10) if what == "slow.png" else None

    def log_message(self, *_):
        """Print nothing."""


def picture(path, grey):
    """Write a picture of one grey, and give its bytes."""
    Image.new("L", (9, 9), grey).save(path)
    return path.read_bytes()


@pytest.fixture
def server(monkeypatch):
    """A server with `.asked` and `.pictures`; and a folder of fetched pictures of this test's own."""
    there = fetched_pictures.FetchedPictures()
    monkeypatch.setattr(fetched_pictures, "fetched_here", lambda: there)
    DONE.clear()
    found = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    found.asked, found.pictures = [], {}
    found.at = f"127.0.0.1:{found.server_port}"
    thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    DONE.set()
    found.shutdown()
    found.server_close()
    thread.join()


def test_what_fails_is_told_without_what_is_secret_and_the_rest_comes(server, tmp_path):
    names = ["a.png", "gone.png", "closed.png", "short.png", "slow.png", "once.png"]
    found, failed = fetch_pictures(
        [f"HTTP://user:pw@{server.at}/{name}?X-Amz-Signature=s3cret" for name in names], tmp_path, patience=1
    )
    assert found[0].read_bytes() == b"/a.png?X-Amz-Signature=s3cret"
    assert list(failed) == [1, 2, 3, 4]
    assert failed[1].startswith("cannot be fetched: FileNotFoundError")
    assert "403" in failed[2]
    assert "not completed" in failed[3]
    assert failed[4] == "cannot be fetched: no answer in time"
    assert not any(secret in reason for reason in failed.values() for secret in ("s3cret", "pw"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.png", "5.png"]  # nothing half


def test_signed_addresses_go_as_they_stand_and_others_are_brought_into_form(server, tmp_path):
    asked = ["a%20b/c.png?q=a%2Fb&X-Amz-Credential=x%2Fy", "ä b.png", "image?id=3", "image?id=4"]
    found, failed = fetch_pictures([f"http://{server.at}/{each}" for each in asked], tmp_path)
    assert not failed
    assert [path.read_text() for path in found] == [
        "/a%20b/c.png?q=a%2Fb&X-Amz-Credential=x%2Fy",
        "/%C3%A4%20b.png",
        "/image?id=3",
        "/image?id=4",
    ]


def test_a_labelled_table_is_read_from_addresses_once(server, tmp_path):
    for name in ("a", "b", "c"):
        server.pictures[f"{name}.png"] = picture(tmp_path / f"{name}.png", 3 * ord(name) % 256)
    at = f"http://user:pw@{server.at}"
    table = tmp_path / "manifest.csv"
    table.write_text(
        f"path,label\n{at}/a.png?X-Amz-Signature=1,x\n{at}/b.png,y\nc.png,y\n{at}/a.png?X-Amz-Signature=2,x\n"
        f"file://{tmp_path}/c.png,y\n"
    )
    data = transfer.read_labelled(table)
    assert data.names == (f"http://{server.at}/a.png", "c.png", f"http://{server.at}/b.png")
    assert [path.read_bytes() for path in data.inputs] == [server.pictures[f"{name}.png"] for name in "acb"]
    assert [each.found.partition("' ")[2] for each in data.problems] == [
        "stands on line 2 already",
        "stands on line 4 already",
    ]
    assert transfer.read_labelled(table).digests() == data.digests()
    assert read_unlabelled(table).inputs == (data.inputs[0], data.inputs[2], tmp_path / "c.png")
    assert sorted(server.asked) == ["/a.png?X-Amz-Signature=1", "/b.png"]
    assert not (transfer.read_labelled(table, max_pixels=None).inputs[0]).exists()
    assert len(server.asked) == 2


def test_pictures_of_a_labelled_table_that_do_not_come_are_faults_or_left_out(server, tmp_path):
    server.pictures["a.png"] = picture(tmp_path / "a.png", 3)
    server.pictures["b.png"] = b"no picture"
    names = ["a.png", "b.png", "gone.png"]
    table = tmp_path / "manifest.csv"
    table.write_text(
        "url,label\na.png,x\n" + "".join(f"http://{server.at}/{name}?X-Amz-Signature=s3cret,y\n" for name in names)
    )
    with pytest.raises(DataError) as caught:
        transfer.read_labelled(table)
    assert [each.where for each in caught.value.problems] == ["manifest.csv line 4", "manifest.csv line 5"]
    assert "cannot be used: not a PNG" in caught.value.problems[0].found
    assert "cannot be used: cannot be fetched: FileNotFoundError" in caught.value.problems[1].found
    assert "s3cret" not in str(caught.value)
    assert "--skip-unreadable" in caught.value.next_step
    data = transfer.read_labelled(table, skip_unreadable=True)
    assert data.names == ("a.png", f"http://{server.at}/a.png")
    several = transfer.read_labelled(table, skip_unreadable=True, outputs=["label"])
    assert several.names == ("a.png", f"http://{server.at}/a.png")
    assert several.inputs == data.inputs


def test_a_look_at_a_table_fetches_what_it_looks_at(server, tmp_path):
    server.pictures.update({f"{n}.png": picture(tmp_path / f"{n}.png", 20 * n) for n in range(12)})
    table = tmp_path / "bare.csv"
    table.write_text("\n".join(["address", *(f"http://{server.at}/{n}.png" for n in range(12)), "none.png"]))
    drift = transfer.measure_drift("digits_mlp", table, most=5)
    assert drift.examples == 5
    assert len(server.asked) == 5
    assert "examples that were not looked at: 7" in drift.notes
    assert "left out, as it is no picture or not there: 1" in drift.notes


def test_inputs_of_a_table_are_fetched_and_what_does_not_come_is_told(server, tmp_path):
    server.pictures["a.png"] = picture(tmp_path / "a.png", 3)
    frame = pandas.DataFrame(
        {"url": [f"http://{server.at}/gone.png?token=s3cret", f"http://{server.at}/a.png", "a.png"]}
    )
    frame.to_csv(tmp_path / "bare.csv", index=False)
    found = as_examples([tmp_path / "bare.csv"])
    assert found.names == (f"http://{server.at}/a.png", "a.png")
    assert [path.read_bytes() for path in found.inputs] == [server.pictures["a.png"]] * 2
    (lost,) = found.problems
    assert lost.where.startswith(f"http://{server.at}/gone.png?…")
    assert "FileNotFoundError" in lost.found
    frame[:1].to_csv(tmp_path / "gone.csv", index=False)
    with pytest.raises(DataError) as caught:
        as_examples(tmp_path / "gone.csv")
    assert "s3cret" not in str(caught.value)


def test_features_are_matched_to_labels_by_addresses_signed_anew(server, tmp_path):
    server.pictures.update({f"{n}.png": picture(tmp_path / f"{n}.png", 20 * n) for n in range(12)})
    at = f"http://{server.at}"
    rows = [(f"{at}/{n}.png?X-Amz-Signature=" if n % 2 else f"{n}.png", f"class {n % 3}") for n in range(12)]
    for name, secret in (("all.csv", "s3cret"), ("labels.csv", "n3w")):
        lines = (f"{place}{secret if 'http' in place else ''},{label}" for place, label in rows)
        (tmp_path / name).write_text("\n".join(["path,label", *lines]))
    out = tmp_path / "features"
    features = transfer.compute_features("digits_mlp", tmp_path / "all.csv", out)
    assert features.ids == tuple(place.partition("?")[0] for place, _ in rows)
    count = len(server.asked)
    data = transfer.read_labelled(tmp_path / "labels.csv", max_pixels=None)
    run = learn_features(
        "digits_mlp", data, out, tmp_path / "run", Learning(recipe=transfer.named_recipe("probe", examples=9))
    )
    assert len(server.asked) == count
    assert run.result.left_out == ()
    written = [path for folder in (out, tmp_path / "run") for path in folder.rglob("*") if path.is_file()]
    assert not [path for path in written if b"s3cret" in path.read_bytes() or b"n3w" in path.read_bytes()]
