"""Which layers give the same output for the same input at every step of training."""

from __future__ import annotations

from transfer.graphs.graph import Layer
from transfer.graphs.layer_kinds import AUGMENTATIONS, DROPOUTS
from transfer.graphs.weightless import WEIGHTLESS
from transfer.graphs.wrapping import is_model, is_operation, read_inner

TRAINED = "trained"
RANDOM = "another output at each step of training"
ALTERED = "another output in training than elsewhere"
STATEFUL = "a state that passes from batch to batch"
UNKNOWN = "a class whose behaviour under training is not known here"

_HOLDING = ("layers", "cells", "layer", "backward_layer", "cell")  # options under which configs hold other layers
_FIXED_VARIABLES = frozenset({"Normalization"})  # their variables are never trained, whatever the flag says
_ALTERED = frozenset({"Equalization"})
_RANDOM = (AUGMENTATIONS - _ALTERED) | {"StochasticDepth"}


def why_not_fixed(layer: Layer, *, stilled: bool = False) -> str:
    """What makes a layer's output change under training: one of the reasons above; empty where nothing does.

    A batch normalization that is frozen runs on its stored statistics, so it is fixed. Models and wrappers are fixed
    where all inside them is. That a call says `training=False` changes nothing: Keras 3 writes it into every config,
    and a model that is called for training overrules it.

    Args:
        layer: with its flags.
        stilled: take dropout and noise for switched off where they are frozen; Keras looks at `training` alone.
    """
    if _is_trained(layer):
        return TRAINED
    inside = _all_inside(layer)
    if any(each.config.get("stateful") for each in inside):
        return STATEFUL
    if any(_is_random(each) and not (stilled and _is_stilled(each)) for each in inside):
        return RANDOM
    if any(each.class_name in _ALTERED and not is_operation(each) for each in inside):
        return ALTERED
    return UNKNOWN if any(each.module.split(".")[0] != "keras" for each in inside) else ""


def held_layers(layer: Layer) -> tuple[Layer, ...]:
    """The layers that a model, a wrapper or a recurrent layer holds in its config."""
    held = [layer.config[key] for key in _HOLDING if layer.config.get(key)]
    entries = [entry for each in held for entry in (each if isinstance(each, list) else [each])]
    return tuple(read_inner(entry) for entry in entries if isinstance(entry, dict) and "class_name" in entry)


def _all_inside(layer: Layer) -> list[Layer]:
    return [layer, *(inner for each in held_layers(layer) for inner in _all_inside(each))]


def _is_trained(layer: Layer, *, wrapped: bool = False) -> bool:
    if is_operation(layer) or layer.class_name in WEIGHTLESS | _FIXED_VARIABLES:
        return False
    flag = layer.config.get("trainable")
    if is_model(layer):
        # A nested model's own flag is left out when it is built; that of a model in a wrapper reaches all inside.
        return bool(wrapped and flag) or any(_is_trained(each) for each in held_layers(layer))
    if flag is False:
        return False
    held = held_layers(layer)
    return any(_is_trained(each, wrapped=True) for each in held) if held else True


def _is_stilled(layer: Layer) -> bool:
    return layer.class_name in DROPOUTS | {"GaussianNoise"} and layer.config.get("trainable") is False


def _is_random(layer: Layer) -> bool:
    kind, config = layer.class_name, layer.config
    if is_operation(layer):
        return False
    if kind in DROPOUTS:
        return bool(config.get("rate", 1))
    if kind == "GaussianNoise":
        return bool(config.get("stddev", 1))
    # Spectral normalization changes its kernel whenever it is called for training, frozen or not.
    if kind in _RANDOM or kind == "SpectralNormalization" or kind.startswith("Random"):
        return True
    return bool(config.get("dropout") or config.get("recurrent_dropout"))
