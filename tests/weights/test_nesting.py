"""Which layer goes where when models stand within models on one side and not, or otherwise, on the other."""

from dataclasses import replace

import pytest

from transfer.specs import TensorSpec
from transfer.weights.matching import match


def layer(path, *, kernel=(4, 4), kind="dense", position=None, inner=""):
    """The specs of one layer: a kernel and a bias, in a layer that it made itself if `inner` names one."""
    place = f"{path}/{inner}" if inner else path
    shapes = {"kernel": kernel, "bias": kernel[-1:]}
    return [
        TensorSpec(f"{place}/{role}", shape, "float32", place, role, kind, position, path)
        for role, shape in shapes.items()
    ]


def specs(*layers):
    return {spec.name: spec for each in layers for spec in each}


def network(*names, prefix=""):
    """Layers of one shape in the writer's order, within a model if `prefix` names one."""
    return [layer(f"{prefix}{name}", position=place) for place, name in enumerate(names)]


def pairs(plan):
    return {
        pair.stored.removesuffix("/kernel"): pair.wanted.removesuffix("/kernel")
        for pair in plan.pairs
        if pair.wanted.endswith("/kernel")
    }


HEAD = {"kernel": (4, 9), "position": 7}


def test_a_flat_file_fills_the_backbone_within_a_model():
    file = specs(*network("stem", "trunk"))
    model = specs(*network("stem", "trunk", prefix="backbone/"), layer("head", **HEAD))
    plan = match(file, model)
    assert pairs(plan) == {"stem": "backbone/stem", "trunk": "backbone/trunk"}
    assert plan.missing == ("head/kernel", "head/bias")


def test_a_nested_file_fills_a_flat_model():
    file = specs(*network("stem", "trunk", prefix="backbone/"), layer("head", **HEAD))
    plan = match(file, specs(*network("stem", "trunk"), layer("head", **HEAD)))
    assert pairs(plan) == {"backbone/stem": "stem", "backbone/trunk": "trunk", "head": "head"}


def test_a_model_within_a_model_may_have_another_name():
    file = specs(*network("stem", "trunk", prefix="functional/"), layer("dense", **HEAD))
    model = specs(*network("stem", "trunk", prefix="backbone/"), layer("head", **HEAD))
    assert pairs(match(file, model)) == {
        "functional/stem": "backbone/stem",
        "functional/trunk": "backbone/trunk",
        "dense": "head",
    }


def test_two_models_of_one_make_are_told_apart_by_their_names():
    file = specs(*network("a", "b", prefix="left/"), *network("a", "b", prefix="right/"))
    model = specs(*network("a", "b", prefix="right/"), *network("a", "b", prefix="left/"))
    assert all(old == new for old, new in pairs(match(file, model)).items())


def listed(layers, *nesting):
    """The same layers, with what their file says of the models around them."""
    return [[replace(spec, nesting=nesting) for spec in each] for each in layers]


def test_two_models_of_one_make_without_their_names_go_by_the_writers_order():
    first, second = (network("a", "b", prefix=f"{name}/") for name in ("functional", "functional_1"))
    file = specs(*listed(second, ("functional", 1)), *listed(first, ("functional", 0)))
    model = specs(*network("x", "y", prefix="left/"), *network("x", "y", prefix="right/"))
    assert pairs(match(file, model)) == {
        "functional/a": "left/x",
        "functional/b": "left/y",
        "functional_1/a": "right/x",
        "functional_1/b": "right/y",
    }


def test_automatic_names_of_models_that_have_shifted_are_settled_by_order():
    first, second = (network("a", "b", prefix=f"{name}/") for name in ("functional", "functional_1"))
    file = specs(*listed(first, ("functional", 0)), *listed(second, ("functional", 1)))
    model = specs(*network("a", "b", prefix="functional_1/"), *network("a", "b", prefix="functional_2/"))
    found = pairs(match(file, model))
    assert found["functional/a"] == "functional_1/a"
    assert found["functional_1/a"] == "functional_2/a"


@pytest.mark.parametrize("nesting", [(), (("", None),)], ids=["nothing known", "attributes"])
def test_models_of_one_make_without_names_or_order_are_not_guessed(nesting):
    file = specs(*listed(network("a", prefix="encoder/"), *nesting), *listed(network("a", prefix="decoder/"), *nesting))
    plan = match(file, specs(*network("a", prefix="sequential/"), *network("a", prefix="sequential_1/")))
    assert pairs(plan) == {}
    assert {each.where for each in plan.ambiguous} == {"sequential/a", "sequential_1/a"}


def test_models_whose_names_say_otherwise_than_their_order_are_refused():
    first, second = (network("a", prefix=f"{name}/") for name in ("left", "right"))
    file = specs(*listed(first, ("functional", 0)), *listed(second, ("functional", 1)))
    plan = match(file, specs(*network("a", prefix="right/"), *network("a", prefix="left/")))
    assert pairs(plan) == {}
    assert len(plan.ambiguous) == 2


def test_layers_of_two_models_that_were_made_one_are_not_guessed():
    file = specs(*network("a", "b", prefix="left/"), *network("a", "b", prefix="right/"))
    plan = match(file, specs(*network("one", "two", "three", "four")))
    assert pairs(plan) == {}
    assert {each.where for each in plan.ambiguous} == {"one", "two", "three", "four"}


def test_a_wrapper_that_the_file_takes_for_a_model_is_one_layer():
    file = specs(
        [
            TensorSpec(f"outer/inner/{r}", s, "float32", "outer/inner", r)
            for r, s in (("kernel", (4, 4)), ("bias", (4,)))
        ]
    )
    model = specs(layer("outer", kind="time_distributed", position=0, inner="dense"))
    assert [(pair.stored, pair.wanted) for pair in match(file, model).pairs] == [
        ("outer/inner/kernel", "outer/dense/kernel"),
        ("outer/inner/bias", "outer/dense/bias"),
    ]


@pytest.mark.parametrize("inner", ["forward_lstm/lstm_cell", "forward_lstm_1", "forward/cell"])
def test_the_sides_of_a_bidirectional_layer_are_found_whatever_its_cells_are_called(inner):
    def both(forward, backward, position):
        return [
            TensorSpec(f"bi/{side}/{role}", shape, "float32", f"bi/{side}", role, "bidirectional", position, "bi")
            for side in (forward, backward)
            for role, shape in (("kernel", (3, 8)), ("recurrent_kernel", (2, 8)), ("bias", (8,)))
        ]

    # the other way round in the file: groups of HDF5 come in the order of their names
    file = specs(both(inner.replace("forward", "backward"), inner, 0))
    plan = match(file, specs(both("forward_lstm/lstm_cell", "backward_lstm/lstm_cell", 0)))
    assert len(plan.pairs) == 6
    for pair in plan.pairs:
        assert ("forward" in pair.stored) == ("forward" in pair.wanted)
        assert pair.stored.rpartition("/")[2] == pair.wanted.rpartition("/")[2]


def test_query_key_and_value_of_one_shape_go_by_their_names():
    def attention(order, kind="multi_head_attention"):
        return [
            TensorSpec(f"mha/{part}/{role}", (4, 2, 2), "float32", f"mha/{part}", role, kind, 0, "mha")
            for part in order
            for role in ("kernel",)
        ]

    plan = match(specs(attention(["key", "query", "value"])), specs(attention(["query", "key", "value"])))
    assert all(pair.stored == pair.wanted for pair in plan.pairs)
    assert len(plan.pairs) == 3


def test_automatic_names_numbered_from_another_start_with_another_count_are_not_guessed():
    file = specs(*network("dense_4", "dense_5", "dense_6"))
    plan = match(file, specs(*network("dense", "dense_1")))
    assert pairs(plan) == {}
    assert len(plan.ambiguous) == 2
    shared = match(file, specs(*network("dense_5", "dense_6")))
    assert pairs(shared) == {}, "dense_5 of a file that starts at 4 need not be the model's dense_5"


def test_automatic_names_numbered_from_the_same_start_tell():
    plan = match(specs(*network("dense", "dense_1", "dense_2")), specs(*network("dense", "dense_1")))
    assert pairs(plan) == {"dense": "dense", "dense_1": "dense_1"}
    assert plan.unexpected == ("dense_2/kernel", "dense_2/bias")


def test_a_variable_of_the_model_itself_has_no_layer():
    def loose(name):
        return [TensorSpec(name, (4,), "float32", "", name)]

    plan = match(specs(*network("a"), loose("scale")), specs(*network("a"), loose("scale")))
    assert [pair.wanted for pair in plan.pairs] == ["a/kernel", "a/bias", "scale"]


def test_a_quantized_kernel_is_divided_by_its_scale_where_a_float_one_is_wanted():
    file = specs(
        [
            TensorSpec("a/kernel", (4, 4), "int8", "a", "kernel", "dense", 0),
            TensorSpec("a/bias", (4,), "float32", "a", "bias", "dense", 0),
            TensorSpec("a/kernel_scale", (4,), "float32", "a", "kernel_scale", "dense", 0),
        ]
    )
    plan = match(file, specs(*network("a")))
    kernel = plan.pairs[0]
    assert (kernel.scale, kernel.converted) == ("a/kernel_scale", "divided by its scale, int8 → float32")
    assert (plan.misshapen, plan.surplus, plan.unexpected) == ((), (), ())


def test_a_role_that_both_sides_know_never_meets_another_one():
    def norm(*roles):
        return [TensorSpec(f"n/{role}", (4,), "float32", "n", role, "norm", 0) for role in roles]

    plan = match(specs(norm("gamma", "beta")), specs(norm("beta", "scale")))
    assert [(pair.stored, pair.wanted) for pair in plan.pairs] == [("n/beta", "n/beta")]
    assert plan.missing == ("n/scale",)
    assert [each.where for each in plan.surplus] == ["n/gamma"]
    renamed = match(specs(norm("alphas")), specs(norm("alpha")))
    assert [(pair.stored, pair.wanted) for pair in renamed.pairs] == [("n/alphas", "n/alpha")]


def inner_layers(*names):
    """A layer of its author's with layers of one shape in it, in the writer's order."""
    return [
        TensorSpec(f"att/{name}/kernel", (4, 4), "float32", f"att/{name}", "kernel", "attention", 0, "att")
        for name in names
    ]


def test_inner_layers_with_shifted_automatic_names_go_by_their_numbers():
    # attributes come in the order of their names, layers of the model in the order in which they were made
    plan = match(
        specs(inner_layers("dense_1", "dense", "dense_2")), specs(inner_layers("dense_3", "dense_4", "dense_5"))
    )
    assert {pair.stored.split("/")[1]: pair.wanted.split("/")[1] for pair in plan.pairs} == {
        "dense": "dense_3",
        "dense_1": "dense_4",
        "dense_2": "dense_5",
    }


def test_inner_layers_of_one_shape_that_nothing_tells_apart_are_not_guessed():
    plan = match(specs(inner_layers("key", "query", "value")), specs(inner_layers("dense", "dense_1", "dense_2")))
    assert plan.pairs == ()
    assert [each.where for each in plan.ambiguous] == ["att"]


def test_a_scale_is_no_shift():
    def norm(*roles):
        return [TensorSpec(f"bn/{r}", (4,), "float32", "bn", r, "batch_normalization", 0) for r in roles]

    plan = match(
        specs(norm("beta", "moving_mean", "moving_variance")), specs(norm("gamma", "moving_mean", "moving_variance"))
    )
    assert plan.missing == ("bn/gamma",)
    assert [each.where for each in plan.surplus] == ["bn/beta"]


def test_layers_of_one_name_and_shape_but_of_another_kind_do_not_fit():
    plan = match(specs(layer("up", kind="conv2d", position=0)), specs(layer("up", kind="conv2d_transpose", position=0)))
    assert plan.pairs == ()
    assert [(each.where, each.found) for each in plan.misshapen] == [
        ("up/kernel", "that of a conv2d in the file"),
        ("up/bias", "that of a conv2d in the file"),
    ]
