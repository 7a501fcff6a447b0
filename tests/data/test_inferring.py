"""What columns of texts are taken for, on columns written by hand."""

import pytest

from transfer.data.inferring import Column, infer_labelling
from transfer.errors import DataError
from transfer.labellings import Labelling, Output


def infer(separator=None, kinds=None, **columns) -> Labelling:
    several = [Column(name.replace("__", "."), cells.split(",")) for name, cells in columns.items()]
    return infer_labelling(several, kinds=kinds, separator=separator)


def test_each_column_of_names_is_one_of_several():
    found = infer(topic="art,sport,,art", mood="sad,glad,glad,N/A")
    assert found == Labelling((Output("topic", classes=("art", "sport")), Output("mood", classes=("glad", "sad"))))


@pytest.mark.parametrize(("between", "given"), [(";", None), ("|", None), ("/", "/"), (" ", " ")])
def test_cells_with_several_names_are_any_of_them(between, given):
    cells = f"loud{between}old,,old,-,none,new{between}{between} old"
    assert infer(given, tags=cells, topic="a,b,a,b,a,b")["tags"] == Output("tags", "sigmoid", ("loud", "new", "old"))


@pytest.mark.parametrize("cells", ["1,0,,1", "yes,no,NA,Yes", "true,False,,TRUE", "1.0,0.0,nan,1.0"])
def test_a_column_of_yes_and_no_is_one_label(cells):
    assert infer(loud=cells, topic="a,b,a,b")["loud"] == Output("loud", "sigmoid", ("loud",))


def test_columns_of_yes_and_no_alone_are_one_output():
    expected = Output("labels", "sigmoid", ("Is loud", "old"))
    assert infer(**{"Is loud": "1,0,1", "old": "yes,,no"}) == Labelling((expected,))


def test_columns_with_one_name_before_a_dot_are_one_output_where_it_fits():
    found = infer(
        tags__loud="1,0,1",
        topic="a,b,a",
        tags__old="0,,1",
        box__x="1,2,5",
        box__y="2,,9",
        mix__a="1,0,1",
        mix__b="u,v,u",
    )
    assert [str(each) for each in found] == [
        str(each)
        for each in (
            Output("tags", "sigmoid", ("loud", "old")),
            Output("topic", classes=("a", "b")),
            Output("box", "regression", ("x", "y")),
            Output("mix.a", "sigmoid", ("mix.a",)),
            Output("mix.b", classes=("u", "v")),
        )
    ]


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ("1.5,2,,3", "regression"),
        ("-1e3,2.25,7,7", "regression"),
        (",".join(map(str, range(21))), "regression"),
        (",".join(map(str, range(20))), None),
        (",".join(map(str, [*range(20), 3])), "softmax"),
        ("1,2,3,3", "softmax"),
        ("1.0,2.0,,3.0", "softmax"),
        ("1.5,x,2.5,2.5", "softmax"),
    ],
)
def test_decimals_and_many_numbers_are_numbers(cells, kind):
    other = ",".join("ab"[place % 2] for place in range(cells.count(",") + 1))
    found = infer(other=other, value=cells)
    assert [each.kind for each in found if each.name == "value"] == ([kind] if kind else [])


def test_a_finer_column_stands_under_the_finest_before_it_that_it_implies():
    found = infer(
        land="f,f,f,f,i,i,i,i,", region="n,n,s,s,u,u,v,v,", city="c,d,e,g,h,j,k,l,c", mood="p,q,p,q,p,q,p,q,p"
    )
    assert found["region"] == Output("region", classes=("n", "s", "u", "v"), parent="land", under=("f", "f", "i", "i"))
    assert found["city"].parent == "region"
    assert found["city"].under == ("n", "n", "s", "s", "u", "u", "v", "v")
    assert found["mood"].parent == ""


def test_classes_stand_in_the_order_of_their_parents():
    found = infer(coarse="z,z,a,a,y", fine="b,c,d,e,")
    assert found["fine"] == Output("fine", classes=("d", "e", "b", "c"), parent="coarse", under=("a", "a", "z", "z"))
    assert "fine: one of, under coarse: a (d, e), z (b, c)" in str(found)


@pytest.mark.parametrize(
    ("coarse", "fine"),
    [
        ("a,a,b,b", "p,q,q,r"),  # q under both
        ("a,a,b,b", "p,q,r,r"),  # b has one finer class
        ("a,b,a,b", "p,q,p,q"),  # as many
        ("a,a,b,b,", "p,q,r,s,t"),  # under which t stands is not known
    ],
)
def test_a_column_that_does_not_imply_finer_classes_stands_alone(coarse, fine):
    assert infer(coarse=coarse, fine=fine)["fine"].parent == ""
    assert infer(fine=fine, coarse=coarse)["coarse"].parent == ""


def test_wanted_outputs_are_of_the_kind_that_is_said_and_others_are_left_out():
    found = infer(
        kinds={"sick": "softmax", "tag": "sigmoid", "age": "regression"},
        sick="1,0,1",
        tag="a,b,a",
        age="1,2,2",
        rest="x,y,x",
    )
    assert found == Labelling(
        (Output("sick", classes=("0", "1")), Output("tag", "sigmoid", ("a", "b")), Output("age", "regression"))
    )


def test_names_of_columns_become_names_of_heads():
    assert infer(**{"Food type": "a,b", "§ 3": "c,d"}).names == ("Food_type", "3")
    with pytest.raises(DataError) as caught:
        infer(**{"Food type": "a,b", "Food_type": "c,d"})
    assert caught.value.problems[0].where == "Food_type"


@pytest.mark.parametrize("cells", ["", ",,", "a,a,a", ",".join(map(chr, range(97, 97 + 11)))])
def test_columns_that_tell_nothing_apart_are_no_outputs(cells):
    other = ",".join("ab"[place % 2] for place in range(cells.count(",") + 2))
    assert infer(x=f"{cells},", other=other).names == ("other",)
    with pytest.raises(DataError) as caught:
        infer(x=cells)
    assert caught.value.problems[0].where == "column 'x'"
