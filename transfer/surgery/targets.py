"""The layouts that a network can be written in, and what each of them needs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, TypeAlias

from numpy.typing import NDArray

from transfer.errors import CheckpointError, OutputError, Problem
from transfer.graphs.graph import Graph
from transfer.graphs.unparsing import unparse_graph, unparse_layer
from transfer.graphs.variables import describe_graph
from transfer.specs import TensorSpec, Writer
from transfer.surgery.layouts import Described, keras3_groups, legacy_layers
from transfer.weights.blueprints import TOP_LEVEL, keras3_blueprint, legacy_blueprint
from transfer.weights.cards import Card
from transfer.weights.finiteness import is_finite
from transfer.weights.formats import Tensors
from transfer.weights.matching import match
from transfer.weights.outline import OPAQUE
from transfer.weights.safetensors import open_safetensors, write_safetensors
from transfer.weights.signing import sign
from transfer.weights.spans import Span, read_span
from transfer.weights.tensor_digests import digest_tensor
from transfer.weights.verifying import verify_opened
from transfer.weights.writing import Seen, write_archive, write_blueprint

Form: TypeAlias = Literal["keras3", "archive", "legacy", "whole", "safetensors"]
FORMS: dict[Form, str] = {
    "keras3": "Keras 3 .weights.h5",
    "archive": ".keras archive",
    "legacy": "legacy .h5 weights",
    "whole": "full legacy .h5",
    "safetensors": "safetensors",
}
_SUFFIXES: tuple[tuple[str, Form], ...] = (
    (".weights.h5", "keras3"),
    (".keras", "archive"),
    (".h5", "whole"),
    (".hdf5", "whole"),
    (".safetensors", "safetensors"),
)
_OLDEST = "2.0.0"  # what a file in the form of Keras 2 can be of at least


@dataclass(frozen=True, slots=True)
class Weights:
    """What is to be written.

    Attributes:
        graph: the architecture; None where it is not known.
        specs: what the tensors are, with the types that they have in the file: by the graph's names, or the file's.
        card: goes in, signed anew.
        writer: who wrote them first.
        path: the file that they are from, for errors.
    """

    graph: Graph | None
    specs: Mapping[str, TensorSpec]
    card: Card
    writer: Writer
    path: Path


def form_of(path: Path) -> Form:
    """The layout that a name asks for.

    Raises:
        OutputError: if its suffix asks for none.
    """
    for suffix, form in _SUFFIXES:
        if path.name.endswith(suffix):
            return form
    known = ", ".join(suffix for suffix, _ in _SUFFIXES)
    raise OutputError(
        f"{path} does not tell in which layout to write.",
        [Problem(str(path), f"a name that ends in {known}", path.suffix or "none of them")],
        next_step=f"call it {path.stem}.weights.h5, say",
    )


def write_form(
    path: Path, form: Form, weights: Weights, tensors: Iterable[tuple[str, NDArray[Any] | Span]]
) -> tuple[Seen, ...]:
    """Write a network, card and all, and hold what is read back against what was written.

    Args:
        path: an empty or temporary file.
        form: the layout.
        weights: what it shall hold.
        tensors: each by its name, in any order: an array, or where it lies in another file.

    Returns:
        What was seen of each tensor.

    Raises:
        CheckpointError: if the layout needs an architecture and there is none.
        LayerError: if it is not known where a tensor goes.
        OutputError: if what is read back is not what was written.
    """
    if form == "safetensors":
        found: list[Seen] = []
        write_safetensors(path, weights.specs.values(), _noting(tensors, found), weights.card, weights.writer)
        safe = open_safetensors(path)
        verify_opened(safe)
        _check_places(safe, weights, found)
        return tuple(found)
    if form == "archive":
        written = _write_archive(path, _graph(weights, form), weights, tensors)
    elif form == "keras3":
        blueprint = keras3_blueprint(keras3_groups(_graph(weights, form), weights.specs))
        written = write_blueprint(path, blueprint, tensors)
    else:
        _refuse_opaque(weights)
        config = json.dumps(unparse_graph(_graph(weights, form))) if form == "whole" else None
        _refuse_ellipsis(weights, config)
        layers = _listed(weights) if weights.graph is None else legacy_layers(weights.graph, weights.specs)
        written = write_blueprint(path, legacy_blueprint(layers, writer=_writer(weights), config=config), tensors)
    _check_places(sign(path, weights.card, written), weights, written.values())
    return tuple(written.values())


def _noting(
    tensors: Iterable[tuple[str, NDArray[Any] | Span]], found: list[Seen]
) -> Iterator[tuple[str, NDArray[Any]]]:
    for name, each in tensors:
        values = read_span(each) if isinstance(each, Span) else each
        found.append(Seen(name, digest_tensor(values), is_finite(values)))
        yield name, values


def _check_places(opened: Tensors, weights: Weights, seen: Iterable[Seen]) -> None:
    """Hold the file against what was meant: each tensor in its place, as a restore would find it.

    Raises:
        OutputError: if one is not there.
    """
    there = opened.card.digests if opened.card is not None else {}
    digests = {each.name: each.digest for each in seen}
    if weights.graph is None:
        same = sorted(there.values()) == sorted(digests.values())
        problems = [] if same else [Problem(str(weights.path), f"{len(digests)} tensors, bit by bit", "others")]
    else:
        plan = match(opened.specs, describe_graph(weights.graph))
        back = {pair.wanted: there.get(pair.stored) for pair in plan.pairs}
        problems = [Problem(name, "the source's bits", "others") for name in digests if back.get(name) != digests[name]]
    if problems:
        raise OutputError("What was written does not read back as it was meant.", problems)


def _write_archive(
    path: Path, graph: Graph, weights: Weights, tensors: Iterable[tuple[str, NDArray[Any] | Span]]
) -> dict[str, Seen]:
    inner = path.with_name(f"{path.name}.inner")
    try:
        written = write_blueprint(inner, keras3_blueprint(keras3_groups(graph, weights.specs)), tensors)
        write_archive(path, inner, unparse_graph(graph), writer=keras_version())
        return written
    finally:
        inner.unlink(missing_ok=True)


def _refuse_opaque(weights: Weights) -> None:
    """Keras writes such types into legacy files, and cannot read them there itself."""
    opaque = [spec for spec in weights.specs.values() if spec.dtype in OPAQUE]
    if opaque:
        raise OutputError(
            "A legacy file would hold tensors that Keras cannot read there.",
            [Problem(spec.name, "a type that HDF5 knows", spec.dtype) for spec in opaque],
            next_step="write NAME.weights.h5, NAME.keras or NAME.safetensors",
        )


def _refuse_ellipsis(weights: Weights, config: str | None) -> None:
    """Keras 3 turns such a slice of a legacy config into an Ellipsis, and then cannot read that."""
    if config is None or '"__ellipsis__"' not in config:
        return
    sliced = [each.name for each in _graph(weights, "whole") if '"__ellipsis__"' in json.dumps(unparse_layer(each))]
    raise OutputError(
        "A whole legacy file would hold slices that Keras cannot read there.",
        [Problem(name, "indices without '...'", "'...' in a slice") for name in sliced],
        next_step="write NAME.keras or NAME.weights.h5",
    )


def _graph(weights: Weights, form: Form) -> Graph:
    if weights.graph is None:
        raise CheckpointError(
            f"{weights.path} holds weights alone, no architecture, and a {FORMS[form]} needs one.",
            next_step="name the architecture with --into (into=…), or write NAME.safetensors",
        )
    return weights.graph


def _listed(weights: Weights) -> dict[str, list[Described]]:
    """Layers of a file without an architecture, where it tells in which order they stand in their model.

    Raises:
        CheckpointError: if it does not.
    """
    layers: dict[str, list[Described]] = {}
    positions: dict[str, set[int | None]] = {}
    for spec in weights.specs.values():
        layer = spec.owner.split("/")[0] or TOP_LEVEL
        layers.setdefault(layer, []).append((spec.name, spec.shape, spec.dtype))
        # Files that number layers within their class do so in nested models too; in legacy ones these have no number.
        is_numbered = "/" in spec.owner and spec.position is not None
        positions.setdefault(layer, set()).add(-1 if is_numbered else spec.position)
    outer = [layer for layer in layers if layer != TOP_LEVEL and not _is_model(layer, weights)]
    found = [min((place for place in positions[layer] if place is not None), default=-1) for layer in outer]
    if -1 in found or found != sorted(set(found)) or any(-1 in places for places in positions.values()):
        raise CheckpointError(
            f"{weights.path} holds weights alone, and does not say in which order its layers stand: a legacy file is "
            "read by that order.",
            next_step="name the architecture with --into (into=…), or write NAME.safetensors",
        )
    return layers


def _is_model(layer: str, weights: Weights) -> bool:
    return any(spec.owner.startswith(f"{layer}/") for spec in weights.specs.values())


def _writer(weights: Weights) -> str:
    """The version to name: with an architecture today's; else the first writer's, whose defaults the weights need."""
    if weights.graph is not None or not weights.writer.version:
        return keras_version()
    return weights.writer.keras if weights.writer.version >= (2,) else _OLDEST


def keras_version() -> str:
    """Of the Keras that is installed, without importing it."""
    try:
        return version("keras")
    except PackageNotFoundError:
        return "3.15.1"
