"""LoRA: files that keep the two factors beside the kernel get the kernel that they amount to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.weights.dialects.configured import Configured
from transfer.weights.dialects.layout import Conversion, Stored

_KERNELS = ("kernel", "embeddings")


def merge_lora(tensors: Sequence[Stored], known: Mapping[str, Configured]) -> list[Stored]:
    """Replace `kernel`, `lora_kernel_a` and `lora_kernel_b` by `kernel + alpha / rank * a @ b`.

    Args:
        tensors: of a file.
        known: its layers as its config has them: they name alpha, which is the rank where nobody chose it.

    Source: Hu et al. (2022), section 4.1; Keras writes merged kernels into its own layout, and factors into this one.
    """
    by_name = {each.spec.name: each for each in tensors}
    merged, gone = dict(by_name), set[str]()
    for name, each in by_name.items():
        role = each.spec.role
        a, b = (by_name.get(f"{each.spec.layer}/lora_{role}_{part}") for part in "ab")
        if role not in _KERNELS or a is None or b is None:
            continue
        gone |= {a.spec.name, b.spec.name}
        spec = replace(each.spec, converted="LoRA merged")
        merged[name] = Stored(spec, (*each.places, *a.places, *b.places), _merging(_scale(each, a, known)))
    return [each for name, each in merged.items() if name not in gone]


def _scale(kernel: Stored, a: Stored, known: Mapping[str, Configured]) -> float:
    rank = a.spec.shape[-1]
    found = known.get(kernel.spec.owner)
    alpha = found.options.get("lora_alpha") if found else None
    return float(alpha) / rank if isinstance(alpha, int | float) and rank else 1.0


def _merging(scale: float) -> Conversion:
    def convert(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
        kernel, a, b = parts
        merged = kernel.astype(np.float64) + scale * (a.astype(np.float64) @ b.astype(np.float64))
        return merged.astype(kernel.dtype)

    return convert
