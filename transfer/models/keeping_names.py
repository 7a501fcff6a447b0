"""Names that layers of the caller's own would lose when they are made anew.

Keras writes no name into the config of a class that is made with `**options` of any other name than `kwargs`, or with
no options; and a layer that a class makes inside without a name gets the next free one of the process.
"""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import keras
from numpy.typing import NDArray

from transfer.graphs.training_flags import holds_layers
from transfer.models.variables import describe_variables
from transfer.specs import Json, snake_case

Path: TypeAlias = tuple[str, ...]  # names of layers from the outer one inwards
_NUMBER = re.compile(r"_(\d+)$")


def note_names(entry: Json, model: Any) -> Json:
    """The config of a live model, with the names of its layers in their own configs too.

    Args:
        entry: `{"class_name": …, "config": …}` as Keras gives it.
        model: what it describes.
    """
    if not holds_layers(entry):
        return entry
    described = entry["config"]["layers"]
    if isinstance(model, keras.Sequential):  # it lists the input too, and names layers in their own configs alone
        live = [None] * (len(described) - len(model.layers)) + model.layers
    else:
        by_name = {each.name: each for each in model.layers}
        live = [by_name.get(each.get("name")) for each in described]
    inner = [_noted(each, layer) for each, layer in zip(described, live, strict=True)]
    return {**entry, "config": {**entry["config"], "layers": inner}}


def with_names(custom_objects: Mapping[str, Any] | None) -> dict[str, Any]:
    """The caller's classes as Keras shall make layers of them: each gets the name that its config gives."""
    given = custom_objects or {}
    return {key: _Named(each) if _is_layer_class(each) else each for key, each in given.items()}


def rename_inner(model: keras.Model, tensors: Mapping[str, NDArray[Any]], new: Collection[str] = ()) -> list[str]:
    """Give layers inside others the names that they have in the tensors, by their place.

    Only names that Keras made up are changed, and only where both sides have the same classes and shapes in the same
    order, and number them alike.

    Args:
        model: just built; changed in place.
        tensors: what it shall get, in the order in which layers of the same classes gave them.
        new: layers that need no tensors.

    Returns:
        The layers whose tensors cannot be told apart in this way.
    """
    specs = describe_variables(model)
    lacking = [each for each in specs.values() if each.name not in tensors and each.name.split("/", 1)[0] not in new]
    unsettled = []
    for owner in dict.fromkeys(each.owner for each in lacking if each.layer != each.owner):
        wanted = {_below(owner, name): spec.shape for name, spec in specs.items() if spec.owner == owner}
        stored = {_below(owner, name): tensors[name].shape for name in tensors if name.startswith(f"{owner}/")}
        is_alike = list(wanted.values()) == list(stored.values())
        names = _pair_layers(list(wanted), list(stored)) if is_alike else None
        renaming = None if names is None else list(_renaming(_layer_at(model, owner), (), names))
        if renaming is None or not all(_is_automatic(layer) for layer, _ in renaming):
            unsettled.append(owner)
            continue
        for layer, name in renaming:
            layer.name = name
    return unsettled


def takes(made: Any, option: str) -> bool:
    """Whether a class is made with an option of that name."""
    options = inspect.signature(made.__init__).parameters.values()
    return any(each.name == option or each.kind is each.VAR_KEYWORD for each in options)


@dataclass(frozen=True, slots=True)
class _Named:
    """A class of the caller's whose layers get the name in the config, whether they are made with it or not.

    Attributes:
        made: the class.
    """

    made: Any

    def from_config(self, config: dict[str, Json]) -> Any:
        """As the class itself, which may take neither a name nor a type.

        Raises:
            ValueError: if it makes layers of another type than the config says.
        """
        left = [each for each in ("name", "dtype") if each in config and not self._takes(each)]
        name = config.get("name")
        layer = self.made.from_config({key: each for key, each in config.items() if key not in left})
        if "dtype" in left and keras.dtype_policies.get(config["dtype"]) != layer.dtype_policy:
            raise ValueError(f"{self.made.__name__} takes no dtype, and makes layers of {layer.dtype_policy.name}")
        if isinstance(name, str):
            layer.name = name
        return layer

    def _takes(self, option: str) -> bool:
        is_own = self.made.from_config.__func__ is not keras.Layer.from_config.__func__  # it sees to options itself
        return is_own or takes(self.made, option)


def _noted(entry: Json, layer: Any) -> Json:
    if layer is None:
        return entry
    entry = note_names(entry, layer)
    return {**entry, "config": {"name": layer.name, **entry["config"]}}


def _is_layer_class(found: Any) -> bool:
    return inspect.isclass(found) and issubclass(found, keras.Layer)


# Layers inside others, by their place


def _pair_layers(wanted: Sequence[Path], stored: Sequence[Path]) -> dict[Path, str] | None:
    """The stored name of each inner layer, by its path; None where the two sides do not agree on what is what."""
    names: dict[Path, str] = {}
    for ours, theirs in zip(wanted, stored, strict=True):
        if len(ours) != len(theirs) or ours[-1] != theirs[-1]:
            return None
        for depth, name in enumerate(theirs[:-1], start=1):
            if names.setdefault(ours[:depth], name) != name:
                return None
    return names if _is_numbered_alike(names) else None


def _is_numbered_alike(names: Mapping[Path, str]) -> bool:
    """Whether layers of one class that stand side by side are counted in the same order on both sides."""
    counted: dict[tuple[Path, str], list[tuple[int, int]]] = defaultdict(list)
    for path, name in names.items():
        (stem, ours), (other, theirs) = _numbered(path[-1]), _numbered(name)
        if stem != other:
            return False
        counted[path[:-1], stem].append((ours, theirs))
    return all(one < other for pairs in counted.values() for (_, one), (_, other) in pairwise(sorted(pairs)))


def _numbered(name: str) -> tuple[str, int]:
    """`dense_2` → `("dense", 2)`; a name without a number is the first."""
    found = _NUMBER.search(name)
    return (name[: found.start()], int(found[1])) if found else (name, 0)


def _renaming(layer: Any, path: Path, names: Mapping[Path, str]) -> Iterator[tuple[Any, str]]:
    """(inner layer, its stored name) of those that have another now."""
    for inner in layer._layers:  # layers inside layers have no public walk
        place = (*path, inner.name)
        yield from _renaming(inner, place, names)
        if names.get(place, inner.name) != inner.name:
            yield inner, names[place]


def _is_automatic(layer: Any) -> bool:
    return _numbered(layer.name)[0] == snake_case(type(layer).__name__)


def _layer_at(model: Any, owner: str) -> Any:
    for name in owner.split("/"):
        model = model.get_layer(name)
    return model


def _below(owner: str, name: str) -> Path:
    return tuple(name.removeprefix(f"{owner}/").split("/"))
