"""Which stored tensor goes where: what is settled, by what evidence, and what is refused. No file, no Keras."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transfer.errors import MatchError
from transfer.specs import TensorSpec
from transfer.weights.matching import match


def layer(name, *, kernel=(4, 4), bias=True, kind="dense", position=None, dtype="float32"):
    """The specs of one layer: a kernel and, unless switched off, a bias."""
    shapes = {"kernel": kernel, **({"bias": kernel[-1:]} if bias else {})}
    return [TensorSpec(f"{name}/{role}", shape, dtype, name, role, kind, position) for role, shape in shapes.items()]


def specs(*layers):
    return {spec.name: spec for each in layers for spec in each}


def stored(*names, **options):
    """A file: its layers numbered in the writer's order."""
    return specs(*(layer(name, position=place, **options) for place, name in enumerate(names)))


def wanted(*names, **options):
    return specs(*(layer(name, position=place, **options) for place, name in enumerate(names)))


def pairs(plan):
    """Layer in the file to layer in the model, for each pair of kernels."""
    return {
        pair.stored.removesuffix("/kernel"): pair.wanted.removesuffix("/kernel")
        for pair in plan.pairs
        if pair.wanted.endswith("/kernel")
    }


def hows(plan):
    return {pair.how for pair in plan.pairs}


# Names and order


def test_equal_names_in_equal_order_are_paired_by_name():
    plan = match(stored("stem", "trunk"), wanted("stem", "trunk"))
    assert [(pair.stored, pair.wanted) for pair in plan.pairs] == [
        ("stem/kernel", "stem/kernel"),
        ("stem/bias", "stem/bias"),
        ("trunk/kernel", "trunk/kernel"),
        ("trunk/bias", "trunk/bias"),
    ]
    assert hows(plan) == {"name"}
    assert plan.coverage == 1.0
    assert (plan.missing, plan.unexpected, plan.misshapen, plan.ambiguous, plan.skipped) == ((), (), (), (), ())


def test_automatic_names_that_have_shifted_are_settled_by_order():
    plan = match(stored("conv2d_3", "conv2d_4", kind="conv2d"), wanted("conv2d", "conv2d_1", kind="conv2d"))
    assert pairs(plan) == {"conv2d_3": "conv2d", "conv2d_4": "conv2d_1"}
    assert hows(plan) == {"order"}
    assert plan.ambiguous == ()


def test_automatic_names_that_overlap_with_another_order_are_settled_by_order():
    plan = match(stored("conv2d_1", "conv2d_2", kind="conv2d"), wanted("conv2d", "conv2d_1", kind="conv2d"))
    assert pairs(plan) == {"conv2d_1": "conv2d", "conv2d_2": "conv2d_1"}


def test_names_that_a_legacy_file_gives_without_classes_still_count_as_automatic():
    file = stored("dense_5", "dense_6", kind="")
    assert pairs(match(file, wanted("dense", "dense_1"))) == {"dense_5": "dense", "dense_6": "dense_1"}


def test_other_names_alone_are_settled_by_order():
    assert pairs(match(stored("first", "second"), wanted("stem", "trunk"))) == {"first": "stem", "second": "trunk"}


def test_a_tenth_layer_comes_after_the_second():
    names = ["dense", *(f"dense_{k}" for k in range(1, 12))]
    shifted = [f"dense_{k}" for k in range(20, 32)]
    assert pairs(match(stored(*names), wanted(*shifted))) == dict(zip(names, shifted, strict=True))


def test_chosen_names_that_disagree_with_the_order_are_refused_with_both_readings():
    plan = match(stored("b1", "b2"), wanted("b2", "b1"))
    assert plan.pairs == ()
    assert [(each.where, each.expected, each.found) for each in plan.ambiguous] == [
        ("b2", "'b2' by name", "'b1' by the writer's order"),
        ("b1", "'b1' by name", "'b2' by the writer's order"),
    ]


def test_automatic_names_that_are_all_there_in_another_order_are_refused():
    plan = match(stored("dense_1", "dense"), wanted("dense", "dense_1"))
    assert plan.pairs == ()
    assert {each.where for each in plan.ambiguous} == {"dense", "dense_1"}


def test_one_chosen_name_in_another_place_makes_its_group_ambiguous():
    plan = match(stored("left", "right"), wanted("right", "other"))
    assert plan.pairs == ()
    assert {each.where for each in plan.ambiguous} == {"right", "other"}


def test_a_layer_on_which_name_and_order_agree_is_still_accounted_for_beside_ambiguous_ones():
    wants = wanted("a", "b", "c")
    plan = match(stored("a", "c", "b"), wants)
    assert accounted(plan, wants) == sorted(wants)


def test_layers_of_different_shapes_do_not_compete():
    file = specs(layer("a", kernel=(4, 4), position=0), layer("b", kernel=(4, 8), position=1))
    model = specs(layer("b", kernel=(4, 8), position=0), layer("a", kernel=(4, 4), position=1))
    assert pairs(match(file, model)) == {"a": "a", "b": "b"}


def test_layers_under_different_parents_do_not_compete():
    file = specs(layer("one/b1", position=0), layer("two/b1", position=1))
    model = specs(layer("two/b1", position=0), layer("one/b1", position=1))
    assert pairs(match(file, model)) == {"one/b1": "one/b1", "two/b1": "two/b1"}


def test_without_an_order_equal_names_settle():
    file = specs(layer("net/b2"), layer("net/b1"))
    assert pairs(match(file, wanted("net/b1", "net/b2"))) == {"net/b1": "net/b1", "net/b2": "net/b2"}


def test_without_an_order_other_names_are_ambiguous():
    plan = match(specs(layer("net/x"), layer("net/y")), wanted("net/b1", "net/b2"))
    assert plan.pairs == ()
    assert {each.where for each in plan.ambiguous} == {"net/b1", "net/b2"}


# Counts that differ


def test_more_layers_in_the_file_leave_the_others_unexpected_where_names_tell():
    plan = match(stored("a", "b", "c"), wanted("a", "c"))
    assert pairs(plan) == {"a": "a", "c": "c"}
    assert plan.unexpected == ("b/kernel", "b/bias")
    assert plan.coverage == 1.0


def test_fewer_layers_in_the_file_leave_the_others_missing_where_names_tell():
    plan = match(stored("a", "c"), wanted("a", "b", "c"))
    assert pairs(plan) == {"a": "a", "c": "c"}
    assert plan.missing == ("b/kernel", "b/bias")
    assert plan.coverage == pytest.approx(2 / 3)


def test_counts_that_differ_where_names_do_not_tell_are_ambiguous():
    plan = match(stored("p", "q", "r"), wanted("a", "b"))
    assert plan.pairs == ()
    assert [each.where for each in plan.ambiguous] == ["a", "b"]
    assert "'p', 'q', 'r'" in plan.ambiguous[0].found


def test_counts_that_differ_and_names_in_another_order_are_ambiguous():
    plan = match(stored("b", "a", "c"), wanted("a", "b"))
    assert plan.pairs == ()
    assert {each.where for each in plan.ambiguous} == {"a", "b"}


def test_a_chosen_name_that_stands_elsewhere_with_another_shape_is_not_given_away_by_order():
    # The model's 'head' wants (4, 4); the file's 'head' has (4, 8), and a lone (4, 4) layer bears another name.
    file = specs(layer("trunk", kernel=(4, 4), position=0), layer("head", kernel=(4, 8), position=1))
    model = specs(layer("head", kernel=(4, 4), position=0))
    plan = match(file, model)
    assert pairs(plan) == {}
    assert {each.where for each in plan.misshapen} == {"head/kernel", "head/bias"}


# Shapes, types, roles


def test_a_shape_that_differs_is_misshapen_and_shows_both_shapes():
    plan = match(stored("out", kernel=(64, 10)), wanted("out", kernel=(64, 5)))
    assert [(each.where, each.expected, each.found) for each in plan.misshapen] == [
        ("out/kernel", "(64, 5) in layer 'out'", "(64, 10) in the file"),
        ("out/bias", "(5,) in layer 'out'", "(10,) in the file"),
    ]
    assert plan.pairs == plan.missing == plan.unexpected == ()
    assert plan.coverage == 0.0


def test_float16_goes_into_float32_and_is_noted_as_converted():
    plan = match(stored("a", dtype="float16"), wanted("a"))
    assert {pair.converted for pair in plan.pairs} == {"float16 → float32"}


def test_equal_types_are_not_noted():
    assert {pair.converted for pair in match(stored("a"), wanted("a")).pairs} == {""}


@pytest.mark.parametrize(("inside", "asked"), [("int8", "float32"), ("float32", "int32"), ("bool", "float32")])
def test_another_kind_of_number_is_misshapen(inside, asked):
    plan = match(stored("a", dtype=inside), wanted("a", dtype=asked))
    assert plan.pairs == ()
    assert [(each.expected, each.found) for each in plan.misshapen] == [
        (f"{asked} in the model", f"{inside} in the file")
    ] * 2


def test_bfloat16_counts_as_numbers_with_a_fraction():
    assert len(match(stored("a", dtype="bfloat16"), wanted("a")).pairs) == 2


def test_tensors_that_the_file_only_numbers_are_paired_by_place():
    file = {
        f"a/{k}": TensorSpec(f"a/{k}", shape, "float32", "a", str(k), "", 0) for k, shape in enumerate([(4, 4), (4,)])
    }
    plan = match(file, wanted("a"))
    assert [(pair.stored, pair.wanted) for pair in plan.pairs] == [("a/0", "a/kernel"), ("a/1", "a/bias")]


def test_a_bias_that_only_the_model_has_is_missing():
    plan = match(stored("a", bias=False), wanted("a"))
    assert [pair.wanted for pair in plan.pairs] == ["a/kernel"]
    assert plan.missing == ("a/bias",)
    assert plan.coverage == pytest.approx(16 / 20)


def test_a_bias_that_only_the_file_has_is_told_as_the_layers_own():
    plan = match(stored("a"), wanted("a", bias=False))
    assert [pair.wanted for pair in plan.pairs] == ["a/kernel"]
    assert plan.unexpected == ("a/bias",)
    assert [(each.where, each.expected) for each in plan.surplus] == [("a/bias", "no such tensor in layer 'a'")]


def test_coverage_counts_parameters():
    file = specs(layer("a", kernel=(10, 10), position=0))
    model = specs(layer("a", kernel=(10, 10), position=0), layer("b", kernel=(10, 1), position=1))
    assert match(file, model).coverage == pytest.approx(110 / 121)


def test_a_model_without_weights_has_coverage_zero():
    plan = match(stored("a"), {})
    assert plan.coverage == 0.0
    assert plan.unexpected == ("a/kernel", "a/bias")


# Rules


def test_a_rule_for_a_layer_pairs_all_its_tensors():
    plan = match(stored("p", "q"), wanted("a", "b"), rules=["p=b", "q=a"])
    assert pairs(plan) == {"p": "b", "q": "a"}
    assert hows(plan) == {"rule"}


def test_rules_settle_what_is_ambiguous():
    plan = match(stored("b1", "b2"), wanted("b2", "b1"), rules=["b1=b1", "b2=b2"])
    assert pairs(plan) == {"b1": "b1", "b2": "b2"}
    assert plan.ambiguous == ()


def test_a_rule_may_swap_two_layers():
    assert pairs(match(stored("a", "b"), wanted("a", "b"), rules=["a=b", "b=a"])) == {"a": "b", "b": "a"}


def test_a_rule_with_groups_renames_many_layers():
    plan = match(stored("old_1", "old_2"), wanted("new_2", "new_1"), rules=[r"old_(\d)=new_\1"])
    assert pairs(plan) == {"old_1": "new_1", "old_2": "new_2"}


def test_a_rule_for_one_tensor_renames_it_alone():
    file = {name: spec for name, spec in stored("a").items() if name == "a/kernel"}
    file["a/offset"] = TensorSpec("a/offset", (4,), "float32", "a", "offset", "dense", 0)
    plan = match(file, wanted("a"), rules=["a/offset=a/bias"])
    assert [(pair.stored, pair.wanted) for pair in plan.pairs] == [("a/kernel", "a/kernel"), ("a/offset", "a/bias")]


def test_a_rule_speaks_of_whole_names():
    with pytest.raises(MatchError, match="fits nothing in the file"):
        match(stored("dense_1"), wanted("dense"), rules=["dense=dense"])


def test_a_rule_that_fits_nothing_is_refused_and_offers_the_nearest():
    with pytest.raises(MatchError) as caught:
        match(stored("block_1", "block_2"), wanted("a", "b"), rules=["blok_1=a"])
    assert "'blok_1=a' fits nothing" in caught.value.summary
    assert "'block_1'" in caught.value.next_step
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("rule", ["(=a", "a", "a=", r"a=\2"])
def test_a_rule_that_cannot_be_read_is_refused(rule):
    with pytest.raises(MatchError, match="rule"):
        match(stored("a"), wanted("a"), rules=[rule])


def test_a_rule_onto_a_name_that_the_file_uses_itself_is_refused():
    with pytest.raises(MatchError):
        match(stored("a", "x"), wanted("x"), rules=["a=x"])


def test_a_rule_that_gives_two_layers_one_name_is_refused():
    with pytest.raises(MatchError):
        match(stored("dense_1", "dense_2"), wanted("x"), rules=["dense_.=x"])


def test_a_misshapen_pair_made_by_a_rule_names_the_tensor_in_the_file():
    plan = match(stored("old", kernel=(4, 8)), wanted("new", kernel=(4, 4)), rules=["old=new"])
    assert plan.misshapen[0].found == "(4, 8) in the file (old/kernel)"


# Skipping


@pytest.mark.parametrize("pattern", ["head", "head/*", "h*d"])
def test_a_pattern_skips_a_layer_of_the_model(pattern):
    plan = match(stored("stem"), wanted("stem", "head"), skip=[pattern])
    assert plan.skipped == ("head/kernel", "head/bias")
    assert plan.missing == ()
    assert plan.coverage == 1.0


def test_one_tensor_alone_may_be_skipped():
    plan = match(stored("stem"), wanted("stem"), skip=["stem/bias"])
    assert plan.skipped == ("stem/bias",)
    assert [pair.wanted for pair in plan.pairs] == ["stem/kernel"]
    assert plan.unexpected == ("stem/bias",)


def test_a_skipped_layer_of_another_shape_is_not_misshapen():
    file = specs(layer("stem", position=0), layer("head", kernel=(4, 10), position=1))
    model = specs(layer("stem", position=0), layer("head", kernel=(4, 5), position=1))
    plan = match(file, model, skip=["head"])
    assert plan.misshapen == ()
    assert plan.unexpected == ("head/kernel", "head/bias")


def test_skipping_what_is_not_there_is_refused_and_offers_the_nearest():
    with pytest.raises(MatchError) as caught:
        match(stored("stem"), wanted("stem"), skip=["hed/*"])
    assert "skip='hed/*' fits no tensor" in caught.value.summary
    assert "stem/" in caught.value.next_step


# Nothing is lost


def accounted(plan, wants):
    """Names of the model, each as often as the plan speaks of it."""
    doubtful = {each.where for each in plan.ambiguous}
    return sorted(
        [
            *(pair.wanted for pair in plan.pairs),
            *plan.missing,
            *(each.where for each in plan.misshapen),
            *(name for name, spec in wants.items() if spec.layer in doubtful and name not in plan.skipped),
            *plan.skipped,
        ]
    )


KINDS = ("dense", "conv2d", "")


@st.composite
def sides(draw):
    """A file or a model: some layers with names, shapes and classes that are likely to meet."""
    names = draw(
        st.lists(
            st.sampled_from(["a", "b", "c", "dense", "dense_1", "dense_2", "net/a", "net/b", "net/dense"]),
            unique=True,
            max_size=6,
        )
    )
    has_order = draw(st.booleans())
    often = st.integers(0, 5).map(bool)
    return specs(
        *(
            layer(
                name,
                kernel=(2, 2) if draw(often) else (2, 3),
                bias=draw(often),
                kind=draw(st.sampled_from(KINDS)),
                position=place if has_order else None,
                dtype="float32" if draw(often) else draw(st.sampled_from(["float16", "int8"])),
            )
            for place, name in enumerate(names)
        )
    )


@settings(max_examples=200)
@given(sides(), sides(), st.sampled_from([(), ("*",), ("dense*",), ("*/bias",)]))
def test_every_tensor_of_both_sides_is_accounted_for_once(file, model, skip):
    skip = [each for each in skip if any(fnmatchcase(name, each) for name in model)]
    plan = match(file, model, skip=skip)
    assert accounted(plan, model) == sorted(model)
    taken = [pair.stored for pair in plan.pairs]
    assert len(set(taken)) == len(taken)
    assert not set(taken) & set(plan.unexpected)
    assert len(taken) + len(plan.unexpected) + len(plan.misshapen) == len(file)


@given(sides(), sides())
def test_a_pair_has_equal_shapes_and_kinds_and_goes_into_one_layer(file, model):
    plan = match(file, model)
    layers = {}
    for pair in plan.pairs:
        left, right = file[pair.stored], model[pair.wanted]
        assert left.shape == right.shape
        assert ("int" in left.dtype) == ("int" in right.dtype)
        assert layers.setdefault(right.layer, left.layer) == left.layer


@given(sides())
def test_a_side_matches_itself_whole_and_by_name(side):
    plan = match(side, side)
    assert [(pair.stored, pair.wanted, pair.how) for pair in plan.pairs] == [(name, name, "name") for name in side]
    assert plan.coverage == (1.0 if side else 0.0)
