"""What the architecture inside a file says of its layers, as far as reading tensors needs it: class and options."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from transfer.specs import Json
from transfer.weights.dialects.layout import plain_name

MODELS = frozenset({"Model", "Functional", "Sequential"})
DEEPEST = 100  # models within models


@dataclass(frozen=True, slots=True)
class Configured:
    """A layer as a config describes it.

    Attributes:
        class_name: of the Keras that wrote it.
        options: what it was made with.
    """

    class_name: str
    options: Mapping[str, Json]


def configured_layers(text: str | None) -> dict[str, Configured]:
    """Every layer that a config names, by its path: `backbone/conv1`. Empty where the text tells nothing.

    A config that cannot be read is no error here: it is one when the architecture is asked for.
    """
    if text is None:
        return {}
    try:
        return dict(_walk(json.loads(text), "", 0))
    except (ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _walk(model: Json, prefix: str, depth: int) -> Iterator[tuple[str, Configured]]:
    inner = model.get("config") if isinstance(model, dict) else None
    layers = inner.get("layers") if isinstance(inner, dict) else inner  # Keras 1 and 2.0 wrote a bare list
    if not isinstance(layers, list) or depth > DEEPEST:
        return
    for layer in layers:
        if not isinstance(layer, dict) or not isinstance(layer.get("config"), dict | list):
            continue
        options = layer["config"] if isinstance(layer["config"], dict) else {}
        name = layer.get("name") or options.get("name")
        if not isinstance(name, str):
            continue
        path = f"{prefix}{plain_name(name)}"
        yield path, Configured(str(layer.get("class_name")), options)
        if layer.get("class_name") in MODELS:
            yield from _walk(layer, f"{path}/", depth + 1)
