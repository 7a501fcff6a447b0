"""Names of a layer's variables by their place, for the layouts that number them.

Keras stores a layer's variables in the order in which it made them, and leaves out those that an option (`use_bias`,
`scale`, `center`) switched off. Only counts that leave no doubt are named; else the place itself is the role.
"""

from __future__ import annotations

from collections.abc import Sequence

_KERNEL_BIAS = {1: ("kernel",), 2: ("kernel", "bias")}
_SEPARABLE = {2: ("depthwise_kernel", "pointwise_kernel"), 3: ("depthwise_kernel", "pointwise_kernel", "bias")}
_RECURRENT = {2: ("kernel", "recurrent_kernel"), 3: ("kernel", "recurrent_kernel", "bias")}

# Attributes under which layers keep those that they make, as the layers themselves are called.
INNER_NAMES = {
    "query_dense": "query",
    "key_dense": "key",
    "value_dense": "value",
    "output_dense": "attention_output",
    "_query_dense": "query",
    "_key_dense": "key",
    "_value_dense": "value",
    "_output_dense": "attention_output",
    "forward_layer": "forward",
    "backward_layer": "backward",
}

ROLES: dict[str, dict[int, tuple[str, ...]]] = {
    **dict.fromkeys(("dense", "einsum_dense", "query", "key", "value", "attention_output"), _KERNEL_BIAS),
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), _KERNEL_BIAS),
    **dict.fromkeys(("conv1d_transpose", "conv2d_transpose", "conv3d_transpose"), _KERNEL_BIAS),
    **dict.fromkeys(("depthwise_conv1d", "depthwise_conv2d"), _KERNEL_BIAS),
    **dict.fromkeys(("separable_conv1d", "separable_conv2d"), _SEPARABLE),
    **dict.fromkeys(("cell", "lstm_cell", "gru_cell", "simple_rnn_cell"), _RECURRENT),
    "batch_normalization": {4: ("gamma", "beta", "moving_mean", "moving_variance")},
    "layer_normalization": {2: ("gamma", "beta")},
    "group_normalization": {2: ("gamma", "beta")},
    "embedding": {1: ("embeddings",)},
    "p_re_lu": {1: ("alpha",)},
    "normalization": {2: ("mean", "variance"), 3: ("mean", "variance", "count")},
}


def role_names(layer_class: str, dtypes: Sequence[str]) -> tuple[str, ...]:
    """The roles of a layer's variables, in order; `('0', '1', …)` where class and count do not tell.

    Args:
        layer_class: in snake case.
        dtypes: of the variables that the layer holds itself. A kernel of whole numbers is quantized: its scale comes
            last.
    """
    numbered = tuple(map(str, range(len(dtypes))))
    known = ROLES.get(layer_class, {})
    if dtypes and dtypes[0] in ("int8", "uint8"):
        roles = known.get(len(dtypes) - 1)
        return (*roles, f"{roles[0]}_scale") if roles else numbered
    return known.get(len(dtypes)) or numbered
