"""Tables and numbers as text."""

import pytest

from transfer.tabulating import counted, format_scaled, format_table, shorten


def test_numbers_stand_to_the_right_and_no_line_ends_in_blanks():
    assert format_table(("a", "n"), [("long one", "1"), ("b", "1,000")], numbers=("n",)) == (
        "a             n\nlong one      1\nb         1,000"
    )
    assert format_table(("a", "b"), [("x", "")]) == "a  b\nx"


@pytest.mark.parametrize(
    ("number", "text"), [(15_470_264_320, "15.47 G"), (54_912, "54.91 k"), (999, "999 "), (0, "0 "), (2e12, "2 T")]
)
def test_large_numbers_take_a_prefix(number, text):
    assert format_scaled(number) == text


def test_one_of_a_thing_is_told_in_the_singular():
    assert [counted(each, "shot") for each in (0, 1, 2, 12_000)] == ["0 shots", "1 shot", "2 shots", "12,000 shots"]


def test_of_many_names_the_first_are_told_and_the_others_counted() -> None:
    assert shorten(("a", "b"), separator="; ") == "a; b"
    assert shorten([str(place) for place in range(11)]) == "0, 1, 2, 3, 4, 5, 6, 7, and 3 more"
    assert shorten(()) == ""
