"""Errors print their first line, so many problems as are read at a glance, and what to do next."""

import transfer
from transfer.errors import MOST, Problem, near_names


def test_of_many_problems_the_first_are_written_and_the_others_counted_before_the_next_step():
    problems = [Problem(f"layer_{k}/kernel", found="none") for k in range(500)]
    lines = str(transfer.TransferError("Nothing fits.", problems, "build another")).splitlines()
    assert lines[0] == "Nothing fits."
    assert lines[1 : MOST + 1] == [f"  layer_{k}/kernel: none" for k in range(MOST)]
    assert lines[MOST + 1 :] == [f"  … and {500 - MOST} more", "  next: build another"]


def test_as_many_problems_as_are_written_are_all_written():
    problems = [Problem(str(k)) for k in range(MOST)]
    assert str(transfer.TransferError("So.", problems)).splitlines() == ["So.", *(f"  {k}" for k in range(MOST))]


def test_names_that_are_like_the_one_written_are_offered_and_no_others():
    known = ["animals", "plants", "recreation", "fun"]
    assert near_names("anmials", known) == "nearest: 'animals'"
    assert near_names("Plant", known, lead="; ") == "; nearest: 'plants'"


def test_where_no_name_is_like_it_a_few_are_all_shown_and_many_are_not():
    assert near_names("shiny", ["recreation", "fun", "alive"], lead="; ") == "; there are 'recreation', 'fun', 'alive'"
    assert near_names("shiny", map(str, range(8))) == f"there are {', '.join(repr(str(k)) for k in range(8))}"
    assert near_names("shiny", map(str, range(9)), lead="; ") == near_names("shiny", [], lead="; ") == ""
