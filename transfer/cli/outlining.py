"""The tensors of a file as a tree: nested models with what they hold below them, in the model's order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from transfer.specs import snake_case

if TYPE_CHECKING:
    from transfer.specs import Json, TensorSpec

Row = tuple[str, str, str, str, str]
_INDENT = "  "


@dataclass(slots=True)
class _Model:
    """A model with what stands in it, in order: tensors and nested models."""

    tensors: list[TensorSpec] = field(default_factory=list)
    members: dict[str, _Model | list[TensorSpec]] = field(default_factory=dict)


def outline_rows(specs: Iterable[TensorSpec], *, by_layer: bool) -> list[tuple[Row, tuple[str, ...]]]:
    """Rows of a table, each with the names of the tensors that it is about.

    Args:
        specs: in the order in which layers shall come.
        by_layer: whether a layer is one row; else each of its tensors is.
    """
    root, listed = _Model(), list(specs)
    branching = _branching(listed)
    for spec in listed:
        owner = _inner(spec) if spec.owner in branching else spec.owner
        here = root
        for part in owner.split("/")[:-1]:
            inner = here.members.setdefault(f"{part}/", _Model())
            here = inner if isinstance(inner, _Model) else here
        here.tensors.append(spec)
        owned = here.members.setdefault(owner, [])
        if isinstance(owned, list):
            owned.append(spec)
    return _rows(root, "", by_layer=by_layer)


def _branching(specs: Iterable[TensorSpec]) -> set[str]:
    """Layers whose tensors stand in several layers inside: attention, both ways of a sequence, a model told as one."""
    inside: dict[str, set[str]] = {}
    for spec in specs:
        inside.setdefault(spec.owner, set()).add(_inner(spec))
    return {owner for owner, inner in inside.items() if len(inner) > 1 and owner not in inner}


def _inner(spec: TensorSpec) -> str:
    """The layer of the first level below a tensor's owner; the owner where there is none."""
    depth = len(spec.owner.split("/"))
    return "/".join(spec.layer.split("/")[: depth + 1])


def _rows(model: _Model, indent: str, *, by_layer: bool) -> list[tuple[Row, tuple[str, ...]]]:
    rows: list[tuple[Row, tuple[str, ...]]] = []
    for name, member in model.members.items():
        if isinstance(member, _Model):
            inside = _all(member)
            rows.append((_row(f"{indent}{name}", f"{len(inside)} tensors", "", inside), ()))
            rows += _rows(member, indent + _INDENT, by_layer=by_layer)
        elif by_layer:
            rows.append(_layer_row(name, member, indent))
        else:
            around = name.rpartition("/")[0]
            rows += [
                (_row(indent + _below(spec.name, around), _shape(spec, " x "), spec.dtype, [spec]), (spec.name,))
                for spec in member
            ]
    return rows


def _layer_row(owner: str, specs: Sequence[TensorSpec], indent: str) -> tuple[Row, tuple[str, ...]]:
    shapes = ", ".join(f"{_below(spec.name, owner)} {_shape(spec, 'x')}" for spec in specs)
    types = ", ".join(dict.fromkeys(spec.dtype for spec in specs))
    return _row(indent + owner.rpartition("/")[2], shapes, types, specs), tuple(spec.name for spec in specs)


def _row(name: str, shape: str, dtype: str, specs: Iterable[TensorSpec]) -> Row:
    held = list(specs)
    parameters, size_bytes = sum(spec.parameters for spec in held), sum(spec.size_bytes for spec in held)
    return name, shape, dtype, f"{parameters:,}", f"{size_bytes:,}"


def _shape(spec: TensorSpec, between: str) -> str:
    return between.join(map(str, spec.shape)) or "scalar"


def _below(name: str, owner: str) -> str:
    return name.removeprefix(f"{owner}/") if owner else name


def _all(model: _Model) -> list[TensorSpec]:
    inner = [spec for each in model.members.values() if isinstance(each, _Model) for spec in _all(each)]
    return [*model.tensors, *inner]


def in_model_order(specs: Sequence[TensorSpec], architecture: Json) -> list[TensorSpec]:
    """Tensors in the order of the layers in a config; as they are where it does not name each of their layers.

    Args:
        specs: in the file's order.
        architecture: the config of a model, of any Keras; None for none.
    """
    places = {spec.owner: _place(spec.owner.split("/"), architecture) for spec in specs}
    if None in places.values():
        return list(specs)
    return sorted(specs, key=lambda spec: places[spec.owner] or ())


def _place(path: Sequence[str], model: Json) -> tuple[int, ...] | None:
    """Where a layer stands, level by level; None where the config does not say."""
    layers = _layers(model)
    names = _numbered(layers)
    place = names.get(path[0])
    if place is None:
        return None
    below = _place(path[1:], layers[place]) if len(path) > 1 else ()
    return None if below is None else (place, *below)


def _layers(model: Json) -> Sequence[Json]:
    config = model.get("config") if isinstance(model, Mapping) else None
    found = config.get("layers") if isinstance(config, Mapping) else config
    return found if isinstance(found, list) else []


def _numbered(layers: Sequence[Json]) -> dict[str, int]:
    """Each layer's place by its name, and by what a file that names none calls it: `dense_1` for the second `Dense`."""
    names: dict[str, int] = {}
    automatic: dict[str, int] = {}
    counts: dict[str, int] = {}
    for place, layer in enumerate(layers):
        if not isinstance(layer, Mapping) or not isinstance(layer.get("class_name"), str):
            continue
        config = layer.get("config")
        name = layer.get("name") or (config.get("name") if isinstance(config, Mapping) else None)
        names[str(name)] = place
        kind = snake_case(layer["class_name"])
        number = counts.get(kind, 0)
        counts[kind] = number + 1
        automatic[f"{kind}_{number}" if number else kind] = place
    return {**automatic, **names}
