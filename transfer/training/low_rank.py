"""Products of two small matrices that are trained beside kernels that stay fixed, and merged into them in the end.

A kernel W (…, out) becomes W + A B with A (…, rank) drawn at random and B (rank, out) zero, so that training begins at
the network as it is. Dense, EinsumDense, convolutions and embeddings of Keras offer it, also inside other layers; their
biases are trained as before.

    adapted = adapt(model, stage.lora_rank, seed=recipe.seed, whole=[head])
    fit(model, …)
    adapted.merge()                         # the model has its old variables again

Source: Hu et al. (2022), section 4.1; the scale alpha / rank is 1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from transfer.errors import LayerError, Problem
from transfer.models.variables import name_variables
from transfer.weights.tensor_digests import digest_tensor

_KERNELS = {"_kernel": ("lora_kernel_a", "lora_kernel_b"), "_embeddings": ("lora_embeddings_a", "lora_embeddings_b")}


@dataclass(slots=True)
class Adapted:
    """A model with low-rank products beside some of its kernels.

    Attributes:
        names: of these kernels and embeddings, `layer/role`.
        frozen: names of the variables that were trainable and are not now, since their layers offer no such product.
    """

    names: tuple[str, ...]
    frozen: tuple[str, ...]
    _kernels: list[_Kernel] = field(repr=False)
    _flags: list[tuple[Any, bool]] = field(repr=False)

    def merge(self) -> None:
        """Put each product into its kernel: the model computes the same with its old variables and flags.

        Raises:
            LayerError: if a kernel that was fixed has changed.
        """
        moved = [each.name for each in self._kernels if digest_tensor(_value(each.kernel)) != each.digest]
        if moved:
            problems = [Problem(name, "the bits that it had before", "others") for name in moved]
            raise LayerError("A kernel that was fixed has changed under training.", problems, "report this")
        for each in self._kernels:
            each.merge()
        for owner, flag in self._flags:
            owner.trainable = flag
        self._kernels, self._flags = [], []


@dataclass(frozen=True, slots=True)
class _Kernel:
    """A kernel with a product beside it.

    Attributes:
        name: `layer/role`.
        layer: that holds it.
        kernel: the variable.
        digest: of its values.
        factors: the names of the layer's two others.
    """

    name: str
    layer: Any
    kernel: Any
    digest: str
    factors: tuple[str, str]

    def merge(self) -> None:
        first, second = (getattr(self.layer, name) for name in self.factors)
        product = np.matmul(_value(first).astype(np.float64), _value(second).astype(np.float64))
        kernel = _value(self.kernel)
        self.kernel.assign((kernel.astype(np.float64) + product).astype(kernel.dtype))
        second.assign(np.zeros(second.shape, np.float32))  # functions that were traced before add it still
        for name, each in zip(self.factors, (first, second), strict=True):
            self.layer._untrack_variable(each)
            setattr(self.layer, name, None)
        self.layer.lora_enabled, self.layer.lora_rank, self.layer.lora_alpha = False, None, None


def adapt(model: keras.Model, rank: int, *, seed: int, whole: Collection[str] = ()) -> Adapted:
    """Fix every kernel that would be trained, and put a product of this rank beside it where its layer offers that.

    Layers that offer none are frozen with all their variables, statistics of normalizations included.

    Args:
        model: of `build_model`, with its flags; changed in place.
        rank: of the products, at least 1.
        seed: of what is drawn, for each kernel by its name.
        whole: names of layers of the model that are trained as they are: a new head, say.

    Raises:
        LayerError: if no layer that would be trained offers it. The model is left as it is.
    """
    if rank < 1:
        raise ValueError(f"a rank is at least 1: {rank}")
    names = {id(each): name for name, each in name_variables(model).items()}
    reasons = [(layer, _why_not(layer)) for layer in _trained_layers(model, whole)]
    chosen = [layer for layer, why in reasons if not why]
    if not chosen:
        raise LayerError(
            f"No layer of {model.name!r} that would be trained offers low-rank products.",
            [Problem(layer.name, "a dense layer, a convolution or an embedding", why) for layer, why in reasons],
            "leave lora_rank out, or unfreeze layers that offer them",
        )
    before = [names[id(each)] for each in model.trainable_variables]
    flags = [flag for layer, why in reasons if why for flag in _freeze(layer)]
    kernels = [_enable(layer, rank, seed, names) for layer in chosen]
    flags += [(each.kernel, True) for each in kernels]
    after = {names.get(id(each)) for each in model.trainable_variables} | {each.name for each in kernels}
    frozen = tuple(name for name in before if name not in after)
    return Adapted(tuple(each.name for each in kernels), frozen, kernels, flags)


def _trained_layers(model: keras.Model, whole: Collection[str]) -> Iterator[Any]:
    """Layers, however deep, with variables of their own that training changes."""
    left_out = {id(each) for name in whole for each in model.get_layer(name)._flatten_layers()}
    for layer in model._flatten_layers(include_self=False):
        if id(layer) in left_out or not layer.trainable:
            continue
        if isinstance(layer, keras.layers.SpectralNormalization):
            left_out |= {id(each) for each in layer._flatten_layers(include_self=False)}
            yield layer
        elif isinstance(layer, keras.layers.BatchNormalization) or any(each.trainable for each in _own(layer)):
            yield layer


def _own(layer: Any) -> list[Any]:
    return [*layer._trainable_variables, *layer._non_trainable_variables]


def _why_not(layer: Any) -> str:
    """Why a layer gets no product; empty where it does."""
    kind = type(layer).__name__
    if not hasattr(layer, "enable_lora"):
        return f"{kind}: it offers none"
    if getattr(layer, "kernel_constraint", None) or getattr(layer, "embeddings_constraint", None):
        return f"{kind}: its kernel has a constraint"
    if layer.lora_enabled or getattr(layer, "quantization_mode", None):
        return f"{kind}: its kernel is in parts already"
    return ""


def _freeze(layer: Any) -> list[tuple[Any, bool]]:
    """Freeze a layer, or where others are inside it its own variables: what was frozen, with its flags before."""
    is_whole = not layer._layers or isinstance(layer, keras.layers.SpectralNormalization)
    owners = [*layer._flatten_layers(), *layer.weights] if is_whole else _own(layer)
    flags = [(each, each.trainable) for each in owners]
    for each in [layer] if is_whole else owners:
        each.trainable = False
    return flags


def _enable(layer: Any, rank: int, seed: int, names: Mapping[int, str]) -> _Kernel:
    attribute, factors = next(each for each in _KERNELS.items() if hasattr(layer, each[0]))
    kernel = getattr(layer, attribute)
    name = names[id(kernel)]
    digest = digest_tensor(_value(kernel))
    drawn = int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:4], "big") >> 1  # fits signed types
    layer.enable_lora(rank, a_initializer=keras.initializers.HeUniform(drawn))
    return _Kernel(name, layer, kernel, digest, factors)


def _value(variable: Any) -> NDArray[Any]:
    return np.asarray(keras.ops.convert_to_numpy(variable))
