"""Legacy `.h5`: root attribute `layer_names`, each layer a group with `weight_names`. Keras 1, 2 and 3 wrote it.

In a full file the same stands under `model_weights`, with `model_config` at the root. Names of Keras 1 are read by
`keras1`; kernels of Theano are turned round; LoRA's factors are merged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, takewhile
from typing import Any

from numpy.typing import NDArray

from transfer.errors import Problem
from transfer.specs import TensorSpec, Writer, snake_case
from transfer.weights.blueprints import TOP_LEVEL
from transfer.weights.dialects import keras1
from transfer.weights.dialects.configured import MODELS, Configured, configured_layers
from transfer.weights.dialects.cudnn import read_cudnn
from transfer.weights.dialects.doubting import doubt_axes, doubt_backend
from transfer.weights.dialects.kernels import Axes, flip, is_kernel
from transfer.weights.dialects.layout import Layout, Stored, distinct, plain_name
from transfer.weights.dialects.lora import merge_lora
from transfer.weights.guarding import DamagedError, as_group, child, dataset, readable, subgroup
from transfer.weights.outline import Dataset, Group

GENERATORS = frozenset({"StateVar", "seed_generator_state"})  # states of random generators, under augmentation


def recognises(root: Group) -> bool:
    """Whether the file is of this dialect."""
    return _weights_group(root) is not None


def read(root: Group, declared: Writer) -> Layout:
    """List the tensors.

    Args:
        root: of the file.
        declared: what the caller says of its writer.

    Raises:
        DamagedError: if the file names a layer or tensor that it does not hold.
    """
    group = _weights_group(root)
    if group is None:
        raise ValueError("not a legacy file: no 'layer_names'")
    text = root.attrs.get("model_config")
    config = text if isinstance(text, str) else None
    known = configured_layers(config)
    listed = [_Listed(layer, place, _group_of(layer, group)) for place, layer in enumerate(_layers(group))]
    writer = Writer(
        declared.keras or _text("keras_version", group, root), declared.backend or _text("backend", group, root)
    )
    is_keras1 = writer.version < (2,) and _is_keras1(listed)
    found = [each for layer in listed for each in _tensors(layer, known, is_keras1=is_keras1)]
    weights = [each for each in found if each.spec.role not in GENERATORS]
    theano = writer.backend == "theano"
    open_axes = False
    if is_keras1:
        writer = Writer(writer.keras or "1", writer.backend)
        tensors, open_axes = keras1.read_tensors(weights, theano=theano, axes=_axes(known))
    else:
        merged = read_cudnn(merge_lora(weights, known))
        tensors = tuple(map(_turned, merged)) if theano else tuple(merged)
    kind = "Keras 1" if is_keras1 else "legacy"
    return Layout(
        dialect=f"full {kind} .h5" if group is not root else f"{kind} .h5 weights",
        tensors=distinct(tensors),
        extras=(*(each.places[0].path for each in found if each.spec.role in GENERATORS), *_optimizer(root)),
        config=config,
        writer=writer,
        doubts=(
            *(() if listed else (_unlisted(group, (), "none"),)),
            *doubt_backend(tensors, writer.backend),
            *doubt_axes(tensors, is_open=open_axes),
        ),
    )


@dataclass(frozen=True, slots=True)
class _Listed:
    """A layer that the file lists."""

    name: str
    position: int
    group: Group

    @property
    def weights(self) -> list[str]:
        found = _names(self.group, "weight_names")
        if found is None:
            where = self.group.path
            raise DamagedError("damaged", [Problem(where, "an attribute 'weight_names'", "none")])
        return found


def _weights_group(root: Group) -> Group | None:
    below = root.members.get("model_weights")
    for group in (root, below):
        if isinstance(group, Group) and ("layer_names" in group.attrs or "layer_names0" in group.attrs):
            return group
    return None


def _layers(group: Group) -> list[str]:
    layers = _names(group, "layer_names") or []
    twice = sorted({name for name in layers if layers.count(name) > 1}) if len(set(layers)) < len(layers) else []
    if twice:
        raise DamagedError("damaged", [_unlisted(group, layers, f"{', '.join(twice)} several times")])
    return [*layers, TOP_LEVEL] if TOP_LEVEL in group.members and TOP_LEVEL not in layers else layers


def _unlisted(group: Group, layers: Sequence[str], what: str) -> Problem:
    """What is wrong with the list of layers, and what it hides."""
    unlisted = [name for name in group.members if name not in layers and name != TOP_LEVEL]
    also = f"; the file also holds {', '.join(unlisted[:3])}" if unlisted else ""
    return Problem("layer_names", "the name of each layer once", what + also)


def _group_of(layer: str, group: Group) -> Group:
    if layer.split("/")[0] not in group.members:
        where = f"{group.path}/{layer}".lstrip("/")
        found = "no such group; was its writer interrupted?"
        raise DamagedError("damaged", [Problem(where, "a group for each layer of 'layer_names'", found)])
    return subgroup(group, layer)


def _is_keras1(layers: Sequence[_Listed]) -> bool:
    names = [name for layer in layers for name in layer.weights]
    return bool(names) and all(keras1.split_name(name) for name in names)


def _tensors(layer: _Listed, known: Mapping[str, Configured], *, is_keras1: bool) -> Iterator[Stored]:
    own = "" if layer.name == TOP_LEVEL else plain_name(layer.name)
    names = [(name, dataset(layer.group, name)) for name in layer.weights]
    scope = _scope(layer)
    for name, place in names:
        if is_keras1:
            (*inner, role), is_own = _keras1_path(name, own)
        else:
            (*inner, role), is_own = _path(readable(name), scope)
            is_own = is_own and not (inner and own in known and known[own].class_name in MODELS)
        owner = own if is_own or not inner else f"{own}/{plain_name(inner[0])}"
        path = "/".join([*([own] if own else []), *map(plain_name, inner)])
        yield Stored(
            TensorSpec(
                name=f"{path}/{role}".lstrip("/"),
                shape=place.shape,
                dtype=place.dtype,
                layer=path,
                role=role,
                layer_class=_class_of(owner, known) or (keras1.guessed_class(owner) if is_keras1 else ""),
                # A nested model's tensors stand in the order trainable first, which says nothing of its layers.
                position=layer.position if owner == own else None,
                owner=owner,
                # equal models within a model are told apart by the place of their groups
                nesting=(("", layer.position),) if owner != own else (),
            ),
            (place,),
        )


def _scope(layer: _Listed) -> re.Pattern[str]:
    """How the layer is called in its variables' paths. TensorFlow 1 numbered scopes that came again, `conv1_1`.

    Such a number stands in all of them: else `block_1` is a layer inside the model `block`.
    """
    own = re.escape(layer.name)
    exact, numbered = (re.compile(rf"(?:^|/){own}{number}(?=/)") for number in ("", r"_\d+"))
    found = [numbered.findall(readable(name)) for name in layer.weights]
    is_numbered = all(found) and len({each[-1] for each in found}) == 1
    return re.compile(rf"{exact.pattern}|{numbered.pattern}") if is_numbered else exact


def _path(name: str, scope: re.Pattern[str]) -> tuple[list[str], bool]:
    """The part of a variable's path that follows its layer, and whether the layer stands in it.

    `('model/conv1/kernel:0', scope of 'conv1')` → `(['kernel'], True)`. Outer scopes differ between eras and between a
    nested and a flat model, what follows the layer does not. A path without the layer is kept whole: in a nested
    model's group it starts with the inner layer's name.
    """
    name = name.split(":")[0]
    matches = list(scope.finditer(name))
    if matches:
        return name[matches[-1].end() + 1 :].split("/"), True
    parts = name.split("/")
    return parts, len(parts) == 1


def _keras1_path(name: str, own: str) -> tuple[list[str], bool]:
    """The same for Keras 1, whose names hold the innermost layer alone; a Bidirectional's are named for the side."""
    inner, role = keras1.split_name(name) or ("", name)
    inner = plain_name(inner)
    if inner == own or re.fullmatch(rf"{re.escape(own)}_\d+", inner):
        return [role], True
    return [inner, role], inner.startswith(("forward_", "backward_"))


def _class_of(owner: str, known: Mapping[str, Configured]) -> str:
    found = known.get(owner) or next(
        (each for path, each in known.items() if path.rpartition("/")[2] == owner.rpartition("/")[2]), None
    )
    return snake_case(_TODAY.get(found.class_name, found.class_name)) if found else ""


_TODAY = {
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "AtrousConvolution2D": "Conv2D",
    "Deconvolution2D": "Conv2DTranspose",
    "SeparableConvolution2D": "SeparableConv2D",
    "TimeDistributedDense": "Dense",
    "CuDNNLSTM": "LSTM",
    "CuDNNGRU": "GRU",
    "SyncBatchNormalization": "BatchNormalization",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
}


def _axes(known: Mapping[str, Configured]) -> Axes | None:
    """What a config of Keras 1 says of its kernels."""
    found = {each.options.get("dim_ordering") for each in known.values()} - {None, "default"}
    if len(found) != 1:
        return None
    return "th" if found == {"th"} else "tf"


def _turned(stored: Stored) -> Stored:
    spec = stored.spec
    if not is_kernel(spec.role, spec.shape, spec.layer_class):
        return stored
    return replace(stored, spec=replace(spec, converted="turned round as Theano has it"), convert=_flip_first)


def _flip_first(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return flip(parts[0])


def _optimizer(root: Group) -> list[str]:
    if "optimizer_weights" not in root.members:
        return []
    found = child(root, "optimizer_weights")
    return [each.path for each in as_group(found).walk() if isinstance(each, Dataset)]


def _names(group: Group, attribute: str) -> list[str] | None:
    """An attribute that lists names; past 64 KB Keras splits it into `layer_names0` and so on."""
    if attribute in group.attrs:
        return _texts(group.attrs[attribute])
    chunks = list(takewhile(lambda name: name in group.attrs, (f"{attribute}{k}" for k in count())))
    return [name for chunk in chunks for name in _texts(group.attrs[chunk])] if chunks else None


def _texts(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [readable(str(each)) for each in values]


def _text(attribute: str, *groups: Group) -> str:
    found = (group.attrs.get(attribute) for group in groups)
    return next((each for each in found if isinstance(each, str)), "")
