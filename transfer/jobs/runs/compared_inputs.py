"""Examples on which an exported network is held against the run it was made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from transfer.data.forms import as_examples
from transfer.data.inputs import Examples
from transfer.data.sampling import draw
from transfer.errors import DataError, LayerError
from transfer.jobs.examples.feeding import Feed
from transfer.results import Run

COMPARED = 16  # examples
MADE_UP = "made-up examples"
LENGTH = 16  # of made-up sequences whose length is open


def examples_for_comparing(
    run: Run, feed: Feed, model: keras.Model, inputs: Any
) -> tuple[dict[str, NDArray[Any]], str]:
    """Up to 16 examples, (b, …) by the names of the network's inputs, and what they are.

    Args:
        run: whose own examples serve where no others are given and these are still there; made-up ones otherwise.
        feed: of the run.
        model: that takes them.
        inputs: a set, a path, an array, arrays by name; None for none.

    Raises:
        DataError: if those that are given do not fit.
    """
    if inputs is not None:
        return _of(feed, model, as_examples(inputs))
    source = (run.asked.get("data") or {}).get("source", "")
    try:
        if source and Path(source).exists():
            return _of(feed, model, as_examples(source))
    except (DataError, LayerError, OSError):
        pass  # changed since: it is said that the examples are made up
    return _made_up(feed, model), MADE_UP


def _of(feed: Feed, model: keras.Model, examples: Examples) -> tuple[dict[str, NDArray[Any]], str]:
    return _loaded(feed, model, examples), f"the {len(examples)} examples of {examples.source}"


def _loaded(feed: Feed, model: keras.Model, examples: Examples) -> dict[str, NDArray[Any]]:
    rows = np.concatenate(list(feed.readable(draw(examples, COMPARED, seed=0), COMPARED)) or [np.zeros((0, 1))])
    if not len(rows):
        raise DataError(f"{examples.source} holds no example that can be used.")
    if not feed.inputs:
        return {model.inputs[0].name: rows}
    found, start = {}, 0
    for name, shape in feed.input_shapes(examples).items():
        width = int(np.prod(shape))
        found[name] = rows[:, start : start + width].reshape(len(rows), *shape)
        start += width
    return found


def _made_up(feed: Feed, model: keras.Model) -> dict[str, NDArray[Any]]:
    random, ids = np.random.default_rng(0), {each.name: each.ids for each in feed.inputs}
    found: dict[str, NDArray[Any]] = {}
    for each in model.inputs:
        shape = (COMPARED, *(LENGTH if size is None else size for size in each.shape[1:]))
        tokens = ids.get(each.name) if feed.inputs else feed.ids
        if feed.image is not None:
            found[each.name] = random.integers(0, 256, shape)
        else:
            found[each.name] = random.integers(0, tokens, shape) if tokens else random.normal(size=shape)
    return found
