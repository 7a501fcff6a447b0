"""Files that real Keras versions wrote, cut at each layer in turn: the cut network gives what the whole one has there.

python -m pytest -m corpus --corpus=FOLDER

The whole model is the one that `restore` gives, its activations are noted while Keras itself runs it on the inputs that
the writer recorded. What an extraction writes is loaded by stock Keras.
"""

import contextlib
import json
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from transfer.errors import KerasNeededError, LayerError, OutputError, TransferError
from transfer.jobs.extraction.extracting import extract_file
from transfer.models.building import build_model, read_model
from transfer.models.restoring import restore
from transfer.specs import Extraction, Restoring
from transfer.surgery.extracting import extract_network
from transfer.surgery.opening import open_network
from transfer.weights.opening import open_checkpoint

FILES = Path(__file__).parents[1] / "weights" / "files"
WHOLE = ("full", "hdf5", "keras", "dir")


@contextlib.contextmanager
def noted_outputs(seen):
    """Note what every layer and operation gives, each time that it is called on values."""
    own = keras.Operation.__call__  # that of layers goes through it

    def noted(self, *args, **kwargs):
        found = own(self, *args, **kwargs)
        seen.setdefault(id(self), []).append([np.asarray(each) for each in keras.tree.flatten(found)])
        return found

    keras.Operation.__call__ = noted
    try:
        yield
    finally:
        keras.Operation.__call__ = own


def run(model, inputs):
    structure = getattr(model, "_inputs_struct", None)
    fed = inputs[0] if structure is None else keras.tree.pack_sequence_as(structure, list(inputs))
    return [np.asarray(keras.ops.convert_to_numpy(each)) for each in keras.tree.flatten(model(fed, training=False))]


def layers_of(model, prefix=""):
    """Path to layer, also of those inside nested models and of operations."""
    for each in getattr(model, "operations", None) or model.layers:
        yield f"{prefix}{each.name}", each
        if isinstance(each, keras.Model):
            yield from layers_of(each, f"{prefix}{each.name}/")


def recorded_inputs(folder, name):
    with np.load(folder / f"{name}.npz") as file:
        return [file[key] for key in sorted(file.files) if key[0] == "x"]


def declared(writer):
    if not writer.startswith(("keras-0", "keras-1")):
        return None
    return "theano" if "theano" in writer else "tensorflow"


def cut_everywhere(file, inputs, how):
    """Cut at each layer; gives how many cuts were compared, and those that could not be made with the reason.

    Raises:
        TransferError: if the file does not restore.
    """
    model = restore(file, era=how.era, backend=how.backend).model
    seen = {}
    with noted_outputs(seen):
        run(model, inputs)
    network = read_model(model)
    with contextlib.suppress(KerasNeededError):
        network = open_network(open_checkpoint(file), None, how).network
    compared, refused = 0, {}
    for path, layer in layers_of(model):
        if isinstance(layer, keras.layers.InputLayer) or id(layer) not in seen:
            continue
        try:
            cut = extract_network(network, Extraction(at=(path,))).network
        except LayerError as error:
            refused[path] = error.summary
            continue
        found = run(build_model(cut), inputs)
        calls = [call for call in seen[id(layer)] if [each.shape for each in call] == [each.shape for each in found]]
        assert any(
            all(np.allclose(ours, theirs, rtol=1e-6, atol=1e-6) for ours, theirs in zip(found, call, strict=True))
            for call in calls
        ), path
        compared += 1
    return compared, refused


def whole_files(folder):
    """One file of each model that a writer saved as a whole, and all of them."""
    entries = [
        entry
        for entry in json.loads((folder / "manifest.json").read_text())
        if entry.get("ok") and entry.get("fmt") in WHOLE and (folder / entry["file"]).exists()
    ]
    return {entry["model"]: folder / entry["file"] for entry in entries}, entries


def shipped_whole():
    """The trimmed set: whole models with recorded inputs; one has hundreds of layers."""
    for path in sorted(FILES.glob("*/*__*")):
        name, _, form = path.stem.partition("__")
        if form in WHOLE and path.with_name(f"{name}.npz").exists():
            marks = [pytest.mark.slow] if name == "q_chunked" else []
            yield pytest.param(f"{path.parent.name}/{path.name}", marks=marks)


@pytest.mark.parametrize("file", list(shipped_whole()))
def test_a_network_cut_at_any_layer_gives_what_the_whole_one_has_there(file):
    path = FILES / file
    how = Restoring(era="ignore", backend=declared(path.parent.name))
    compared, refused = cut_everywhere(path, recorded_inputs(path.parent, path.stem.partition("__")[0]), how)
    assert compared >= 1
    assert all("cuts off an input" in reason for reason in refused.values())


def extracted_everywhere(folder, table, *, every_file):
    """Cut one file of each model at each layer; extract from every file, and have stock Keras load what is written."""
    ones, entries = whole_files(folder)
    how = Restoring(backend=declared(folder.name))
    cuts, models, before = 0, 0, time.perf_counter()
    for name, file in ones.items():
        with contextlib.suppress(TransferError):
            compared, _ = cut_everywhere(file, recorded_inputs(folder, name), how)
            cuts, models = cuts + compared, models + 1
        keras.utils.clear_session(free_memory=False)
    written = sum(stock_keras_agrees(folder, entry, how) for entry in (entries if every_file else ()))
    seconds = time.perf_counter() - before
    told = f"{models:5} models cut at {cuts:4} layers; {written:4} extracted files in stock Keras"
    table(f"{folder.name:22}{told}  ({seconds:.0f} s)")
    return np.array([cuts, written])


def stock_keras_agrees(folder, entry, how):
    """Whether a file restores; then what is extracted from it at its last but one layer is loaded and run by Keras."""
    file, inputs = folder / entry["file"], recorded_inputs(folder, entry["model"])
    try:
        checkpoint = open_checkpoint(file)
        model = restore(checkpoint, backend=how.backend).model
    except TransferError:
        return False
    seen = {}
    with noted_outputs(seen):
        run(model, inputs)
    layers = [each for each in model.layers if not isinstance(each, keras.layers.InputLayer)]
    layer = next((each for each in layers[-2::-1] if len(seen.get(id(each), ())) == 1), None)
    if layer is None:
        return False
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / f"student{'.keras' if entry['fmt'] != 'full' else '.h5'}"
        what = Extraction(at=(layer.name,))
        try:
            extract_file(checkpoint, out, what, restoring=how)
        except OutputError:  # legacy files cannot hold bfloat16, or an ellipsis in a slice
            out = out.with_suffix(".keras")
            extract_file(checkpoint, out, what, restoring=how)
        except KerasNeededError:
            return False
        found = run(keras.models.load_model(out, compile=False), inputs)
    for ours, theirs in zip(found, seen[id(layer)][0], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6, err_msg=str(file))
    return True


@pytest.mark.corpus
def test_every_whole_file_is_cut_at_every_layer(corpus, write_table):
    folders = sorted(path for path in (corpus / "files").iterdir() if (path / "manifest.json").exists())
    found = sum(extracted_everywhere(folder, write_table, every_file=True) for folder in folders)
    assert found[0] > 1000
    assert found[1] > 500
