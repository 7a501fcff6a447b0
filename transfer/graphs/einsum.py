"""Shapes of an `EinsumDense`: kernel, bias and output from its equation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from transfer.graphs.wrapping import Shape
from transfer.specs import Json

_FORM = re.compile(r"(0?)([a-zA-Z]+)(0?),([a-zA-Z]+)->(0?)([a-zA-Z]+)(0?)")


@dataclass(frozen=True, slots=True)
class EinsumShapes:
    """What follows from an equation.

    Attributes:
        kernel: one size for each letter of the second operand.
        bias: from the first axis that it runs along to the last of the output, 1 where it does not; None without bias.
        output: without the batch axis.
        summed: sizes of the letters that the output lacks.
    """

    kernel: Shape
    bias: Shape | None
    output: Shape
    summed: Shape


def dense_shapes(config: Mapping[str, Json], shape: Shape) -> EinsumShapes:
    """Shapes from `equation`, `output_shape` and `bias_axes`.

    Args:
        config: of the layer.
        shape: what goes in, without the batch axis.

    Raises:
        ValueError: if the equation is not of the form `ab,bc->ac`, with `...` at one end of both sides or nowhere.
    """
    found = _FORM.fullmatch(str(config["equation"]).replace(" ", "").replace("...", "0"))
    if found is None or found[1] != found[5] or found[3] != found[7]:
        raise ValueError(f"not an equation of EinsumDense: {config['equation']!r}")
    source, weight, target = found[2], found[4], found[6]
    full: Shape = (None, *shape)
    elided = len(full) - len(source)  # axes that `...` stands for; on the left the batch is one of them
    wanted = config["output_shape"]
    given = (wanted,) if isinstance(wanted, int) else tuple(wanted)
    left = elided if found[1] else 0
    sizes_in = dict(zip(source, full[left:], strict=False))
    sizes_out = dict(zip(target, given if left else (full[0], *given), strict=False))
    sizes = {**sizes_in, **{letter: size for letter, size in sizes_out.items() if size is not None}}
    elided_sizes = (full[:left], ()) if found[1] else ((), full[len(source) :])
    output = (*elided_sizes[0], *(sizes[letter] for letter in target), *elided_sizes[1])
    bias = None
    if config.get("bias_axes"):
        first = min(map(target.index, config["bias_axes"]))
        bias = tuple(sizes[letter] if letter in config["bias_axes"] else 1 for letter in target[first:])
        bias += (1,) * len(elided_sizes[1])
    summed = tuple(sizes[letter] for letter in sizes if letter not in target)
    return EinsumShapes(tuple(sizes[letter] for letter in weight), bias, output[1:], summed)
