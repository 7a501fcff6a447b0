"""Naming a network of `keras.applications` by the shapes of its tensors; names, types and order do not matter.

The table beside this file is made by `checkpoints/make_applications.py`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal

from transfer.specs import PREPROCESSINGS, Preprocessing, TensorSpec

Shape = tuple[int, ...]
Top = Literal["none", "own", "new"]
_TABLE = Path(__file__).with_name("applications.json")
_OWN_CLASSES = 1000


@dataclass(frozen=True, slots=True)
class Known:
    """A network of `keras.applications`, recognised in a file.

    Attributes:
        names: each that has these shapes, with its width where that is not 1: `MobileNetV2 (width 0.5)`.
        top: what follows the features: nothing, the layers that Keras puts there, or one new dense layer.
        classes: outputs of the top; None without.
        is_part: whether it is a part of a larger network.
        preprocessing: what it was trained on, with the default size of its input; None where the names differ in that.
        preprocessing_name: its name in `PREPROCESSINGS`; empty for None. `raw` also for a network that prepares images
            itself.
    """

    names: tuple[str, ...]
    top: Top = "none"
    classes: int | None = None
    is_part: bool = False
    preprocessing: Preprocessing | None = None
    preprocessing_name: str = ""

    def __str__(self) -> str:
        tops = {
            "none": "without top",
            "own": f"with its top for {self.classes:,} classes" if self.classes else "with its top",
            "new": f"with a head of {self.classes} classes",
        }
        part = ", inside a larger network" if self.is_part else ""
        return f"{' or '.join(self.names)} {tops[self.top]}{part}, keras.applications"


@dataclass(frozen=True, slots=True)
class _Application:
    name: str
    preprocessing: str
    size: tuple[int, int]
    features: int
    top: tuple[Shape, ...]
    kernels: tuple[Shape, ...]
    shapes: Counter[Shape]

    @property
    def count(self) -> int:
        return self.shapes.total()


def application_names() -> tuple[str, ...]:
    """Names in `keras.applications` that are recognised, sorted."""
    return tuple(sorted({each.name.partition(" (")[0] for each in _applications()}))


def identify(specs: Mapping[str, TensorSpec]) -> Known | None:
    """The network of `keras.applications` that a file holds, whole or as a part; None where it holds none.

    A nested model must be one exactly. Without nesting, what else there is must follow the features of the network.

    Args:
        specs: of a checkpoint or a model.
    """
    tensors = [spec for spec in specs.values() if not _is_normalization(spec)]
    shapes = Counter(spec.shape for spec in tensors)
    found: list[tuple[int, Known]] = []
    for application, group in _nested(tensors, shapes):
        found.append((application.count, _known(application, *_around(application, shapes, group))))
    for application in _contained(shapes):
        told = _flat(application, [spec.shape for spec in tensors], shapes)
        if told is not None:
            found.append((application.count, _known(application, *told)))
    largest = max((count for count, _ in found), default=0)
    best = [known for count, known in found if count == largest]
    return _merged(best) if best else None


def _is_normalization(spec: TensorSpec) -> bool:
    """Of a layer that standardizes images: its tensors come and go between versions."""
    return spec.layer_class == "normalization" or spec.role in ("mean", "variance", "count")


def _known(application: _Application, top: Top, classes: int | None, is_part: bool) -> Known:
    preprocessing = replace(PREPROCESSINGS[application.preprocessing], size=application.size)
    return Known((application.name,), top, classes, is_part, preprocessing, application.preprocessing)


def _merged(best: Sequence[Known]) -> Known:
    """One answer of those that fit equally well."""
    first = min(best, key=lambda known: known.is_part)
    same = [
        each for each in best if (each.top, each.classes, each.is_part) == (first.top, first.classes, first.is_part)
    ]
    names = tuple(dict.fromkeys(name for each in same for name in each.names))
    agree = all(each.preprocessing == first.preprocessing for each in same)
    return replace(
        first,
        names=names,
        preprocessing=first.preprocessing if agree else None,
        preprocessing_name=first.preprocessing_name if agree else "",
    )


def _nested(tensors: Sequence[TensorSpec], shapes: Counter[Shape]) -> Iterable[tuple[_Application, Counter[Shape]]]:
    """Nested models that are a network of the table, with or without its top."""
    groups: dict[str, list[Shape]] = {}
    for spec in tensors:
        parts = spec.layer.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            groups.setdefault("/".join(parts[:depth]), []).append(spec.shape)
    for group in groups.values():
        counts = Counter(group)
        if counts == shapes:
            continue  # the whole file: told as such
        for application in _contained(counts):
            if _own_top(application, counts - application.shapes) is not None:
                yield application, counts


def _around(application: _Application, shapes: Counter[Shape], group: Counter[Shape]) -> tuple[Top, int | None, bool]:
    """What a nested model's top is, and whether there is more than a head."""
    inside = _own_top(application, group - application.shapes)
    outside = shapes - group
    if inside and inside[0] == "none":
        head = _head(application, outside)
        return ("new", head, False) if head is not None else ("none", None, True)
    return (*(inside or ("none", None)), True)


def _flat(
    application: _Application, order: Sequence[Shape], shapes: Counter[Shape]
) -> tuple[Top, int | None, bool] | None:
    """What the top is of a network whose layers stand among the others; None where it only looks like one."""
    rest = shapes - application.shapes
    own = _own_top(application, rest)
    if own is not None:
        return (*own, False)
    head = _head(application, rest)
    if head is not None:
        return "new", head, False
    if _follows(application, rest) or _comes_first(application, order):
        return "none", None, True
    return None


def _own_top(application: _Application, rest: Counter[Shape]) -> tuple[Top, int | None] | None:
    """The top as Keras makes it, for any number of classes."""
    if not rest:
        return "none", None
    classes = {shape[-1] for shape in rest}
    for count in classes:
        if rest == Counter(tuple(count if size < 0 else size for size in shape) for shape in application.top):
            is_new = len(application.top) == 2 and count != _OWN_CLASSES
            return "new" if is_new else "own", count
    return None


def _head(application: _Application, rest: Counter[Shape]) -> int | None:
    """Number of classes of one dense layer on the features; None for anything else."""
    kernels = [shape for shape in rest.elements() if len(shape) == 2]
    if len(kernels) != 1 or kernels[0][0] != application.features:
        return None
    classes = kernels[0][1]
    return classes if rest - Counter([kernels[0], (classes,)]) == Counter() else None


def _follows(application: _Application, rest: Counter[Shape]) -> bool:
    """Whether all else are dense or recurrent layers and norms that lead on from the features."""
    kernels = [shape for shape in rest.elements() if len(shape) == 2 and shape[0] > 2]
    vectors = [shape for shape in rest.elements() if len(shape) == 1]
    if not kernels or any(len(shape) not in (1, 2) for shape in rest) or len(vectors) > 5 * len(kernels) + 4:
        return False
    reached = {application.features}
    waiting = sorted(kernels, reverse=True)
    while waiting:
        ready = [kernel for kernel in waiting if kernel[0] >= application.features or kernel[0] in reached]
        if not ready:
            return False
        for rows, columns in ready:
            reached |= {rows, columns, *(columns // gates for gates in (3, 4) if columns % gates == 0)}
            waiting.remove((rows, columns))
    return all(shape[0] in reached for shape in vectors)


def _comes_first(application: _Application, order: Sequence[Shape]) -> bool:
    """Whether the file begins with exactly this network, kernels in its order, and the next one takes its features."""
    places = [place for place, shape in enumerate(order) if len(shape) > 1]
    count = len(application.kernels)
    if len(places) <= count or tuple(order[place] for place in places[:count]) != application.kernels:
        return False
    following = order[places[count]]
    takes = application.features in following[-2:] or (len(following) == 2 and not following[0] % application.features)
    return takes and Counter(order[: places[count]]) == application.shapes


def _contained(shapes: Counter[Shape]) -> list[_Application]:
    """Networks of which every tensor has a place among these shapes."""
    total = shapes.total()
    return [
        each
        for each in _applications()
        if each.count <= total and all(shapes.get(shape, 0) >= count for shape, count in each.shapes.items())
    ]


@cache
def _applications() -> tuple[_Application, ...]:
    table = json.loads(_TABLE.read_text())
    shapes = [tuple(map(int, text.split("x"))) for text in table["shapes"]]
    return tuple(
        _Application(
            name=f"{row['name']} ({row['variant']})" if row["variant"] else row["name"],
            preprocessing=row["preprocessing"],
            size=tuple(row["size"]),
            features=row["features"],
            top=tuple(map(tuple, row["top"])),
            kernels=tuple(shapes[place] for place in row["kernels"]),
            shapes=Counter(shapes[place] for place in row["kernels"])
            + Counter(
                {shapes[place]: count for place, count in zip(row["vectors"][::2], row["vectors"][1::2], strict=True)}
            ),
        )
        for row in table["known"]
    )
