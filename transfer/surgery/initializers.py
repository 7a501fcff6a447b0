"""The initialisers of Keras, drawn by numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.errors import LayerError, Problem
from transfer.specs import Json, snake_case

Values = NDArray[Any]
Shape = tuple[int, ...]
_TRUNCATED = 0.87962566103423978  # standard deviation of a standard normal between -2 and 2


def compute_fans(shape: Shape) -> tuple[int, int]:
    """Units that feed one unit of a kernel, and that it feeds; a convolution's are multiplied by its window.

    Source: keras/src/initializers/random_initializers.py, `compute_fans`.
    """
    if len(shape) < 2:
        return (shape[0], shape[0]) if shape else (1, 1)
    window = prod(shape[:-2])
    return shape[-2] * window, shape[-1] * window


def draw_initial(
    entry: Json, shape: Shape, generator: np.random.Generator, *, where: str, fans: tuple[int, int] | None = None
) -> Values:
    """Values as an initialiser of Keras draws them, though not the same ones.

    Args:
        entry: its name, or its class and config.
        shape: of the result.
        generator: what is drawn from.
        where: what the values are for, in the error.
        fans: units in and out; by default those of the shape.

    Raises:
        LayerError: if the initialiser is not known here.
    """
    if isinstance(entry, str):
        entry = {"class_name": entry, "config": {}}
    if not isinstance(entry, Mapping) or not isinstance(entry.get("class_name"), str):
        raise LayerError(
            f"{where!r} starts from something that is no initialiser.",
            [Problem(where, "a name, or class_name and config", str(entry)[:80])],
        )
    kind = snake_case(entry["class_name"].rpartition(">")[2]).removesuffix("_initializer")
    kind, config = _ALIASES.get(kind, kind), entry.get("config") or {}
    if kind in _SCALED:
        scale, mode, distribution = _SCALED[kind]
        config = {"scale": scale, "mode": mode, "distribution": distribution, **config}
        return _variance_scaling(config, shape, generator, fans or compute_fans(shape))
    if kind not in _RULES:
        raise LayerError(
            f"{where!r} starts from the initialiser {entry['class_name']!r}, which is not known here.",
            [Problem(where, "an initialiser of Keras", str(entry["class_name"]))],
            next_step="build the layer with an initialiser of Keras",
        )
    return _RULES[kind](config, shape, generator)


def _variance_scaling(config: Json, shape: Shape, generator: np.random.Generator, fans: tuple[int, int]) -> Values:
    """Variance `scale / n`, where n is the fan in, the fan out or their mean.

    Source: Glorot & Bengio (2010), section 4.2.1; He et al. (2015), section 2.2.
    """
    if config.get("input_axes") is not None and config.get("output_axes") is not None:
        fans = (prod(shape[axis] for axis in config["input_axes"]), prod(shape[axis] for axis in config["output_axes"]))
    count = {"fan_in": fans[0], "fan_out": fans[1], "fan_avg": sum(fans) / 2}[config["mode"]]
    variance = config["scale"] / max(1.0, count)
    if config["distribution"] == "uniform":
        limit = sqrt(3 * variance)
        return generator.uniform(-limit, limit, shape)
    if config["distribution"] == "untruncated_normal":
        return generator.normal(0, sqrt(variance), shape)
    return sqrt(variance) / _TRUNCATED * _truncated(shape, generator)


def _truncated(shape: Shape, generator: np.random.Generator) -> Values:
    """Standard normal; what lies more than two standard deviations out is drawn again."""
    drawn = generator.standard_normal(prod(shape))
    while (outside := np.flatnonzero(np.abs(drawn) > 2)).size:
        drawn[outside] = generator.standard_normal(outside.size)
    return drawn.reshape(shape)


def _orthogonal(config: Json, shape: Shape, generator: np.random.Generator) -> Values:
    """All axes but the last make the rows; orthonormal columns, or rows where there are fewer of them.

    Source: Saxe et al. (2014), section 3.
    """
    if len(shape) < 2:
        raise ValueError(f"an orthogonal matrix has at least two axes, not {len(shape)}")
    rows, columns = prod(shape[:-1]), shape[-1]
    q, r = np.linalg.qr(generator.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diag(r))  # without this they would not be uniformly distributed
    return float(config.get("gain", 1.0)) * (q if rows >= columns else q.T).reshape(shape)


def _identity(config: Json, shape: Shape, generator: np.random.Generator) -> Values:  # noqa: ARG001
    if len(shape) != 2:
        raise ValueError(f"an identity matrix has two axes, not {len(shape)}")
    return float(config.get("gain", 1.0)) * np.eye(*shape)


_ALIASES = {
    "zero": "zeros",
    "one": "ones",
    "uniform": "random_uniform",
    "normal": "random_normal",
}
_SCALED = {
    "variance_scaling": (1.0, "fan_in", "truncated_normal"),
    **{f"glorot_{shape}": (1.0, "fan_avg", shape) for shape in ("uniform", "normal")},
    **{f"he_{shape}": (2.0, "fan_in", shape) for shape in ("uniform", "normal")},
    **{f"lecun_{shape}": (1.0, "fan_in", shape) for shape in ("uniform", "normal")},
}
_RULES: dict[str, Callable[[Json, Shape, np.random.Generator], Values]] = {
    "zeros": lambda config, shape, generator: np.zeros(shape),  # noqa: ARG005
    "ones": lambda config, shape, generator: np.ones(shape),  # noqa: ARG005
    "constant": lambda config, shape, generator: np.full(shape, float(config.get("value", 0.0))),  # noqa: ARG005
    "random_uniform": lambda config, shape, generator: generator.uniform(
        config.get("minval", -0.05), config.get("maxval", 0.05), shape
    ),
    "random_normal": lambda config, shape, generator: generator.normal(
        config.get("mean", 0.0), config.get("stddev", 0.05), shape
    ),
    "truncated_normal": lambda config, shape, generator: (
        config.get("mean", 0.0) + config.get("stddev", 0.05) * _truncated(shape, generator)
    ),
    "orthogonal": _orthogonal,
    "identity": _identity,
}
