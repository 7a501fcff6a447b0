"""Rows of a table: whatever a spreadsheet wrote gives the same cells, with the lines on which they stand."""

import csv
import io
from pathlib import PurePosixPath

import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfer.data import sheets
from transfer.data.rows import Row, parse_table
from transfer.data.sheets import looks_like_sheet
from transfer.errors import DataError

EXPECTED = (Row(2, "cat/a.png", "cat"), Row(3, "dog/b.png", "dog"))


def is_picture(cell: str) -> bool:
    return PurePosixPath(cell).suffix == ".png"


def parse(content):
    return parse_table(content.encode() if isinstance(content, str) else content, "labels.csv", is_picture)


def refused(content) -> DataError:
    with pytest.raises(DataError) as caught:
        parse(content)
    return caught.value


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("last", [True, False])
def test_separators_line_ends_and_byte_order_marks_make_no_difference(delimiter, end, mark, last):
    lines = ["file,label", "cat/a.png,cat", "dog/b.png,dog"]
    content = mark + end.join(lines).replace(",", delimiter) + end * last
    assert parse(content).rows == EXPECTED


@pytest.mark.parametrize(
    "header",
    ["file,label", "path,class", "image,label", "filename,breed", "File Name,Class", "IMAGE-PATH,species", '"file",x'],
)
def test_columns_are_known_by_their_names(header):
    assert parse(f"{header}\ncat/a.png,cat\ndog/b.png,dog").rows == EXPECTED


@pytest.mark.parametrize("header", ["label,file", "species,path", "class,whatever"])
def test_columns_may_stand_the_other_way_round(header):
    assert parse(f"{header}\ncat,cat/a.png\ndog,dog/b.png").rows == EXPECTED


def test_a_table_may_begin_with_its_first_picture():
    assert parse("cat/a.png;cat\ndog/b.png;dog").rows == (Row(1, "cat/a.png", "cat"), Row(2, "dog/b.png", "dog"))


def test_a_header_keeps_its_meaning_where_a_file_has_the_name_of_a_column():
    table = parse_table(b"file,label\na,cat\n", "labels.csv", lambda cell: cell in {"file", "label", "a"})
    assert table.rows == (Row(2, "a", "cat"),)


def test_path_and_class_are_found_among_more_columns_and_the_others_are_told():
    table = parse("id,filename,width,class\n1,cat/a.png,640,cat\n2,dog/b.png,480,dog\n")
    assert table.rows == EXPECTED
    assert table.unused == ("id", "width")


@pytest.mark.parametrize(
    ("first", "shown"),
    [
        ("a,b", "2: 'a', 'b'"),
        ("file", "1: 'file'"),
        ("id,filename,path,class", "4: 'id', 'filename', 'path', 'class'"),
        ("file,label,class", "3: 'file', 'label', 'class'"),
        ("cat/a.png,cat,1", "3: 'cat/a.png', 'cat', '1'"),
        ("cat,cat/a.png", "2: 'cat', 'cat/a.png'"),
    ],
)
def test_columns_that_cannot_be_told_are_listed(first, shown):
    error = refused(f"\n{first}\nx,y,z,w\n")
    assert [(problem.where, problem.found) for problem in error.problems] == [("labels.csv line 2", shown)]
    assert "file,label" in error.next_step


def test_lines_are_counted_across_blank_ones_and_quoted_line_breaks():
    table = parse('file,label\n\n"a\nb.png",cat\r\n,\n   \n c.png , dog \n')
    assert table.rows == (Row(3, "a\nb.png", "cat"), Row(7, "c.png", "dog"))


def test_quotes_hold_separators_and_quotes():
    assert parse('file,label\n"a,""b"".png", "c, d"\n').rows == (Row(2, 'a,"b".png', "c, d"),)


def test_a_separator_in_a_name_that_is_not_quoted_is_told_and_the_row_not_used():
    table = parse("file,label\na.png,cat\nb,c.png,dog\nd.png,dog,,\n")
    assert [row.line for row in table.rows] == [2, 4]
    assert [(each.where, each.expected) for each in table.faults] == [("labels.csv line 3", "2 cells")]
    assert "'b', 'c.png', 'dog'" in table.faults[0].found


def test_a_row_that_is_too_short_has_an_empty_label():
    assert parse("file,label\na.png\n").rows == (Row(2, "a.png", ""),)


@pytest.mark.parametrize("rest", ['"b.png,dog\nc.png,cat\n', '"b.png"x,dog\n', '"b.png,dog'])
def test_a_stray_quote_is_told_with_the_line_where_it_opens(rest):
    table = parse("file,label\na.png,cat\n" + rest)
    assert [row.path for row in table.rows] == ["a.png"]
    assert [problem.where for problem in table.faults] == ["labels.csv line 3"]
    assert "quote" in table.faults[0].found


def test_a_quote_that_swallows_a_whole_table_is_told():
    table = parse('file,label\n"a.png,cat\n' + "b.png,dog\n" * 50_000)
    assert [problem.where for problem in table.faults] == ["labels.csv line 2"]


@pytest.mark.parametrize("content", ["", "\n\r\n  \n", "\ufeff", "file,label\n", "file,label\n,\n"])
def test_a_table_without_rows_is_refused(content):
    assert refused(content).problems[0].where == "labels.csv"


def test_every_line_that_is_not_utf8_is_named():
    error = refused("file,label\na.png,Bär\nb.png,Hund\nc.png,Kätzchen\n".encode("latin-1"))
    assert [problem.where for problem in error.problems] == ["labels.csv line 2", "labels.csv line 4"]
    assert error.problems[0].expected == "text in UTF-8"
    assert "0xe4" in error.problems[0].found


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32-be"])
def test_wide_encodings_are_refused(encoding):
    assert refused("file,label\na.png,cat\n".encode(encoding)).problems[0].where == "labels.csv line 1"


def test_a_huge_field_is_refused_with_its_line():
    error = refused("file,label\na.png,cat\nb.png," + "x" * 10**6 + "\n")
    assert [(problem.where, problem.found) for problem in error.problems] == [("labels.csv line 3", "1000007")]


def test_more_rows_than_are_taken_are_refused(monkeypatch):
    monkeypatch.setattr(sheets, "_MAX_ROWS", 3)
    assert len(parse("file,label\n\na.png,cat\nb.png,dog\n").rows) == 2
    assert refused("file,label\na.png,cat\nb.png,dog\nc.png,dog\n").problems[0].expected == "at most 3 rows"


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (b"file,label\n", True),
        (b"\xef\xbb\xbfpath;class\r\n", True),
        (b"\n1.png\tcat\n", True),
        (b"a,b\n1,2\n", False),
        (b"1.png\n", False),
        (b"", False),
        (b"\x89PNG\r\n\x1a\n\0\0\0,.png", False),
        (b"f\0i\0l\0e\0,\0l\0a\0b\0e\0l\0", False),
    ],
)
def test_a_table_is_known_by_how_it_starts(start, expected):
    assert looks_like_sheet(start, is_picture) is expected


CELL = st.text(st.characters(exclude_characters="\0\r\n", exclude_categories=["Cs"]), min_size=1, max_size=12)


@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=8), st.sampled_from(",;\t|"))
def test_what_the_csv_module_and_pandas_write_is_read_as_pandas_reads_it(pairs, delimiter):
    written = [("file", "label"), *((f"x{path}.png", f"x{label}x") for path, label in pairs)]
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=delimiter).writerows(written)
    frame = pandas.read_csv(io.StringIO(stream.getvalue()), sep=delimiter, dtype=str, keep_default_na=False)
    for content in (stream.getvalue(), frame.to_csv(sep=delimiter, index=False)):
        table = parse(content)
        assert [(row.path, row.label) for row in table.rows] == list(frame.itertuples(index=False, name=None))
        assert [row.line for row in table.rows] == list(range(2, len(written) + 1))
