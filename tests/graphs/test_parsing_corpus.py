"""Every config that the Keras versions of the corpus wrote becomes a graph."""

import json
import zipfile

import h5py
import pytest

from transfer.errors import LayerError
from transfer.graphs.hard_sigmoid import is_old_hard_sigmoid
from transfer.graphs.parsing import parse_config
from transfer.graphs.unparsing import unparse_graph
from transfer.graphs.walking import walk
from transfer.specs import Writer

pytestmark = pytest.mark.corpus

WITHOUT_GRAPH = ("f_subclass", "r_toplevel")
RECURRENT = ("LSTM", "GRU")


def text(value):
    return value.decode() if isinstance(value, bytes) else value or ""


def archived(path):
    with zipfile.ZipFile(path) as archive:
        version = json.loads(archive.read("metadata.json"))["keras_version"]
        return json.loads(archive.read("config.json")), Writer(version)


def attributed(path):
    with h5py.File(path) as file:
        config = file.attrs.get("model_config")
        writer = Writer(text(file.attrs.get("keras_version")), text(file.attrs.get("backend")))
    return None if config is None else (json.loads(text(config)), writer)


def configs(corpus):
    """Path, config and writer of every file of the corpus that holds a config."""
    for path in sorted((corpus / "files").glob("*/*__*")):
        if path.is_dir():
            yield path, json.loads((path / "config.json").read_text()), Writer("3")
        elif path.suffix != ".json":
            found = archived(path) if zipfile.is_zipfile(path) else attributed(path)
            if found is not None:
                yield path, *found


def test_every_config_becomes_a_graph_that_comes_back_as_it_is(corpus):
    count = 0
    for path, config, writer in configs(corpus):
        if path.name.startswith(WITHOUT_GRAPH):
            with pytest.raises(LayerError, match="no graph in its config"):
                parse_config(config, writer)
            continue
        graph = parse_config(config, writer)
        assert graph.outputs, path
        assert parse_config(json.loads(json.dumps(unparse_graph(graph)))).names == graph.names, path
        count += 1
    assert count > 600


def test_recurrent_layers_have_the_activation_of_their_era(corpus):
    seen = set()
    for path, config, writer in configs(corpus):
        if path.name.startswith("d_"):
            is_first = writer.version < (2, 3)
            cells = [place for place in walk(parse_config(config, writer)) if place.kind in RECURRENT]
            found = {is_old_hard_sigmoid(each.config.get("recurrent_activation")) for each in cells}
            assert found == {is_first}, path
            seen.add(is_first)
    assert seen == {True, False}
