"""Nothing runs because a file names it."""

import importlib
import json
import os

import keras
import numpy as np
import pytest

from transfer.errors import CheckpointError, LayerError
from transfer.graphs import keras_names
from transfer.graphs.parsing import parse_config
from transfer.models.allowing import check_config
from transfer.models.building import build_graph
from transfer.models.restoring import restore
from transfer.models.saving import save_weights
from transfer.weights.cards import Card

L = keras.layers


@keras.saving.register_keras_serializable("mine")
class Doubled(L.Layer):
    """A class of the caller's."""

    def call(self, x):
        """Twice."""
        return 2 * x


def config():
    inputs = keras.Input((4,), name="x")
    x = L.Dense(3, activation="relu", kernel_regularizer="l2", kernel_constraint="max_norm", name="hidden")(inputs)
    return json.loads(json.dumps(keras.saving.serialize_keras_object(keras.Model(inputs, L.Dense(2, name="out")(x)))))


def layer(values, name="hidden"):
    return next(each for each in values["config"]["layers"] if each["name"] == name)


def fault(values):
    """Where and what, of the one thing that is refused, whether checked or built."""
    for act in (check_config, lambda each: build_graph(parse_config(each))):
        with pytest.raises(LayerError) as caught:
            act(values)
    (problem,) = caught.value.problems
    assert "--into" in caught.value.next_step
    return problem.where, problem.found


def test_keras_own_layers_initializers_regularizers_and_constraints_are_built():
    check_config(config())
    assert build_graph(parse_config(config())).count_params() == 4 * 3 + 3 + 3 * 2 + 2


@pytest.mark.parametrize("name", ["Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"])
def test_layers_that_carry_code_are_refused_by_their_name(name):
    values = config()
    layer(values).update(class_name=name)
    assert fault(values) == ("hidden", name)


def test_a_lambda_is_refused_although_keras_would_build_it():
    inputs = keras.Input((4,), name="x")
    model = keras.Model(inputs, L.Lambda(lambda x: 2 * x, name="twice")(inputs))
    values = keras.saving.serialize_keras_object(model)
    with pytest.raises(LayerError) as caught:
        check_config(values)
    assert caught.value.problems[0].where == "twice"


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("builtins", "eval"),
        ("subprocess", "Popen"),
        ("keras.src.utils.file_utils", "get_file"),
        ("keras.utils", "get_file"),
        ("keras.saving", "load_model"),
        ("keras.layers", "os"),
        ("keras.layers", "deserialize"),
        ("keras.layers", "__class__"),
        ("keras.layers.core", "Dense"),
        ("mine", "Doubled"),
        (None, "Mine"),
        ("keras", "Model.from_config"),
    ],
)
def test_whatever_else_a_layer_names_is_refused(module, name):
    values = config()
    layer(values).update(module=module, class_name=name, registered_name=None)
    where, found = fault(values)
    assert where == "hidden"
    assert found.endswith(name)


@pytest.mark.parametrize("key", ["activation", "kernel_initializer", "kernel_regularizer", "bias_constraint", "extra"])
@pytest.mark.parametrize(
    "entry",
    [
        {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"},
        {"module": "builtins", "class_name": "function", "config": "eval", "registered_name": "function"},
        {"class_name": "__lambda__", "config": {"value": "4wAAAAA="}},
        {"module": "builtins", "class_name": "function", "config": "mine>run", "registered_name": "mine>run"},
        {"module": "keras.src.utils.file_utils", "class_name": "get_file", "config": {"origin": "http://localhost"}},
    ],
)
def test_a_function_in_place_of_an_option_is_refused_and_names_its_layer(key, entry):
    values = config()
    layer(values)["config"][key] = entry
    assert fault(values)[0] == "hidden"


def test_code_deep_inside_a_nested_model_is_found():
    inner = keras.Sequential([keras.Input((4,)), L.Dense(3, name="innermost")], name="inner")
    inputs = keras.Input((4,), name="x")
    values = json.loads(json.dumps(keras.saving.serialize_keras_object(keras.Model(inputs, inner(inputs)))))
    layer(values, "inner")["config"]["layers"][1].update(module="os", class_name="system")
    assert fault(values) == ("innermost", "os.system")


def test_code_in_a_calls_arguments_is_found():
    values = config()
    layer(values)["inbound_nodes"][0]["kwargs"]["mask"] = {"module": "os", "class_name": "system", "config": {}}
    with pytest.raises(LayerError):
        check_config(values)


def test_everything_that_is_wrong_is_told_at_once():
    values = config()
    layer(values, "hidden").update(class_name="Lambda")
    layer(values, "out").update(class_name="TFSMLayer")
    with pytest.raises(LayerError) as caught:
        check_config(values)
    assert [each.where for each in caught.value.problems] == ["hidden", "out"]


def test_a_class_name_that_is_no_text_is_refused():
    values = config()
    layer(values).update(class_name=["Dense"])
    with pytest.raises(LayerError):
        check_config(values)


@pytest.mark.parametrize("module", [None, "keras", "os"])
@pytest.mark.parametrize("name", ["get", "serialize", "deserialize"])
def test_a_function_beside_the_layers_is_no_layer(module, name):
    values = config()
    layer(values).update(module=module, class_name=name)
    assert fault(values)[0] == "hidden"


# Names, files and other ways in


@pytest.mark.parametrize("kind", ["os.system", "subprocess.getoutput", "eval", "load_model", "relu;ls"])
@pytest.mark.parametrize("key", ["activation", "kernel_initializer", "bias_regularizer", "kernel_constraint"])
def test_a_function_by_its_name_is_one_of_keras(key, kind):
    values = config()
    layer(values)["config"][key] = kind
    where, found = fault(values)
    assert where == "hidden"
    assert found == f"{key} {kind!r}"


@pytest.mark.parametrize("kind", ["StringLookup", "IntegerLookup", "TextVectorization"])
def test_a_vocabulary_that_names_a_file_is_refused(kind, tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    values = config()
    layer(values).update(class_name=kind, config={"name": "hidden", "vocabulary": str(tmp_path / "secret.txt")})
    where, found = fault(values)
    assert where == "hidden"
    assert found.startswith("vocabulary")
    layer(values)["config"]["vocabulary"] = ["a", "b"]
    check_config(values)


@pytest.mark.parametrize("registered", ["mine>Doubled", "Custom>Dense", "function"])
def test_a_class_of_keras_goes_by_no_other_registered_name(registered):
    # Keras would build what is registered there, although nobody gave it.
    values = config()
    layer(values).update(registered_name=registered)
    assert fault(values)[0] == "hidden"


def test_a_layer_that_is_called_on_no_tensor_is_refused():
    # Keras would run it at once: `Tile` of a number, a terabyte times.
    values = config()
    layer(values).update(module="keras.src.ops.numpy", class_name="Tile", registered_name="Tile")
    layer(values).update(config={"name": "hidden", "repeats": 10**12}, inbound_nodes=[{"args": [1.0], "kwargs": {}}])
    assert fault(values) == ("hidden", "Tile called on no tensor")


@pytest.mark.parametrize("name", ["Full", "Arange", "Linspace"])
def test_operations_that_make_arrays_out_of_nothing_are_refused(name):
    values = config()
    layer(values).update(module="keras.src.ops.numpy", class_name=name, config={"name": "hidden"})
    assert fault(values)[0] == "hidden"


def unknown(names, known):
    """Names that the installed Keras does not have; an older one lacks what a newer one brought."""
    missing = {name for name in names if not known(name)}
    return missing if keras.__version__ >= "3.15" else set()


@pytest.mark.parametrize("module", keras_names.OPERATIONS)
def test_every_operation_on_the_lists_is_one_of_keras(module):
    place = importlib.import_module(module)
    found = {name: getattr(place, name, None) for name in keras_names.OPERATIONS[module]}
    assert (
        unknown(found, lambda name: isinstance(found[name], type) and issubclass(found[name], keras.Operation)) == set()
    )


def test_every_layer_on_the_list_is_one_of_keras_and_carries_no_code():
    assert unknown(keras_names.LAYERS, lambda name: issubclass(getattr(L, name, int), L.Layer)) == set()
    assert not keras_names.LAYERS & {"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}


@pytest.mark.parametrize(
    ("names", "get"),
    [
        (keras_names.ACTIVATIONS, keras.activations.get),
        (keras_names.INITIALIZERS, keras.initializers.get),
        (keras_names.REGULARIZERS, keras.regularizers.get),
        (keras_names.CONSTRAINTS, keras.constraints.get),
    ],
)
def test_every_name_of_an_option_is_one_that_keras_knows(names, get):
    def known(name):
        try:
            return callable(get(name))
        except ValueError:
            return False
        except (TypeError, KeyError):  # a class that is not made without arguments
            return True

    assert unknown(names, known) == set()


# Operations on tensors, as Keras writes them


def test_operations_between_tensors_are_built():
    inputs = keras.Input((4,), name="x")
    model = keras.Model(inputs, keras.ops.relu(inputs * 2.0 + 1.0)[:, 1:])
    values = json.loads(json.dumps(keras.saving.serialize_keras_object(model)))
    x = np.array([[-1, 0, 1, 2]], "float32")
    np.testing.assert_array_equal(build_graph(parse_config(values))(x), [[1, 3, 5]])


@pytest.mark.parametrize("name", ["Map", "Scan", "WhileLoop", "Cond", "VectorizedMap", "CustomGradient", "ForiLoop"])
def test_operations_that_run_functions_of_the_file_find_none_to_run(name):
    values = config()
    layer(values).update(module="keras.src.ops.core", class_name=name, config={"name": "hidden"})
    with pytest.raises(LayerError):
        build_graph(parse_config(values))


# Classes of the caller's


def test_a_class_of_the_callers_is_refused_until_it_is_given(tmp_path):
    inputs = keras.Input((4,), name="x")
    model = keras.Model(inputs, L.Dense(2, name="out")(Doubled(name="doubled")(inputs)))
    save_weights(model, tmp_path / "a.h5", card=Card(name="mine"))
    with pytest.raises(LayerError) as caught:
        restore(tmp_path / "a.h5")
    (problem,) = caught.value.problems
    assert problem.where == "doubled"
    assert "Doubled" in problem.found
    assert "custom_objects" in caught.value.next_step
    restored = restore(tmp_path / "a.h5", custom_objects={"Doubled": Doubled})
    x = np.ones((1, 4), "float32")
    np.testing.assert_array_equal(restored.model(x), model(x))
    assert restored.receipt.fingerprint == "verified"


def test_no_class_goes_by_the_name_of_one_that_was_given():
    values = config()
    layer(values).update(module="os", class_name="system", registered_name="Doubled")
    with pytest.raises(LayerError):
        build_graph(parse_config(values), {"Doubled": Doubled})


def test_nothing_is_run_by_opening_restoring_or_refusing(tmp_path, monkeypatch):
    def run(*_):
        raise AssertionError("a file ran a command")

    monkeypatch.setattr(os, "system", run)
    values = config()
    layer(values)["config"]["activation"] = {"module": "os", "class_name": "function", "config": "system"}
    model = keras.Sequential([keras.Input((4,)), L.Dense(2)])
    model.save_weights(tmp_path / "a.weights.h5")
    (tmp_path / "a.card.json").write_text(Card(architecture=values).to_text())
    with pytest.raises((LayerError, CheckpointError)):
        restore(tmp_path / "a.weights.h5")
