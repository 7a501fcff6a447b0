"""Labellings as text: what is written is read as it was, and everything that is wrong is told by its place."""

import json
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfer.data.labelling_files import fine_classes, format_labelling, parse_labelling, read_labelling
from transfer.errors import DataError
from transfer.labellings import Labelling, Output

TEXT = """
[outputs.kind]
parent = "food"
classes = { dessert = ["cake", "other"], fruit = ["apple", "pear", "other"] }

[outputs.food]
classes = ["fruit", "dessert", "drink"]
class_weights = "balanced"

[outputs.tags]
kind = "sigmoid"
classes = ["loud", "old"]
weight = 0.5
focal = 2

[outputs.cut]
kind = "sigmoid"
parent = "kind"
under = "fruit/other"
classes = ["peeled"]

[outputs.price]
kind = "regression"

[outputs.grams]
kind = "regression"
parent = "food"
under = "drink"
"""
EXPECTED = Labelling(
    (
        Output("food", classes=("fruit", "dessert", "drink"), class_weights="balanced"),
        Output(
            "kind",
            classes=("apple", "pear", "fruit/other", "cake", "dessert/other"),
            parent="food",
            under=("fruit", "fruit", "fruit", "dessert", "dessert"),
        ),
        Output("tags", "sigmoid", ("loud", "old"), weight=0.5, focal=2),
        Output("cut", "sigmoid", ("peeled",), parent="kind", under=("fruit/other",)),
        Output("price", "regression"),
        Output("grams", "regression", parent="food", under=("drink",)),
    )
)


def faults(text: str) -> list[tuple[str, str, str]]:
    with pytest.raises(DataError) as caught:
        parse_labelling(text, source="labels.toml")
    assert len(str(caught.value)) < 2048
    return [(each.where, each.expected, each.found) for each in caught.value.problems]


def places(text: str) -> list[str]:
    return [where for where, _, _ in faults(text)]


def test_outputs_stand_behind_their_parents_and_classes_in_the_order_of_these():
    assert parse_labelling(TEXT) == EXPECTED


def test_a_file_is_read_as_toml_or_as_json(tmp_path):
    (tmp_path / "labels.toml").write_text(TEXT)
    values = {"outputs": {"food": {"classes": ["a", "b"]}, "fine": {"parent": "food", "classes": {"a": ["c", "d"]}}}}
    (tmp_path / "labels.json").write_text("\ufeff" + json.dumps(values), encoding="utf-8")
    assert read_labelling(tmp_path / "labels.toml") == EXPECTED
    assert read_labelling(tmp_path / "labels.json") == Labelling(
        (Output("food", classes=("a", "b")), Output("fine", classes=("c", "d"), parent="food", under=("a", "a")))
    )


def test_what_is_written_says_what_an_output_is():
    lines = format_labelling(EXPECTED).splitlines()
    assert lines[:3] == [
        "[outputs.food]",
        'kind = "softmax"  # one of these, or not known',
        'classes = ["fruit", "dessert", "drink"]',
    ]
    assert 'classes = { fruit = ["apple", "pear", "fruit/other"], dessert = ["cake", "dessert/other"] }' in lines


NAME = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,6}", fullmatch=True)
CLASSES = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6), min_size=1, unique=True)
NUMBER = st.floats(1e-9, 1e9)


@st.composite
def labellings(draw) -> Labelling:
    outputs: list[Output] = []
    for name in draw(st.lists(NAME, min_size=1, max_size=5, unique=True)):
        kind = draw(st.sampled_from(["softmax", "sigmoid", "regression"]))
        classes = tuple(draw(CLASSES))
        fields = {"weight": draw(NUMBER)}
        if kind != "regression":
            fields |= {
                "focal": draw(NUMBER | st.just(0.0)),
                "class_weights": draw(st.sampled_from(["none", "balanced"])),
            }
        parents = [each for each in outputs if each.kind == "softmax"]
        if parents and draw(st.booleans()):
            parent = draw(st.sampled_from(parents))
            chosen = sorted(draw(st.integers(0, len(parent.classes) - 1)) for _ in classes)
            if kind == "regression":
                chosen = chosen[:1] * len(classes)
            fields |= {"parent": parent.name, "under": tuple(parent.classes[place] for place in chosen)}
        outputs.append(Output(name, kind, classes, **fields))
    return Labelling(tuple(outputs))


@given(labellings())
def test_what_is_written_is_read_as_it_was(labelling):
    assert parse_labelling(format_labelling(labelling)) == labelling


@given(labellings())
def test_as_json_it_is_the_same(labelling):
    tables = {}
    for each in labelling:
        tables[each.name] = {"kind": each.kind, "classes": list(each.classes), "parent": each.parent}
        tables[each.name] |= {"weight": each.weight, "focal": each.focal, "class_weights": each.class_weights}
        if each.parent and each.kind == "regression":
            tables[each.name]["under"] = each.under[0]
        elif each.parent:
            pairs = groupby(zip(each.under, each.classes, strict=True), key=lambda pair: pair[0])
            tables[each.name]["classes"] = {name: [fine for _, fine in several] for name, several in pairs}
    assert parse_labelling(json.dumps({"outputs": tables})) == labelling


def test_every_fault_is_told_at_once_by_its_place():
    found = faults(
        """
        title = "x"
        [outputs.a]
        kind = "one"
        clases = ["x"]
        classes = ["x", ""]
        [outputs.b]
        weight = "much"
        under = "x"
        class_weights = 2
        classes = { x = ["y"] }
        [outputs.c]
        parent = 3
        """
    )
    assert [where for where, _, _ in found] == [
        "labels.toml title",
        "labels.toml outputs.a.clases",
        "labels.toml outputs.a.kind",
        "labels.toml outputs.a.classes",
        "labels.toml outputs.b.weight",
        "labels.toml outputs.b.class_weights",
        "labels.toml outputs.b.classes",
        "labels.toml outputs.b.under",
        "labels.toml outputs.c.parent",
        "labels.toml outputs.c.classes",
        "labels.toml outputs.c.classes",
    ]
    assert found[1][2] == "'clases'; nearest: 'classes'"


def test_names_that_are_not_there_come_with_the_nearest():
    text = '[outputs.food]\nclasses = ["fruit", "cake"]\n[outputs.kind]\nparent = "food"\nclasses = { friut = ["x"] }\n'
    assert faults(text) == [("labels.toml outputs.kind.classes", "classes of 'food'", "'friut'; nearest: 'fruit'")]
    assert faults(text.replace('parent = "food"', 'parent = "foood"'))[0][2] == "'foood'; nearest: 'food'"
    text = text.replace('classes = { friut = ["x"] }', 'under = "cakes"\nclasses = ["x"]')
    assert faults(text) == [("labels.toml outputs.kind.under", "classes of 'food'", "'cakes'; nearest: 'cake'")]


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ('parent = "a"\nclasses = ["x"]', "classes"),
        ('parent = "a"\nunder = "p"\nclasses = { p = ["x"] }', "classes"),
        ('parent = "a"\nkind = "regression"', "classes"),
        ('parent = "b"\nunder = "p"\nclasses = ["x"]', "parent"),
        ('parent = "a"\nclasses = { p = "x" }', "classes.p"),
        ('parent = "a"\nclasses = 5', "classes"),
    ],
)
def test_parents_that_do_not_fit_are_told(fields, place):
    assert f"labels.toml outputs.b.{place}" in places(f'[outputs.a]\nclasses = ["p", "q"]\n[outputs.b]\n{fields}\n')


def test_outputs_that_stand_under_each_other_are_refused():
    tables = (
        '[outputs.a]\nparent = "b"\nunder = "x"\nclasses = ["y"]',
        '[outputs.b]\nparent = "a"\nunder = "y"\nclasses = ["x"]',
    )
    text = "\n".join(tables)
    assert places(text) == ["labels.toml outputs.a.parent", "labels.toml outputs.b.parent"]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('[outputs.a]\nclasses = ["x", "x"]', "labels.toml outputs.a"),
        ('[outputs."a b"]\nclasses = ["x"]', "labels.toml outputs.a b"),
        ('[outputs.a]\nclasses = ["x"]\nweight = 0', "labels.toml outputs.a"),
        ('[outputs.a]\nclasses = ["x"]\nfocal = nan', "labels.toml outputs.a"),
        ("", "labels.toml outputs"),
        ("outputs = 3", "labels.toml outputs"),
        ("[outputs]\na = 3", "labels.toml outputs"),
        ('{"outputs": ', "labels.toml"),
        ("[outputs", "labels.toml"),
        ("a = " + "[" * 100_000, "labels.toml"),
        ('{"outputs": ' + "[" * 100_000, "labels.toml"),
    ],
)
def test_what_is_no_labelling_is_refused(text, where):
    assert places(text) == [where]


def test_a_file_that_is_too_long_or_no_text_or_not_there_is_refused(tmp_path):
    (tmp_path / "long.toml").write_bytes(b"#" * (1 << 23))
    (tmp_path / "latin.toml").write_bytes("# ä".encode("latin-1"))
    for name, word in (("long.toml", "more than"), ("latin.toml", "UTF-8"), ("gone.toml", "cannot be read")):
        with pytest.raises(DataError, match=word):
            read_labelling(tmp_path / name)


def test_names_under_several_classes_are_told_apart_and_others_stay():
    grouped = [("fruit", ["apple", "other"]), ("dessert", ["other"]), ("drink", ["tea"])]
    assert fine_classes(grouped) == (
        ("apple", "fruit/other", "dessert/other", "tea"),
        ("fruit", "fruit", "dessert", "drink"),
    )
