"""What a network costs: multiply-adds, other operations, parameters, activations and bytes, layer by layer.

Conventions, all for one example in inference: a multiply-add (MAC) is counted once and is two FLOPs; only what is a
matrix product or a convolution counts there. Biases, activations, normalization, pooling and merging stand in a column
of their own, elementwise, where each addition, multiplication, comparison and elementary function counts as one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from transfer.analysis.closed_shapes import Sizes
from transfer.analysis.work import Work
from transfer.graphs.shapes import Shape
from transfer.graphs.summarizing import format_shape, printable
from transfer.html_tables import as_html
from transfer.specs import Json
from transfer.tabulating import Part, format_parts, format_scaled

COLUMNS = ("layer", "class", "output", "parameters", "MACs", "elementwise", "activations", "bytes moved")


@dataclass(frozen=True, slots=True)
class LayerFlops:
    """What one layer costs per example, over all its calls.

    Attributes:
        name: of the layer; after those of the models around it, joined by '/'.
        kind: its class.
        shapes: of each output of its first call, without the batch axis; empty where they are not known.
        calls: how often it is applied.
        parameters: numbers that it holds; None where that is not known without building it.
        work: its operations.
        activations: numbers that it gives.
        bytes_moved: read and written if nothing stays in a cache: inputs, outputs and parameters, of an embedding the
            rows that are asked for. Nothing for what only looks at its input in another shape.
    """

    name: str
    kind: str
    shapes: tuple[Shape, ...]
    calls: int
    parameters: int | None
    work: Work
    activations: int
    bytes_moved: int

    @property
    def macs(self) -> int:
        """Multiply-adds."""
        return self.work.macs

    @property
    def elementwise(self) -> int:
        """Other operations."""
        return self.work.elementwise


@dataclass(frozen=True, slots=True)
class Flops:
    """What a network costs per example; printed, it is a table.

    Attributes:
        name: of the network.
        inputs: shape of each input by its name, without the batch axis.
        layers: in order; those of nested models one by one.
        notes: what a reader should know.
    """

    name: str
    inputs: Mapping[str, Sizes]
    layers: tuple[LayerFlops, ...]
    notes: tuple[str, ...] = ()

    @property
    def macs(self) -> int:
        """Multiply-adds of all layers."""
        return sum(layer.macs for layer in self.layers)

    @property
    def flops(self) -> int:
        """Two for each multiply-add; nothing else."""
        return 2 * self.macs

    @property
    def elementwise(self) -> int:
        """Operations beside the multiply-adds."""
        return sum(layer.elementwise for layer in self.layers)

    @property
    def parameters(self) -> int:
        """Numbers that the network holds, as far as they are known."""
        return sum(layer.parameters or 0 for layer in self.layers)

    @property
    def activations(self) -> int:
        """Numbers that all layers give."""
        return sum(layer.activations for layer in self.layers)

    @property
    def bytes_moved(self) -> int:
        """Bytes that all layers read and write."""
        return sum(layer.bytes_moved for layer in self.layers)

    @property
    def uncounted(self) -> tuple[tuple[str, str], ...]:
        """(layer, what of it) that there is no rule for; the totals lack it."""
        return tuple((layer.name, ", ".join(layer.work.uncounted)) for layer in self.layers if layer.work.uncounted)

    @property
    def summary(self) -> str:
        """The totals in one line, and what they lack in a second."""
        least = "at least " if self.uncounted else ""
        line = (
            f"{least}{format_scaled(self.macs)}MAC ({format_scaled(self.flops)}FLOP), "
            f"{format_scaled(self.elementwise).rstrip()} elementwise operations, {self.parameters:,} parameters, "
            f"{format_scaled(self.activations).rstrip()} activations, {format_scaled(self.bytes_moved)}B moved"
        )
        lacking = ", ".join(f"{printable(name)} ({printable(what)})" for name, what in self.uncounted)
        return "\n".join([line, *([f"not counted: {lacking}"] if lacking else []), *self.notes])

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """A row of `COLUMNS` for each layer."""
        return tuple(map(_row, self.layers))

    def __str__(self) -> str:
        return format_parts(self.parts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html(self.parts)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The lines and the table in print."""
        inputs = ", ".join(format_shape(sizes) for sizes in self.inputs.values())
        return f"{printable(self.name)}, one example of {inputs}", (COLUMNS, self.rows(), COLUMNS[3:]), self.summary

    def to_json(self) -> Json:
        """As plain values, for `--json`."""
        return {
            "schema": 1,
            "name": self.name,
            "convention": "per example, inference; flops = 2 * macs; elementwise operations beside them",
            "inputs": {name: list(sizes) for name, sizes in self.inputs.items()},
            **{total: getattr(self, total) for total in _TOTALS},
            "uncounted": [{"layer": name, "what": what} for name, what in self.uncounted],
            "notes": list(self.notes),
            "layers": [
                {
                    "name": layer.name,
                    "class": layer.kind,
                    "output_shapes": [list(shape) for shape in layer.shapes],
                    "calls": layer.calls,
                    "parameters": layer.parameters,
                    "macs": layer.macs,
                    "flops": 2 * layer.macs,
                    "elementwise": layer.elementwise,
                    "activations": layer.activations,
                    "bytes_moved": layer.bytes_moved,
                    "uncounted": list(layer.work.uncounted),
                }
                for layer in self.layers
            ],
        }


_TOTALS = ("macs", "flops", "elementwise", "parameters", "activations", "bytes_moved")


def _row(layer: LayerFlops) -> tuple[str, ...]:
    shapes = ", ".join(map(format_shape, layer.shapes)) or "?"
    parameters = "?" if layer.parameters is None else f"{layer.parameters:,}"
    known = not layer.work.uncounted
    macs, elementwise = (f"{each:,}" if known or each else "?" for each in (layer.macs, layer.elementwise))
    names = (printable(layer.name), printable(layer.kind))
    return (*names, shapes, parameters, macs, elementwise, f"{layer.activations:,}", f"{layer.bytes_moved:,}")
