"""Make `transfer/weights/applications.json`: the shapes of the tensors of every network of `keras.applications`.

    pip download --no-deps keras-applications==1.0.8
    python checkpoints/make_applications.py Keras_Applications-1.0.8-py3-none-any.whl

The wheel adds ResNeXt, which left Keras with version 3. Each network is built without weights, with and without its
top; widths other than 1 of the MobileNets too. How its images are prepared is found out by giving `preprocess_input`
pixels and comparing with each of `transfer.specs.PREPROCESSINGS`. InceptionV3 as Keras 1 had it is written out after
keras/applications/inception_v3.py of Keras 1.2.2.

The file holds each shape once, `3x3x3x64`, and for each network the places of its shapes in that list: `kernels` (two
axes or more) in the order of the layers, `vectors` as pairs of place and count. `top` holds the shapes of the top, -1
for the number of classes. What `Normalization` layers hold is left out: its number differs between versions.
"""

from __future__ import annotations

import collections
import functools
import importlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from transfer.specs import PREPROCESSINGS

TARGET = Path(__file__).parents[1] / "transfer" / "weights" / "applications.json"
CLASSES = 1000
WIDTHS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "MobileNet": [(f"width {alpha:g}", {"alpha": alpha}) for alpha in (0.25, 0.5, 0.75)],
    "MobileNetV2": [(f"width {alpha:g}", {"alpha": alpha}) for alpha in (0.35, 0.5, 0.75, 1.3, 1.4)],
    **{
        f"MobileNetV3{size}": [
            ("width 0.75", {"alpha": 0.75}),
            ("minimalistic", {"minimalistic": True}),
        ]
        for size in ("Small", "Large")
    },
}
Shape = tuple[int, ...]


def main(wheel: Path) -> None:
    """Build them all, and write the table."""
    known = [
        describe(name, *each) for name, build, module in applications(wheel) for each in variants(name, build, module)
    ]
    known.append(older_inception(next(each for each in known if each["name"] == "InceptionV3")))
    shapes = sorted({shape for each in known for shape in (*each["kernels"], *each["vectors"])})
    place = {shape: number for number, shape in enumerate(shapes)}
    table = {
        "keras": keras.__version__,
        "shapes": ["x".join(map(str, shape)) for shape in shapes],
        "known": [
            {
                **each,
                "kernels": [place[shape] for shape in each["kernels"]],
                "vectors": [number for shape, count in each["vectors"].items() for number in (place[shape], count)],
            }
            for each in known
        ],
    }
    lines = json.dumps(table, separators=(",", ":")).replace('{"name"', '\n{"name"').replace('"known"', '\n"known"')
    TARGET.write_text(lines + "\n")
    print(f"{TARGET.name}: {len(known)} networks, {len(shapes)} shapes, {TARGET.stat().st_size:,} bytes")


def applications(wheel: Path) -> Iterator[tuple[str, Callable[..., keras.Model], Any]]:
    """Name, builder, and the module with its `preprocess_input`."""
    for name, build in sorted(vars(keras.applications).items()):
        if callable(build) and name[0].isupper():
            yield name, build, sys.modules[build.__module__]
    sys.path.insert(0, str(wheel))
    resnext = importlib.import_module("keras_applications.resnext")
    common = importlib.import_module("keras_applications.resnet_common")
    # Names that Keras had for its parts then.
    parts = {"backend": keras.backend, "layers": keras.layers, "models": keras.models, "utils": keras.utils}
    keras.backend.image_data_format = keras.config.image_data_format
    keras.backend.int_shape = lambda tensor: tensor.shape
    for name in ("ResNeXt50", "ResNeXt101"):
        yield name, functools.partial(getattr(common, name), **parts), resnext


def variants(
    name: str, build: Callable[..., keras.Model], module: Any
) -> Iterator[tuple[Callable[..., keras.Model], Any, str, dict[str, Any]]]:
    """The network as it is by default, and its other widths."""
    for variant, options in [("", {}), *WIDTHS.get(name, [])]:
        yield build, module, variant, options


def describe(
    name: str, build: Callable[..., keras.Model], module: Any, variant: str, options: dict[str, Any]
) -> dict[str, Any]:
    """One row of the table, shapes as tuples."""
    whole = build(weights=None, include_top=True, **options)
    size = list(whole.input_shape[1:3])
    with_top = shapes_of(whole)
    keras.backend.clear_session()
    # Dense layers of a top depend on the size: the backbone is built for the same one.
    backbone = build(weights=None, include_top=False, input_shape=whole.input_shape[1:], **options)
    shapes = shapes_of(backbone)
    top = list((collections.Counter(with_top) - collections.Counter(shapes)).elements())
    if collections.Counter(shapes) - collections.Counter(with_top):
        raise SystemExit(f"{name} without its top is no part of the whole")
    row = {
        "name": name,
        "variant": variant,
        "preprocessing": preprocessing_of(module),
        "size": size,
        "features": backbone.output_shape[-1],
        "top": [[-1 if each == CLASSES else each for each in shape] for shape in top],
        "kernels": [shape for shape in shapes if len(shape) > 1],
        "vectors": dict(sorted(collections.Counter(shape for shape in shapes if len(shape) < 2).items())),
    }
    keras.backend.clear_session()
    print(name, variant, len(shapes), row["preprocessing"], size, row["top"], flush=True)
    return row


def shapes_of(model: keras.Model) -> list[Shape]:
    """Shapes of all weights in the order of the layers, without those of `Normalization`."""
    found: list[Shape] = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found += shapes_of(layer)
        elif not isinstance(layer, keras.layers.Normalization):
            found += [tuple(weight.shape) for weight in layer.weights]
    return found


def preprocessing_of(module: Any) -> str:
    """Name of the preprocessing that a module's `preprocess_input` does."""
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 4, 5, 3)).astype("float32")
    keywords = {"backend": keras.backend} if "keras_applications" in module.__name__ else {}
    prepared = module.preprocess_input(pixels.copy(), data_format="channels_last", **keywords)
    for name, each in PREPROCESSINGS.items():
        turned = pixels[..., ::-1] if each.color == "bgr" else pixels
        if np.allclose((turned * each.scale - each.mean) / each.std, prepared, atol=1e-4):
            return name
    raise SystemExit(f"{module.__name__} prepares images in a way that is not known")


def older_inception(today: dict[str, Any]) -> dict[str, Any]:
    """InceptionV3 of Keras 1: convolutions with biases, batch norm with scales, other numbers of channels."""
    kernels: list[Shape] = []

    def branch(channels: int, *steps: tuple[int, int, int]) -> int:
        """Convolutions one after the other, each (channels, rows, columns); gives the last number of channels."""
        for made, rows, columns in steps:
            kernels.append((rows, columns, channels, made))
            channels = made
        return channels

    x = branch(3, (32, 3, 3), (32, 3, 3), (64, 3, 3), (80, 1, 1), (192, 3, 3))
    for _ in range(3):
        double = ((64, 1, 1), (96, 3, 3), (96, 3, 3))
        x = branch(x, (64, 1, 1)) + branch(x, (48, 1, 1), (64, 5, 5)) + branch(x, *double) + branch(x, (32, 1, 1))
    x += branch(x, (384, 3, 3)) + branch(x, (64, 1, 1), (96, 3, 3), (96, 3, 3))
    for narrow, first in ((128, 128), (160, 160), (160, 160), (192, 160)):
        single = ((narrow, 1, 1), (narrow, 1, 7), (192, 7, 1))
        double = ((first, 1, 1), (narrow, 7, 1), (narrow, 1, 7), (narrow, 7, 1), (192, 1, 7))
        x = branch(x, (192, 1, 1)) + branch(x, *single) + branch(x, *double) + branch(x, (192, 1, 1))
    x += branch(x, (192, 1, 1), (320, 3, 3)) + branch(x, (192, 1, 1), (192, 1, 7), (192, 7, 1), (192, 3, 3))
    for _ in range(2):
        single = branch(x, (384, 1, 1))
        wide = branch(x, (320, 1, 1)) + branch(single, (384, 1, 3)) + branch(single, (384, 3, 1))
        double = branch(x, (448, 1, 1), (384, 3, 3))
        x = wide + branch(double, (384, 1, 3)) + branch(double, (384, 3, 1)) + branch(x, (192, 1, 1))
    vectors: collections.Counter[Shape] = collections.Counter()
    for kernel in kernels:
        vectors[kernel[-1:]] += 5  # bias, gamma, beta, mean, variance
    return {**today, "variant": "Keras 1", "kernels": kernels, "vectors": dict(sorted(vectors.items()))}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
