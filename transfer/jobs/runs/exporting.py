"""A finished run for other runtimes: written by Keras's exporters, and held against the run's own answers."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from transfer.data.inputs import Examples
from transfer.errors import OutputError, Problem
from transfer.graphs.idle_resizing import drop_idle_resizing
from transfer.graphs.input_shapes import with_input_shapes
from transfer.html_tables import as_html
from transfer.jobs.examples.feeding import Feed, feed_of_run
from transfer.jobs.runs.asking_runs import labelling_of
from transfer.jobs.runs.compared_inputs import MADE_UP, examples_for_comparing
from transfer.jobs.runs.kept_predictions import limits_of
from transfer.jobs.runs.running import load_run
from transfer.labellings import Labelling
from transfer.models.building import build_model, read_model
from transfer.models.exported_files import FORMATS, SUFFIXES, Format, answers_of, write_exported
from transfer.placing import placed_file, placed_folder, refuse_existing
from transfer.results import Run
from transfer.specs import Json
from transfer.tabulating import format_parts
from transfer.training.decoding import EVEN

TOLERANCE = 1e-3  # of probabilities, and of numbers relative to the largest


@dataclass(frozen=True, slots=True)
class Exported:
    """A run in another format; printed, what was written and how near its answers are.

    Attributes:
        path: of the file, or of the folder of a SavedModel.
        format: `saved_model`, `onnx` or `litert`.
        size_bytes: of all of it.
        inputs: by name the shape of one batch, as text, and what goes in.
        outputs: by the name in the file what comes out: classes, labels or names of numbers, in order.
        examples: on how many the answers were compared.
        compared_on: what these were.
        difference: the largest between a probability of the run and of what was written; of numbers relative to the
            largest of them, where that is above 1.
        thresholds: by the name of an output of labels from which probability on the run answers each, in order; none
            where it is 0.5 for all.
        notes: what a reader should know.
    """

    path: Path
    format: Format
    size_bytes: int
    inputs: dict[str, str]
    outputs: dict[str, tuple[str, ...]]
    examples: int
    compared_on: str
    difference: float
    thresholds: dict[str, tuple[float, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return format_parts(self.parts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html(self.parts)

    @property
    def parts(self) -> tuple[str, ...]:
        """The lines in print."""
        near = f"largest difference to the run's own answers {self.difference:.1e}"
        return (
            f"written   {self.path} ({self.format}, {self.size_bytes / 2**20:.1f} MB)",
            *(f"input     {name}: {what}" for name, what in self.inputs.items()),
            *(f"output    {name}: {', '.join(each)}" for name, each in self.outputs.items()),
            *(f"answered  {name}: {', '.join(self._limits(name))}" for name in self.thresholds),
            f"compared  on {self.examples} {'' if self.compared_on == MADE_UP else 'of '}{self.compared_on}: {near}",
            *(f"note      {each}" for each in self.notes),
        )

    def _limits(self, name: str) -> Iterator[str]:
        for label, least in zip(self.outputs[name], self.thresholds[name], strict=True):
            yield f"{label} from {least:.3g}"

    def to_json(self) -> Json:
        """As plain values."""
        return {**asdict(self), "path": str(self.path)}


def export(
    run: Run | str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    format: Format | None = None,
    inputs: Examples | NDArray[Any] | Mapping[str, Any] | str | os.PathLike[str] | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    force: bool = False,
) -> Exported:
    """Write the network of a finished run as SavedModel, ONNX or LiteRT, and see that it answers as the run does.

    Pictures go in at the size that the run fits them to, (b, h, w, c) in [0, 255]: other runtimes have no resizing that
    gives the same pixels. The arithmetic of preprocessing is part of what is written. Nothing is written if its answers
    differ.

    Args:
        run: a run, or its folder.
        out: `NAME.onnx`, `NAME.tflite`, or a new folder for a SavedModel.
        format: by default what the name of `out` says.
        inputs: examples on which answers are compared; by default those that the run was given, as far as they are
            still there, and made-up ones otherwise.
        custom_objects: classes of the caller's that the run holds, by name.
        force: whether what is there may be replaced.

    Raises:
        OutputError: if `out` exists, or what the format needs is not installed, or the answers differ.
        LayerError: if the format has no words for a layer.
        DataError: if the inputs do not fit the run.
        ValueError: if no format has this name.
    """
    target = Path(out)
    chosen = format or SUFFIXES.get(target.suffix.lower(), "saved_model")
    _refuse_misnamed(target, chosen)
    refuse_existing(target, force=force, parents=chosen == "saved_model")
    loaded = run if isinstance(run, Run) else load_run(run, custom_objects=custom_objects)
    feed = feed_of_run(loaded.model, loaded.asked["input"])
    model = _sized(feed, custom_objects or {})
    rows, told = examples_for_comparing(loaded, feed, model, inputs)
    given = {each.name: np.asarray(rows[each.name], each.dtype) for each in model.inputs}
    expected = _flat(loaded.model, given)
    with _placed(target, chosen, force=force) as temporary:
        write_exported(model, temporary, chosen)
        answers = answers_of(temporary, chosen, given)
        difference = _difference(expected, [*answers.values()])
        if not difference <= TOLERANCE:
            raise OutputError(
                f"{target} would not answer as the run does: nothing was written.",
                [Problem(chosen, f"a difference of at most {TOLERANCE:g}", f"{difference:.2g}")],
                next_step=f"try another format: {', '.join(each for each in FORMATS if each != chosen)}",
            )
    count = len(next(iter(given.values())))
    labelling = labelling_of(loaded)
    named = dict(zip(labelling.names, answers, strict=True)) if len(labelling) == 1 else {}  # formats name one anew
    outputs = {named.get(each.name, each.name): tuple(each.classes) for each in labelling}
    chosen_limits = {name: each for name, each in limits_of(loaded.result.decisions).items() if set(each) != {EVEN}}
    limits = {named.get(name, name): tuple(each) for name, each in chosen_limits.items()}
    shapes = {each.name: _shown(each, feed) for each in model.inputs}
    return Exported(
        target,
        chosen,
        _size(target),
        shapes,
        outputs,
        count,
        told,
        difference,
        limits,
        _notes(feed, labelling, chosen_limits),
    )


def _refuse_misnamed(target: Path, chosen: str) -> None:
    if chosen not in FORMATS:
        raise ValueError(f"format: expected one of {', '.join(FORMATS)}, found {chosen!r}")
    wanted = {name: suffix for suffix, name in SUFFIXES.items()}.get(chosen, "")
    if target.suffix.lower() != wanted and (wanted or target.suffix.lower() in SUFFIXES):
        expected = f"a name that ends in {wanted}" if wanted else "the name of a folder"
        raise OutputError(
            f"{target} is no name for {chosen}.",
            [Problem("out", expected, target.name)],
            next_step="choose another name",
        )


def _placed(target: Path, chosen: str, *, force: bool) -> AbstractContextManager[Path]:
    return placed_folder(target, force=force) if chosen == "saved_model" else placed_file(target, force=force)


def _sized(feed: Feed, custom_objects: Mapping[str, Any]) -> keras.Model:
    """The network on pictures of the one size that they are fitted to; of other arrays as it is."""
    if feed.image is None or feed.image.size is None:
        return feed.network
    network = read_model(feed.network)
    sized = with_input_shapes(network.graph, (*feed.image.size, feed.image.channels))
    return build_model(replace(network, graph=drop_idle_resizing(sized)), custom_objects)


def _flat(model: keras.Model, given: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The run's own answers, (b, k) by the names of its outputs."""
    names = [each.name for each in model.inputs]
    values = list(given.values())  # in the order of the inputs
    packed = keras.tree.pack_sequence_as(model.input, values) if len(names) > 1 else values[0]
    found = model.predict(packed, verbose=0)
    named = found if isinstance(found, dict) else dict(zip(model.output_names, keras.tree.flatten(found), strict=True))
    return {name: np.asarray(each).reshape(len(each), -1) for name, each in named.items()}


def _difference(expected: Mapping[str, NDArray[Any]], found: list[NDArray[Any]]) -> float:
    """The largest, each output in units of its largest value where that is above 1; infinite where shapes differ."""
    wanted = [expected[name] for name in sorted(expected)]
    if [each.shape for each in wanted] != [each.shape for each in found]:
        return float("inf")
    apart = [
        np.abs(one - other).max() / max(1.0, float(np.abs(one).max())) for one, other in zip(wanted, found, strict=True)
    ]
    return float(np.max(apart))


def _shown(tensor: Any, feed: Feed) -> str:
    axes = " x ".join("any" if size is None else str(size) for size in tensor.shape[1:])
    pictures = feed.image is not None and feed.image.size is not None
    return f"{tensor.dtype} (any number, {axes})" + (", values in [0, 255]" if pictures else "")


def _notes(feed: Feed, labelling: Labelling, limits: Collection[str]) -> tuple[str, ...]:
    return (*_notes_of_pictures(feed), *_notes_of_thresholds(labelling, limits))


def _notes_of_thresholds(labelling: Labelling, limits: Collection[str]) -> Iterator[str]:
    """What was written gives probabilities; answers are made of them outside."""
    for each in labelling:
        if each.name in limits:
            of = f", divided by that of the class of {each.parent} which it stands under" if each.parent else ""
            yield f"a label of {each.name} is answered where its probability{of} is not below its threshold, not at 0.5"


def _notes_of_pictures(feed: Feed) -> tuple[str, ...]:
    if feed.image is None or feed.image.size is None:
        return ()
    edge = f"the rest filled with {feed.image.background}"
    size = f"{feed.image.size[0]} x {feed.image.size[1]}"
    return (f"bring pictures to {size} before, aspect ratio kept, {edge}: other runtimes resize otherwise",)


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return sum(each.stat().st_size for each in files)
