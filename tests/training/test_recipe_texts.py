"""Recipes as text: what is written is read again, what is wrong is told at once, settings change single fields."""

import tomllib
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import transfer
from transfer.errors import DataError
from transfer.recipe_rules import AUGMENTATIONS
from transfer.recipes import Recipe, Stage
from transfer.training.named_recipes import NAMED, named_recipe
from transfer.training.recipe_texts import change_recipe, format_recipe, parse_recipe, read_recipe, resolve_recipe

SHARES = st.floats(0, 1, exclude_max=True)
AMOUNTS = st.floats(0, 1e300)
NAMES = st.text(min_size=1)


@st.composite
def tuned(draw):
    optimizer = draw(st.sampled_from(["adam", "adamw", "sgd"]))
    way = draw(
        st.one_of(
            st.builds(lambda name: {"unfreeze_from": name}, NAMES),
            st.builds(lambda count: {"unfreeze_last": count}, st.integers(0, 10**6)),
            st.builds(lambda names: {"unfreeze": tuple(names)}, st.lists(NAMES, min_size=1, max_size=3, unique=True)),
        )
    )
    beside = {}
    if optimizer != "adam":
        beside["weight_decay"] = draw(AMOUNTS)
    if optimizer == "sgd":
        beside["momentum"] = draw(SHARES)
    return Stage(
        **way,
        **beside,
        optimizer=optimizer,
        batch_norm=draw(st.sampled_from(["frozen", "adapt", "train"])),
        lora_rank=draw(st.integers(0, 64)),
        epochs=draw(st.integers(1, 10**6)),
        steps=draw(st.integers(0, 10**6)),
        batch_size=draw(st.integers(1, 10**6)),
        rate=draw(st.one_of(st.just("auto"), st.floats(0, 1e300, exclude_min=True))),
        layer_decay=draw(st.floats(0, 1, exclude_min=True)),
        schedule=draw(st.sampled_from(["constant", "linear", "cosine", "steps"])),
        warmup=draw(SHARES),
        l2_sp=draw(AMOUNTS),
        label_smoothing=draw(SHARES),
        class_weights=draw(st.sampled_from(["none", "balanced"])),
        mixup=draw(AMOUNTS),
        augment=tuple(draw(st.lists(st.sampled_from(AUGMENTATIONS), unique=True))),
        views=draw(st.integers(1, 99)),
        patience=draw(st.integers(0, 3)),
        ema=draw(SHARES),
        precision=draw(st.sampled_from(["float32", "mixed_bfloat16", "auto"])),
    )


@st.composite
def recipes(draw):
    stages = draw(st.lists(tuned(), max_size=3))
    if not stages or draw(st.booleans()):
        stages = [Stage("probe"), *stages]
    elif draw(st.booleans()):
        stages[0] = replace(stages[0], fresh=True)
    name = draw(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1))
    share = st.floats(0, 1, exclude_min=any(stage.patience for stage in stages), exclude_max=True)
    return Recipe(tuple(stages), seed=draw(st.integers(0, 2**32 - 1)), validation=draw(share), name=name)


@given(recipes())
def test_what_is_written_is_read_again_as_the_same_recipe(recipe):
    text = format_recipe(recipe)
    text.encode()
    assert parse_recipe(text) == recipe
    assert format_recipe(parse_recipe(text)) == text


@pytest.mark.parametrize("name", NAMED)
def test_every_named_recipe_goes_through_a_file(name, tmp_path):
    recipe = named_recipe(name, examples=30_000, seed=9)
    (tmp_path / "mine.toml").write_text(format_recipe(recipe), encoding="utf-8")
    assert transfer.read_recipe(tmp_path / "mine.toml") == recipe


def test_a_stage_is_written_after_a_line_that_says_what_it_does_without_fields_it_does_not_follow():
    text = format_recipe(named_recipe("lp-ft", examples=300))
    probe, tune = text.split("[[stages]]\n")[1:]
    assert probe.splitlines() == [
        'kind = "probe"',
        "",
        "# trains the head and the last 2 blocks for 10 epochs of 32 examples, Adam at the rate 0.0001, falling along "
        "a cosine to 0, after a warm-up over 10 % of the steps",
    ]
    written = tomllib.loads(f"[[stages]]\n{tune}")["stages"][0]
    everything = {
        name: list(each) if isinstance(each, tuple) else each for name, each in asdict(Stage(unfreeze_last=1)).items()
    }
    assert set(everything) - set(written) == {"unfreeze_from", "unfreeze", "momentum"}
    changed = {"unfreeze_last": 2, "epochs": 10, "rate": 1e-4, "schedule": "cosine", "warmup": 0.1}
    assert {**everything, **written} == {**everything, **changed}


def test_a_name_of_a_layer_cannot_leave_its_line():
    stage = Stage(unfreeze=('a"\nrate = 5 #', "b\x7f\\"))
    assert parse_recipe(format_recipe(Recipe(stage))).stages == (stage,)


def test_fields_left_out_have_their_defaults():
    recipe = parse_recipe('[[stages]]\nkind = "probe"\n[[stages]]\nunfreeze_from = "conv5"\nrate = 1\n')
    assert recipe == Recipe((Stage("probe"), Stage(unfreeze_from="conv5", rate=1.0)))


def test_everything_that_is_wrong_in_a_text_is_told_at_once_with_its_place():
    text = """
seed = "a"
sed = 3
[[stages]]
kind = "probe"
epochs = 3
[[stages]]
kind = "probe"
[[stages]]
unfreeze_lst = 1
batch_size = 2.5
augment = ["flip", "spin"]
"""
    with pytest.raises(DataError) as caught:
        parse_recipe(text, source="mine.toml")
    found = {each.where: (each.expected, each.found) for each in caught.value.problems}
    assert caught.value.summary == "7 things wrong in mine.toml."
    assert found["sed"] == ("a field, the nearest: 'seed', 'stages', 'name'", "no such field")
    assert found["stages.0.epochs"] == ("no such field in a 'probe' stage", "3")
    assert found["stages.1.kind"] == ("'tune': a 'probe' stage stands first", "'probe'")
    assert found["stages.2.unfreeze_lst"][0].startswith("a field, the nearest: 'unfreeze_last'")
    assert found["stages.2.batch_size"] == ("an integer of at least 1", "2.5")
    assert found["stages.2.augment"][1] == "['flip', 'spin']"
    assert found["seed"] == ("an integer in 0 … 4294967295", "'a'")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "stages"),
        ("stages = 3", "stages"),
        ("stages = [1]", "stages"),
        ('[stages]\nkind = "probe"', "stages"),
        ("[[stages]]", "stages.0.unfreeze_last"),
        ('[[stages]]\nkind = "probe"\nfresh = 1979-05-27', "stages.0.fresh"),
        ("[[stages]]\nunfreeze_last = 0\nrate = nan", "stages.0.rate"),
        ("validation = 0\n[[stages]]\nunfreeze_last = 0\npatience = 2", "stages.0.patience"),
    ],
)
def test_a_text_that_makes_no_recipe_is_refused_by_the_field(text, where):
    with pytest.raises(DataError) as caught:
        parse_recipe(text)
    assert [each.where for each in caught.value.problems] == [where]


@pytest.mark.parametrize("text", ["a =", "name = 'x'\nname = 'y'", "a = " + "[" * 100_000])
def test_what_is_no_toml_says_so(text):
    with pytest.raises(DataError, match=r"^recipe is no TOML\."):
        parse_recipe(text)


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    (tmp_path / "long.toml").write_bytes(b"#" * (2**20 + 1))
    for name, message in (
        ("none.toml", "No such file"),
        ("latin.toml", "not UTF-8"),
        ("long.toml", "more than 1048576 bytes"),
        (".", "directory"),
    ):
        with pytest.raises(DataError, match=message):
            read_recipe(tmp_path / name)


@pytest.mark.parametrize(
    ("setting", "field", "value"),
    [
        ("stages.1.rate=1e-4", "rate", 1e-4),
        ("stages.1.rate=auto", "rate", "auto"),
        ("stages.1.rate = 1", "rate", 1.0),
        ("stages.1.augment=flip,shift", "augment", ("flip", "shift")),
        ("stages.1.augment=", "augment", ()),
        ("stages.1.epochs=7", "epochs", 7),
        ("stages.1.batch_norm=adapt", "batch_norm", "adapt"),
        ("stages.1.unfreeze_last=3", "unfreeze_last", 3),
        ("stages.1.unfreeze=conv_*,re:b=.", "unfreeze", ("conv_*", "re:b=.")),
        ("stages.1.unfreeze_from=a=b", "unfreeze_from", "a=b"),
    ],
)
def test_a_setting_changes_one_field_of_a_stage(setting, field, value):
    recipe = Recipe((Stage("probe"), Stage(unfreeze_last=1, epochs=5, augment=("zoom",))), name="mine")
    changed = change_recipe(recipe, [setting])
    expected = asdict(recipe.stages[1])
    if field.startswith("unfreeze"):
        expected |= {"unfreeze_from": "", "unfreeze_last": None, "unfreeze": ()}
    assert asdict(changed.stages[1]) == {**expected, field: value}
    assert type(getattr(changed.stages[1], field)) is type(value)
    assert (changed.stages[0], changed.seed, changed.name) == (recipe.stages[0], 0, "mine, changed")


def test_what_begins_anew_is_set_by_true_and_false():
    recipe = Recipe(Stage(unfreeze=("*",)))
    assert change_recipe(recipe, ["stages.0.fresh=true"]).stages[0].fresh
    assert not change_recipe(recipe, ["stages.0.fresh=False"]).stages[0].fresh


def test_settings_of_the_recipe_itself():
    recipe = named_recipe("lp-ft", examples=300)
    assert change_recipe(recipe, []) == recipe
    assert change_recipe(recipe, ["seed=3"]) == replace(recipe, seed=3)
    assert change_recipe(recipe, ["validation=0.5"]) == replace(recipe, validation=0.5, name="lp-ft, changed")
    assert change_recipe(recipe, ["name=mine", "stages.1.epochs=2"]).name == "mine"
    twice = change_recipe(change_recipe(recipe, ["stages.1.epochs=2"]), ["stages.1.epochs=3"])
    assert (twice.name, twice.stages[1].epochs) == ("lp-ft, changed", 3)


def test_every_setting_that_is_wrong_is_told():
    settings = [
        "stages.1.rte=1",
        "stages.2.rate=1",
        "sed=1",
        "rate",
        "seed=1",
        "seed=2",
        "stages.rate=1",
        "stages.-1.rate=1",
    ]
    with pytest.raises(DataError) as caught:
        change_recipe(named_recipe("lp-ft", examples=300), settings)
    found = {each.where: (each.expected, each.found) for each in caught.value.problems}
    assert found["stages.1.rte"][0].startswith("a field, the nearest: 'stages.1.rate'")
    assert found["stages.2.rate"] == ("a stage, 0 … 1", "2")
    assert found["stages.-1.rate"] == ("a stage, 0 … 1", "-1")
    assert found["sed"][0].startswith("a field, the nearest: 'seed'")
    assert found["rate"][1] == "no '='"
    assert found["seed"] == ("each field once", "again")
    assert "'stages.1.rate'" in found["stages.rate"][0]


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ("stages.1.rate=fast", "'fast'"),
        ("stages.1.epochs=1.5", "'1.5'"),
        ("stages.1.fresh=yes", "'yes'"),
        ("stages.1.unfreeze_last=", "''"),
        ("stages.1.augment=flip,spin", "('flip', 'spin')"),
        ("seed=-1", "-1"),
    ],
)
def test_a_value_that_does_not_fit_its_field_is_refused_by_its_path(setting, found):
    with pytest.raises(DataError) as caught:
        change_recipe(named_recipe("lp-ft", examples=300), [setting])
    assert [(each.where, each.found) for each in caught.value.problems] == [(setting.partition("=")[0], found)]


def test_a_recipe_is_found_by_its_name_or_its_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mine = Recipe((Stage(unfreeze_last=0),), seed=4, name="mine")
    (tmp_path / "mine.toml").write_text(format_recipe(mine))
    (tmp_path / "plain").write_text(format_recipe(mine))
    assert resolve_recipe("mine.toml", examples=3) == resolve_recipe("plain", examples=3) == mine
    assert resolve_recipe("mine.toml", examples=3, seed=0) == replace(mine, seed=0)
    assert resolve_recipe("bit", examples=30_000, seed=2) == named_recipe("bit", examples=30_000, seed=2)
    assert len(resolve_recipe("gradual", examples=30, blocks=1).stages) == 2
    assert resolve_recipe("lp-ft", ["stages.1.epochs=1"], examples=3).stages[1].epochs == 1
    with pytest.raises(DataError, match="No recipe goes by 'mein'"):
        resolve_recipe("mein", examples=3)
