"""The calls of a live model one after the other, with nothing kept that is not needed any more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import keras


def walk_calls(model: keras.Model, value: Any, call: Callable[..., Any]) -> None:
    """Make each call of a model in its order.

    Args:
        model: with one input.
        value: what goes in, as the model takes it.
        call: `(operation, *args, **kwargs)`, with values where the model has tensors; gives what comes out.
    """
    nodes = [
        node
        for depth in sorted(model._nodes_by_depth, reverse=True)  # Keras has no public walk over calls
        for node in model._nodes_by_depth[depth]
        if not node.is_input
    ]
    left = Counter(id(tensor) for node in nodes for tensor in node.input_tensors)
    (first,) = model._standardize_inputs(value)
    values = {id(model.inputs[0]): first}
    for node in nodes:
        args, kwargs = node.arguments.fill_in(values)
        found = call(node.operation, *args, **kwargs)
        values |= {id(tensor): each for tensor, each in zip(node.outputs, keras.tree.flatten(found), strict=True)}
        left.subtract(id(tensor) for tensor in node.input_tensors)
        for tensor in node.input_tensors:
            if not left[id(tensor)]:
                values.pop(id(tensor), None)
