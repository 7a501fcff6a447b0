"""How many examples go through a model at a time, by what its layers give."""

from __future__ import annotations

from math import prod
from typing import Any

import keras

from transfer.models.walking_calls import walk_calls

MOST_BYTES = 2**28
_NUMBER = 4  # bytes, in single precision


def fitting_batch_size(model: keras.Model, example: tuple[int, ...], *, most: int) -> int:
    """As many examples as keep what all layers give within `MOST_BYTES`, and at least one.

    Gradients keep all of it; what is watched is a part.

    Args:
        model: with one input.
        example: shape of one example, which settles sizes that the model leaves open.
        most: examples.
    """
    return max(1, min(most, MOST_BYTES // (_NUMBER * max(1, count_values(model, example)))))


def count_values(model: keras.Model, example: tuple[int, ...]) -> int:
    """Numbers that all layers of a model give together for one example."""
    tensors = [tensor for nodes in model._nodes_by_depth.values() for node in nodes for tensor in node.outputs]
    if all(None not in tensor.shape[1:] for tensor in tensors):
        return sum(prod(tensor.shape[1:]) for tensor in tensors)
    counts = [prod(example)]

    def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
        found = operation.compute_output_spec(*args, **kwargs)
        counts.extend(prod(size or 1 for size in each.shape) for each in keras.tree.flatten(found))
        return found

    walk_calls(model, keras.KerasTensor((1, *example), model.inputs[0].dtype), call)
    return sum(counts)
