"""An architecture as data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from transfer.errors import LayerError, nearest
from transfer.graphs.keras_names import MODELS
from transfer.specs import Json

TENSOR = "__keras_tensor__"


@dataclass(frozen=True, slots=True)
class Ref:
    """One output of one call of a layer.

    Attributes:
        layer: the layer's name.
        node: which of its calls; above 0 only for a layer that is shared.
        tensor: which output of that call.
    """

    layer: str
    node: int = 0
    tensor: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a layer.

    Attributes:
        args: positional arguments as JSON values, with a `Ref` for each tensor.
        kwargs: named arguments likewise.
    """

    args: Json
    kwargs: Json

    @property
    def sources(self) -> tuple[Ref, ...]:
        """The tensors that go in, in order."""
        return tuple(_refs([self.args, self.kwargs]))

    @property
    def values(self) -> tuple[Ref, ...]:
        """The tensors that the layer makes something of, in order: the sources but for masks."""
        return tuple(_refs([self.args, {key: value for key, value in self.kwargs.items() if not is_mask(key)}]))

    def redirected(self, change: Callable[[Ref], Ref]) -> Call:
        """The call with other tensors."""
        return Call(_change(self.args, change), _change(self.kwargs, change))


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer, and where its inputs come from.

    Attributes:
        name: unique in its graph.
        class_name: of Keras, `Dense`.
        config: the arguments it is made with, as JSON values. Never changed in place.
        calls: each time it is applied; none for an input.
        module: where Keras has the class; empty for one that it has not.
        registered_name: of a custom class; None for Keras's own.
    """

    name: str
    class_name: str
    config: Mapping[str, Json]
    calls: tuple[Call, ...] = ()
    module: str = "keras.layers"
    registered_name: str | None = None

    def with_config(self, **changes: Json) -> Layer:
        """The layer made with other arguments."""
        return replace(self, config={**self.config, **changes})


@dataclass(frozen=True, slots=True)
class Graph:
    """Layers in an order in which each comes after its inputs.

    Attributes:
        name: the model's.
        layers: nested models are one layer each.
        inputs: of the model, in order.
        outputs: of the model, in order.
        input_keys: names under which a model with a dictionary of inputs takes them; None otherwise.
        output_keys: likewise for outputs.
    """

    name: str
    layers: tuple[Layer, ...]
    inputs: tuple[Ref, ...]
    outputs: tuple[Ref, ...]
    input_keys: tuple[str, ...] | None = None
    output_keys: tuple[str, ...] | None = None

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    @property
    def names(self) -> tuple[str, ...]:
        """Of all layers, in order."""
        return tuple(layer.name for layer in self.layers)

    def layer(self, name: str) -> Layer:
        """The layer of that name.

        Raises:
            LayerError: if there is none; the nearest three are offered. Of a layer inside a nested model it says that
                the model has to be opened first.
        """
        for layer in self.layers:
            if layer.name == name:
                return layer
        model, slash, _ = name.partition("/")
        if slash and any(each.name == model and each.class_name in MODELS for each in self):
            raise LayerError(
                f"{name!r} stands inside the nested model {model!r}, which is one layer of {self.name!r}.",
                next_step=f"open the nested model {model!r} first: transfer.extract(model, flatten=True), "
                f"or flatten(graph, [{name.rpartition('/')[0]!r}])",
            )
        raise LayerError(f"{self.name!r} has no layer {name!r}.", next_step=f"nearest: {nearest(name, self.names)}")


def is_mask(argument: str) -> bool:
    """Whether an argument of a layer's call says which steps count: no tensor that the layer makes something of."""
    return argument == "mask" or argument.endswith("_mask")


def _refs(values: Json) -> Iterator[Ref]:
    if isinstance(values, Ref):
        yield values
    elif isinstance(values, dict):
        for value in values.values():
            yield from _refs(value)
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _refs(value)


def _change(values: Json, change: Callable[[Ref], Ref]) -> Json:
    if isinstance(values, Ref):
        return change(values)
    if isinstance(values, dict):
        return {key: _change(value, change) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [_change(value, change) for value in values]
    return values
