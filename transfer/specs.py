"""The values with which people say what they have and what they want. No array, no file, no Keras."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Literal, TypeAlias

Json = Any  # what json.loads may return
Progress = Callable[[str, int, int], None]  # (what is going on, how much is done, how much there is)


def silent(stage: str, done: int, total: int) -> None:
    """The `Progress` of a caller who does not watch."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A named array, described without being read.

    Attributes:
        name: `layer/role`, unique within its checkpoint or model; nested layers are joined by '/'.
        shape: as stored.
        dtype: numpy's name of the stored type.
        layer: everything before the role.
        role: what the array is to its layer (`kernel`, `moving_mean`), or its position there where that is unknown.
        layer_class: the owner's class in snake case, as Keras writes it into files; empty where unknown.
        position: place in the writer's order; None where that order says nothing.
        owner: the layer among those of its model; `layer` itself, unless that one stands inside a layer which made it
            (`bi_lstm` for `bi_lstm/forward_lstm/lstm_cell`). Before it stand the models that hold it.
        converted: what the reader does to the stored values; empty where they are as Keras 3 has them.
        nesting: for each model around the owner, outermost first, the class and number under which the writer listed
            it; `("", None)` where it did not number it. Empty where nothing is known.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    layer: str
    role: str
    layer_class: str = ""
    position: int | None = None
    owner: str = ""
    converted: str = ""
    nesting: tuple[tuple[str, int | None], ...] = ()

    def __post_init__(self) -> None:
        if not self.owner:
            object.__setattr__(self, "owner", self.layer)

    @property
    def parameters(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def size_bytes(self) -> int:
        """Bytes that the array takes when it is read."""
        return self.parameters * item_bytes(self.dtype)


@dataclass(frozen=True, slots=True)
class Writer:
    """Who wrote a file, as far as the file says it.

    Attributes:
        keras: version of Keras as the file names it, `2.2.4-tf`; `1` or `0` where only the layout tells; empty where
            unknown.
        backend: what Keras computed with, `tensorflow` or `theano`; empty where unknown.
    """

    keras: str = ""
    backend: str = ""

    def __str__(self) -> str:
        return self.keras

    @property
    def version(self) -> tuple[int, ...]:
        """`2.2.4-tf` → `(2, 2, 4)`; empty where unknown."""
        found = re.match(r"\d+(\.\d+)*", self.keras)
        return tuple(map(int, found.group().split("."))) if found else ()

    @property
    def is_tensorflow(self) -> bool:
        """Whether it is the Keras inside TensorFlow: its versions carried `-tf` up to 2.3."""
        return self.keras.endswith("-tf")


def item_bytes(dtype: str) -> int:
    """Bytes of one element of a numeric numpy type: 4 for 'float32', 1 for 'bool'."""
    bits = re.search(r"\d+$", dtype)
    return int(bits.group()) // 8 if bits else 1


def distinct_names(names: Sequence[str]) -> list[str]:
    """The same names, those that come again with the first `_1`, `_2`, … that no other has."""
    taken, distinct = set(names), list[str]()
    seen: set[str] = set()
    for name in names:
        free, count = name, 0
        while free in seen or (count and free in taken):
            count += 1
            free = f"{name}_{count}"
        seen.add(free)
        distinct.append(free)
    return distinct


def snake_case(class_name: str) -> str:
    """`GlobalAveragePooling2D` → `global_average_pooling2d`: how Keras names groups in files after classes."""
    words = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", class_name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()


Era: TypeAlias = Literal["refuse", "apply", "ignore"]
BACKENDS = ("tensorflow", "theano", "cntk", "jax", "torch")


@dataclass(frozen=True, slots=True)
class Restoring:
    """How a file is brought into an architecture.

    Attributes:
        rules: `old=new` regular expressions for names in the file and in the model.
        skip: names and patterns of the model to leave at their initial values.
        era: what to do where the writer's defaults would change results without changing shapes: `refuse` names the
            doubts and stops, `apply` rebuilds the architecture with that writer's defaults, `ignore` goes on.
        backend: that the file was written on, where it does not say it; None to go by the file.
        min_coverage: share of the model's parameters that must be filled.
        check: an `.npz` with inputs `x0`, … and outputs `y0`, … that the original gave; None for no such check.
    """

    rules: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    era: Era = "refuse"
    backend: str | None = None
    min_coverage: float = 1.0
    check: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.min_coverage <= 1:
            raise ValueError(f"min_coverage is a share in [0, 1], not {self.min_coverage}")
        if self.era not in ("refuse", "apply", "ignore"):
            raise ValueError(f"era is 'refuse', 'apply' or 'ignore', not {self.era!r}")
        if self.backend is not None and self.backend not in BACKENDS:
            raise ValueError(f"backend is one of {', '.join(BACKENDS)}, not {self.backend!r}")


@dataclass(frozen=True, slots=True)
class Head:
    """What is attached after the cut: a `Dense` that gives logits, with hidden ones before it where asked for.

    Attributes:
        name: the last layer's name; the others are called after it, `label_hidden_1`.
        classes: number of outputs.
        kind: how the logits are read later: `softmax`, one class of several; `sigmoid`, each for itself; `regression`,
            as they are.
        hidden: units of the hidden layers, first to last, each with ReLU.
        dropout: share of what goes into every `Dense` but the first hidden one that is dropped in training.
        pool: how features that still have positions, (n, h, w, d) or (n, steps, d), become (n, d); `concat`, the
            average and the maximum side by side, gives (n, 2 d).
    """

    name: str
    classes: int
    kind: Literal["softmax", "sigmoid", "regression"] = "softmax"
    hidden: tuple[int, ...] = ()
    dropout: float = 0.0
    pool: Literal["avg", "max", "concat"] = "avg"

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", tuple(self.hidden))
        if self.classes < 1:
            raise ValueError(f"head {self.name!r} has {self.classes} classes; expected at least 1")
        if not is_layer_name(self.name):
            raise ValueError(f"a head's name has letters of ASCII, digits, '_', '.' and '-': {self.name!r}")
        if self.kind not in ("softmax", "sigmoid", "regression"):
            raise ValueError(f"head {self.name!r}: kind is softmax, sigmoid or regression, not {self.kind!r}")
        if any(not isinstance(units, int) or units < 1 for units in self.hidden):
            raise ValueError(f"head {self.name!r}: hidden layers have at least 1 unit each, not {self.hidden}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"head {self.name!r}: dropout is a share in [0, 1), not {self.dropout}")
        if self.pool not in ("avg", "max", "concat"):
            raise ValueError(f"head {self.name!r}: pool is avg, max or concat, not {self.pool!r}")


def is_layer_name(name: str) -> bool:
    """Whether a layer may be called so in every way in which TensorFlow runs it: as scopes of a graph may be."""
    return re.fullmatch(r"[A-Za-z0-9.][A-Za-z0-9_.>-]*", name) is not None


BatchNormPolicy: TypeAlias = Literal["frozen", "adapt", "train"]


@dataclass(frozen=True, slots=True)
class Extraction:
    """What is taken from a network, and what is made of it, in the order in which it is done.

    Attributes:
        flatten: whether all nested models are opened; those that `at` leads into are in any case.
        drop_last: number of last layers to drop; an activation goes with the layer that it follows and is not counted.
        at: the layers to end at instead, `backbone/block5_pool` for one inside a nested model; `features` for where a
            classifier's features end. Several give features of several scales.
        channels: of the input, where it shall have others than the network was trained with; None to leave them.
        size: (h, w) of the input, likewise.
        heads: what is attached at the end.
        freeze: `backbone` for all that is kept, or names, paths and patterns of layers.
        freeze_up_to: a layer that is fixed with everything that it depends on.
        unfreeze_last: number of last blocks that are trained beside the heads; everything before them is fixed.
        batch_norm: what becomes of batch normalization where something is frozen or unfrozen: see `graphs.freezing`.
        seed: of everything that is drawn.
    """

    flatten: bool = False
    drop_last: int = 0
    at: tuple[str, ...] = ()
    channels: int | None = None
    size: tuple[int, int] | None = None
    heads: tuple[Head, ...] = ()
    freeze: tuple[str, ...] = ()
    freeze_up_to: str | None = None
    unfreeze_last: int | None = None
    batch_norm: BatchNormPolicy = "frozen"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, kind in (("at", str), ("freeze", str), ("heads", Head)):
            value = getattr(self, name)
            several = (value,) if isinstance(value, kind) else tuple(value or ())
            if not all(isinstance(each, kind) for each in several):
                raise ValueError(f"{name} takes {kind.__name__} values: {value!r}")
            object.__setattr__(self, name, several)
        if self.drop_last and self.at:
            raise ValueError("give drop_last or at, not both")
        if self.drop_last < 0:
            raise ValueError(f"drop_last counts layers to drop, not {self.drop_last}")
        for what, names in (("at", self.at), ("heads", [head.name for head in self.heads])):
            if len(set(names)) < len(names):
                raise ValueError(f"{what}: a name comes twice: {', '.join(names)}")
        if self.unfreeze_last is not None and (self.freeze or self.freeze_up_to):
            raise ValueError("unfreeze_last fixes everything before the last blocks: give no freeze beside it")
        if self.batch_norm not in ("frozen", "adapt", "train"):
            raise ValueError(f"batch_norm is 'frozen', 'adapt' or 'train', not {self.batch_norm!r}")


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How raw images, 0 to 255, become what a network was trained on: `(x * scale - mean) / std`.

    Attributes:
        size: (h, w) to which images are fitted, keeping their aspect ratio; None where the network takes any.
        color: order of the channels that the network expects.
        scale: factor on the raw values.
        mean: per channel, after scaling; one value serves all channels.
        std: per channel, after scaling.
        background: raw value behind transparent pixels and in the margins.
        frame: share of each side that is left to the background, at either end. Drawings that touch the border lose
            their outline there to the zero padding of convolutions.
    """

    size: tuple[int, int] | None = None
    color: Literal["rgb", "bgr", "grey"] = "rgb"
    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    background: int = 255
    frame: float = 0.0

    def frame_pixels(self, size: tuple[int, int]) -> tuple[int, int]:
        """Width of the frame above and below, and left and right, within an image of `size`."""
        return round(self.frame * size[0]), round(self.frame * size[1])

    @property
    def channels(self) -> int:
        """1 for grey, 3 for colours."""
        return 1 if self.color == "grey" else 3


# The modes of keras.applications.imagenet_utils.preprocess_input by their names there, and two plain ones.
PREPROCESSINGS: dict[str, Preprocessing] = {
    "raw": Preprocessing(),
    "unit": Preprocessing(scale=1 / 255),
    "tf": Preprocessing(scale=1 / 127.5, mean=(1.0,)),
    "torch": Preprocessing(scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    "caffe": Preprocessing(color="bgr", mean=(103.939, 116.779, 123.68)),
}
