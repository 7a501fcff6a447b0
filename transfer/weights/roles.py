"""Names of a layer's variables by their place, for the layouts that number them.

Keras stores a layer's variables in the order in which it made them, and leaves out those that an option (`use_bias`,
`scale`, `center`) switched off. Only counts that leave no doubt are named; else the place itself is the role.
"""

from __future__ import annotations

_KERNEL_BIAS = {1: ("kernel",), 2: ("kernel", "bias")}
_SEPARABLE = {2: ("depthwise_kernel", "pointwise_kernel"), 3: ("depthwise_kernel", "pointwise_kernel", "bias")}
_RECURRENT = {2: ("kernel", "recurrent_kernel"), 3: ("kernel", "recurrent_kernel", "bias")}

ROLES: dict[str, dict[int, tuple[str, ...]]] = {
    **dict.fromkeys(("dense", "einsum_dense"), _KERNEL_BIAS),
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), _KERNEL_BIAS),
    **dict.fromkeys(("conv1d_transpose", "conv2d_transpose", "conv3d_transpose"), _KERNEL_BIAS),
    **dict.fromkeys(("depthwise_conv1d", "depthwise_conv2d"), _KERNEL_BIAS),
    **dict.fromkeys(("separable_conv1d", "separable_conv2d"), _SEPARABLE),
    **dict.fromkeys(("lstm_cell", "gru_cell", "simple_rnn_cell"), _RECURRENT),
    "batch_normalization": {4: ("gamma", "beta", "moving_mean", "moving_variance")},
    "layer_normalization": {2: ("gamma", "beta")},
    "group_normalization": {2: ("gamma", "beta")},
    "embedding": {1: ("embeddings",)},
    "normalization": {3: ("mean", "variance", "count")},
}


def role_names(layer_class: str, count: int) -> tuple[str, ...]:
    """The roles of a layer's `count` variables, in order; `('0', '1', …)` where class and count do not tell.

    Args:
        layer_class: in snake case.
        count: number of variables the layer holds itself.
    """
    return ROLES.get(layer_class, {}).get(count) or tuple(map(str, range(count)))
