"""Files that real Keras versions wrote, cut at each layer in turn: the cut network gives what the whole one has there.

python -m pytest -m corpus --corpus=FOLDER

The whole model is the one that `restore` gives, its activations are noted while Keras itself runs it on the inputs that
the writer recorded. What an extraction writes is loaded by stock Keras.
"""

import contextlib
import json
from pathlib import Path

import keras
import numpy as np
import pytest

from transfer.errors import KerasNeededError, LayerError, TransferError
from transfer.jobs.extracting import extract_file
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
    own = keras.Operation.__call__, keras.layers.Layer.__call__

    def noting(call):
        def noted(self, *args, **kwargs):
            found = call(self, *args, **kwargs)
            seen.setdefault(id(self), []).append([np.asarray(each) for each in keras.tree.flatten(found)])
            return found

        return noted

    keras.Operation.__call__, keras.layers.Layer.__call__ = map(noting, own)
    try:
        yield
    finally:
        keras.Operation.__call__, keras.layers.Layer.__call__ = own


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
