"""Cells of a page and what they are sorted by."""

import pytest

from transfer.reports.tables import Cell, read_number, table_of


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.580", 0.58),
        ("58/100", 58),
        ("1,280", 1280),
        ("15.47 G", 15.47e9),
        ("≥ 600 M", 600e6),
        ("-0.030 to +0.070", -0.03),
        ("+0.32 [+0.2, +0.4]", 0.32),
        ("12 % of 17", 0.12),
        ("inf", float("inf")),
        ("1e-05", 1e-5),
        ("-", None),
        ("", None),
        ("information", None),
    ],
)
def test_a_printed_number_is_read(text, value):
    assert read_number(text) == (pytest.approx(value) if value is not None else None)


def test_only_columns_of_numbers_are_sorted_as_numbers():
    table = table_of("scores", ("way", "right"), [("7 nearest", "9/10"), ("probe", Cell("all", 10.0))], ("right",))
    assert table.numbers == (False, True)
    assert [[cell.key for cell in row] for row in table.rows] == [[None, 9.0], [None, 10.0]]


def test_cells_break_between_words_and_long_names_within():
    texts = ("short", "two or three words", "two words and then some more", "x" * 30)
    assert [Cell(text).width for text in texts] == ["short", "", "wide", "long"]
