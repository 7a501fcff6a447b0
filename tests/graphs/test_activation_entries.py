"""Names that entries of configs give activations, of Keras's own functions, of layers and of the caller's."""

import pytest

from transfer.graphs.activation_entries import activation_name, function_name
from transfer.graphs.hard_sigmoid import old_hard_sigmoid

FUNCTION = {"module": "builtins", "class_name": "function", "config": "tanh", "registered_name": "function"}
OWN = {"module": "lab", "class_name": "function", "config": "wave", "registered_name": "wave"}
LAYER = {"class_name": "LeakyReLU", "config": {"negative_slope": 0.1}}


@pytest.mark.parametrize(
    ("entry", "name", "function"),
    [
        ("relu", "relu", "relu"),
        (None, "linear", "linear"),
        (FUNCTION, "tanh", "tanh"),
        (OWN, "wave", ""),
        ("lab>wave", "lab>wave", ""),
        (LAYER, "leaky_re_lu", ""),
        ("Softmax", "softmax", "softmax"),
        (old_hard_sigmoid(), "hard_sigmoid", ""),
    ],
)
def test_names_of_activations(entry: object, name: str, function: str) -> None:
    assert activation_name(entry) == name
    assert function_name(entry) == function
