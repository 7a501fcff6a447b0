"""Operations of activations, for each value.

Convention: each addition, multiplication, division, comparison and elementary function counts as one.
"""

from __future__ import annotations

from transfer.analysis.work import Work
from transfer.graphs.activation_entries import activation_name
from transfer.specs import Json

OPERATIONS: dict[str, int] = {
    "linear": 0,
    "relu": 1,  # a comparison
    "relu6": 2,
    "leaky_relu": 2,
    "elu": 3,  # comparison, exp, subtraction
    "celu": 4,
    "selu": 5,
    "exponential": 1,
    "sigmoid": 4,  # 1 / (1 + exp(-x))
    "log_sigmoid": 4,
    "tanh": 1,
    "softplus": 3,  # log(1 + exp(x))
    "softsign": 3,  # x / (1 + |x|)
    "silu": 5,
    "gelu": 5,  # x * (1 + erf(x / sqrt 2)) / 2
    "mish": 5,
    "softmax": 5,  # maximum, subtraction, exp, sum, division
    "log_softmax": 6,
    "hard_sigmoid": 4,  # x / 6 + 1/2, held between 0 and 1
    "hard_silu": 5,
    "hard_tanh": 2,
    "hard_shrink": 3,
    "soft_shrink": 3,
    "tanh_shrink": 2,
    "threshold": 1,
    "squareplus": 5,  # (x + sqrt(x * x + b)) / 2
    "sparse_plus": 5,
    "sparse_sigmoid": 4,
}
_ALIASES = {
    **{"swish": "silu", "hard_swish": "hard_silu", "identity": "linear"},
    **{"re_lu": "relu", "leaky_re_lu": "leaky_relu", "p_re_lu": "leaky_relu"},  # layers that serve as activations
}


def activation_work(activation: Json, values: int) -> Work:
    """Work of an activation as a config names it, on so many values.

    Args:
        activation: a name, an entry with `class_name` or `config`, or None for none.
        values: on how many it works.
    """
    name = activation_name(activation)
    name = _ALIASES.get(name, name)
    if name not in OPERATIONS:
        return Work(uncounted=(f"activation {name!r}",))
    return Work(elementwise=OPERATIONS[name] * values)
