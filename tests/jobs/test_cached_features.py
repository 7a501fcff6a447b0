"""What a run keeps for others changes no bit of any run, stays within its bounds, and is never of something else."""

import json
import shutil

import h5py
import keras
import numpy as np
import pytest
from PIL import Image

import transfer
from transfer.data import loading
from transfer.data.feature_folders import list_pieces, trim_shards
from transfer.errors import DataError, OutputError
from transfer.jobs.examples.cached_features import Cache

SAME = ("model.keras", "result.json", "run.json", "history.jsonl")
PROBE = transfer.Recipe((transfer.Stage("probe"),), seed=3)
TUNED = transfer.Recipe(
    (
        transfer.Stage("probe"),
        transfer.Stage("tune", unfreeze_from="dense_2", epochs=2, rate=1e-3, augment=("shift",), views=2),
    ),
    seed=3,
)


@pytest.fixture(scope="module")
def data(digits_folder) -> transfer.LabelledSet:
    return transfer.read_labelled(digits_folder)


class Counted:
    """A `Progress` that adds up the examples whose features are computed."""

    def __init__(self):
        self.totals = {}

    def __call__(self, stage, done, total):
        if done == total:
            self.totals[stage] = self.totals.get(stage, 0) + total

    @property
    def computed(self):
        return self.totals.get("computing features", 0)

    @property
    def decoded(self):
        return self.totals.get("reading images", 0)


def shards(cache, dtype):
    """Features are float32, pictures bytes."""
    found = []
    for path in cache.glob("*/*.h5"):
        with h5py.File(path) as file:
            if file["rows"].dtype == dtype:
                found.append(path)
    return found


def written(folder):
    return {name: (folder / name).read_bytes() for name in SAME}


@pytest.mark.parametrize(
    ("recipe", "ways"),
    [
        (
            PROBE,
            ("cold", "warm", "warm and from the disk", "trimmed", "cold again"),
        ),
        (TUNED, ("cold", "warm and from the disk")),
    ],
    ids=["probe", "tuned"],
)
def test_a_run_has_the_same_bits_without_a_cache_with_one_that_is_cold_and_with_one_that_is_warm(
    recipe, ways, student, data, tmp_path
):
    caches = {
        "without": {},
        "cold": {"cache": tmp_path / "cache"},
        "warm": {"cache": tmp_path / "cache"},
        "warm and from the disk": {"cache": tmp_path / "cache", "memory_bytes": 1},
        "trimmed": {"cache": Cache(tmp_path / "cache", largest_bytes=0)},
        "cold again": {"cache": Cache(tmp_path / "cache", largest_bytes=10**9, is_needed=False)},
    }
    found, computed = {}, {}
    for name in ("without", *ways):
        progress = Counted()
        run = transfer.finetune(student, data, recipe=recipe, out=tmp_path / name, progress=progress, **caches[name])
        found[name], computed[name] = written(run.folder), progress.computed
    assert {name: each == found["without"] for name, each in found.items()} == dict.fromkeys(found, True)
    assert computed["without"] > 0
    assert computed == {name: computed["without"] if "warm" not in name and name != "trimmed" else 0 for name in found}


def computed_by(student, data, cache, **options):
    progress = Counted()
    run = transfer.finetune(student, data, recipe=PROBE, cache=cache, progress=progress, **options)
    return progress.computed, run


def test_a_warm_run_decodes_no_picture_and_a_torn_one_is_told_each_time(student, digits_folder, truncate, tmp_path):
    place = shutil.copytree(digits_folder, tmp_path / "pictures")
    truncate(place / "digit_0" / "torn.jpg")
    twin = place / "digit_1" / "twin.png"
    shutil.copy(next(twin.parent.glob("*.png")), twin)
    data, found = transfer.read_labelled(place), {}
    for name, decoded in (("without", 32), ("cold", 31), ("warm", 1)):
        cache, progress = None if name == "without" else tmp_path / "cache", Counted()
        run = transfer.finetune(
            student, data, recipe=PROBE, cache=cache, skip_unreadable=True, out=tmp_path / name, progress=progress
        )
        found[name] = written(run.folder)
        assert progress.decoded == decoded  # of two with the same bytes one, and the torn one again
        assert [each.where for each in run.result.left_out] == ["digit_0/torn.jpg"]
    assert found["without"] == found["cold"] == found["warm"]


def test_a_warm_run_opens_no_picture_with_the_same_warnings(colour_student, colours, tmp_path, monkeypatch):
    images, labels = colours
    for place, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = tmp_path / "set" / f"tint_{label}" / f"{place:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    data, found = transfer.read_labelled(tmp_path / "set"), {}
    for name in ("without", "cold", "warm"):
        if name == "warm":
            monkeypatch.setattr(loading, "read_image", refuse)
        cache = None if name == "without" else tmp_path / "cache"
        run = transfer.finetune(
            colour_student, data, recipe=PROBE, preprocessing="raw", cache=cache, out=tmp_path / name
        )
        found[name] = run.result.warnings, written(run.folder)
    assert found["without"] == found["cold"] == found["warm"]
    assert any("preprocessing" in each for each in found["warm"][0])


def refuse(*_, **__):
    raise AssertionError("a picture is opened")


def test_small_copies_that_were_taken_away_are_made_again(student, data, tmp_path):
    first = transfer.finetune(student, data, recipe=PROBE, cache=tmp_path / "cache", out=tmp_path / "first")
    for path in shards(tmp_path / "cache", np.uint8):
        path.unlink()
    progress = Counted()
    again = transfer.finetune(
        student, data, recipe=PROBE, cache=tmp_path / "cache", out=tmp_path / "again", progress=progress
    )
    assert (progress.computed, progress.decoded) == (0, 30)  # besides those that the inputs are looked at by
    assert written(again.folder) == written(first.folder)


def test_a_picture_that_changes_while_it_is_read_ends_the_run_and_no_features_of_it_are_kept(
    student, digits_folder, tmp_path
):
    place = shutil.copytree(digits_folder, tmp_path / "pictures")
    data = transfer.read_labelled(place)
    old = data.inputs[3].read_bytes()

    def progress(stage, *_):
        if stage == "reading images":  # decoded, and not computed yet
            data.inputs[3].write_bytes(old + b"more")

    with pytest.raises(DataError, match=r"1 picture of .* changed while being read") as caught:
        transfer.finetune(student, data, recipe=PROBE, cache=tmp_path / "cache", progress=progress)
    assert [each.where for each in caught.value.problems] == [data.names[3]]
    assert shards(tmp_path / "cache", np.float32) == []
    data.inputs[3].write_bytes(old)
    transfer.finetune(student, data, recipe=PROBE, cache=tmp_path / "cache")


def test_a_changed_picture_is_computed_anew_and_a_moved_or_renamed_one_is_not(student, digits_folder, tmp_path):
    place = shutil.copytree(digits_folder, tmp_path / "pictures")
    assert computed_by(student, transfer.read_labelled(place), tmp_path / "cache")[0] == 30
    path = next(place.rglob("*.png"))
    pixels = np.array(Image.open(path))
    pixels[0, 0] ^= 255
    Image.fromarray(pixels).save(path)
    place.rename(tmp_path / "moved")
    some = next((tmp_path / "moved").glob("*1/*.png"))
    some.rename(some.with_name("renamed.png"))
    assert computed_by(student, transfer.read_labelled(tmp_path / "moved"), tmp_path / "cache")[0] == 1


def test_other_weights_sizes_and_preprocessing_are_computed_anew(colour_student, colours, tmp_path):
    data = transfer.from_arrays(*colours)
    assert computed_by(colour_student, data, tmp_path, preprocessing="torch")[0] == 16
    assert computed_by(colour_student, data, tmp_path, preprocessing="torch")[0] == 0
    assert computed_by(colour_student, data, tmp_path, preprocessing="tf")[0] == 16
    other = keras.models.clone_model(colour_student)
    other.set_weights(colour_student.get_weights())
    kernel, *rest = other.get_layer("conv_1").get_weights()
    kernel[0, 0, 0, 0] = np.nextafter(kernel[0, 0, 0, 0], np.float32(9))
    other.get_layer("conv_1").set_weights([kernel, *rest])
    assert computed_by(other, data, tmp_path, preprocessing="torch")[0] == 16


def test_a_flipped_bit_in_the_cache_changes_no_answer(student, data, tmp_path):
    cache = tmp_path / "cache"
    first = transfer.finetune(student, data, recipe=PROBE, cache=cache, out=tmp_path / "first")
    for path in cache.rglob("*.h5"):
        damaged = bytearray(path.read_bytes())
        damaged[-5] ^= 4
        path.write_bytes(damaged)
    computed, again = computed_by(student, data, cache, out=tmp_path / "again")
    assert computed == 30
    assert written(again.folder) == written(first.folder)


def blocked(folder):
    """A folder that cannot be made, whoever asks: a file stands in its way."""
    folder.write_text("")
    return folder / "features"


def test_where_a_cache_is_a_convenience_a_disk_that_takes_nothing_adds_a_note_and_no_more(student, data, tmp_path):
    plain = transfer.finetune(student, data, recipe=PROBE, out=tmp_path / "plain")
    cache = Cache(blocked(tmp_path / "file"), largest_bytes=10**9, is_needed=False)
    run = transfer.finetune(student, data, recipe=PROBE, cache=cache, out=tmp_path / "run")
    (note,) = set(run.result.notes) - set(plain.result.notes)
    assert note.startswith("features are not kept for other runs: ")
    assert str(tmp_path / "file") in note
    results = [json.loads((each.folder / "result.json").read_text()) for each in (plain, run)]
    assert [each.pop("notes") is not None for each in results] == [True, True]
    assert results[0] == results[1]
    assert (run.folder / "model.keras").read_bytes() == (plain.folder / "model.keras").read_bytes()


def test_where_a_cache_was_asked_for_a_disk_that_takes_nothing_ends_the_run(student, data, tmp_path):
    with pytest.raises(OutputError, match="Features cannot be kept"):
        transfer.finetune(student, data, recipe=PROBE, cache=blocked(tmp_path / "file"), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_cache_is_trimmed_after_a_run_and_not_while_it_is_at_work(student, data, tmp_path):
    kept = []

    def progress(stage, *_):
        if stage not in ("reading images", "computing features"):
            trim_shards(tmp_path, 0)  # as another process would
            kept.append(sum(each.shards for each in list_pieces(tmp_path)))

    transfer.finetune(student, data, recipe=PROBE, cache=Cache(tmp_path, largest_bytes=0), progress=progress)
    assert kept
    assert min(kept) > 0
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_fails_trims_too(student, data, tmp_path):
    with pytest.raises(DataError, match="digit_0"):
        transfer.finetune(student, data, recipe=PROBE, shots=10, cache=Cache(tmp_path, largest_bytes=0))
    assert list(tmp_path.iterdir()) == []


class Tinted(keras.layers.Layer):
    """Code of the user's own, which no digest tells from what it was yesterday."""

    def call(self, x):
        return x * 2


@pytest.mark.parametrize("is_needed", [True, False])
def test_of_a_network_with_classes_of_ones_own_nothing_is_kept(is_needed, tmp_path):
    inputs = keras.Input((4,), name="x")
    model = keras.Model(inputs, keras.layers.Dense(2, name="label")(Tinted(name="tinted")(inputs)))
    model.get_layer("tinted").trainable = False
    x = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    data = transfer.from_arrays(x, np.arange(20) % 2)
    run = transfer.finetune(model, data, recipe=PROBE, cache=Cache(tmp_path, is_needed=is_needed))
    assert list(tmp_path.iterdir()) == []
    told = [note for note in run.result.notes if "your own classes" in note]
    assert len(told) == is_needed
    assert all("Tinted" in note for note in told)
