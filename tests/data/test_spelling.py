"""Names that look misspelled, by hand; the distance beside its definition by recursion."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfer.data.spelling import find_misspellings, misspellings, slips, spelling_warning
from transfer.labellings import Labelling, Output


@pytest.mark.parametrize(
    ("name", "count", "near", "near_count"),
    [
        ("anmials", 2, "animals", 60),  # neighbours that changed places
        ("animlas", 1, "animals", 5),
        ("animal", 3, "animals", 60),
        ("anmials", 7, "animals", 80),  # not few, but a tenth of the other
        ("naimals", 1, "animals", 60),
        ("recraetoin", 1, "recreation", 60),  # two slips in a long word
        ("Animals", 50, "animals", 60),  # capitals alone, whatever the counts
        ("sea animals", 30, "sea  animals", 60),
        ("sea_animals", 2, "sea animals", 60),
        ("sea anmials", 2, "sea animals", 60),
    ],
)
def test_a_rare_name_a_slip_away_from_a_common_one_looks_misspelled(name, count, near, near_count):
    (found,) = misspellings([("plants", 40), (name, count), (near, near_count)])
    assert (found.name, found.count, found.near, found.near_count) == (name, count, near, near_count)


@pytest.mark.parametrize(
    ("name", "count", "near", "near_count"),
    [
        ("class1", 2, "class2", 60),
        ("class 10", 1, "class 1", 60),
        ("category a", 2, "category b", 60),
        ("cat", 1, "car", 60),
        ("rat", 1, "rats", 60),
        ("apple", 40, "apples", 60),  # both are common
        ("animals", 1, "animalz", 4),  # both are rare
        ("abnormal", 2, "normal", 60),  # another beginning
        ("inactive", 2, "active", 60),
        ("mouse", 1, "horse", 60),  # two letters of five
        ("female", 1, "male", 60),
        ("major", 1, "minor", 60),
        ("A", 30, "a", 60),
        ("anmials", 0, "animals", 60),
    ],
)
def test_names_that_are_another_thing_do_not(name, count, near, near_count):
    assert misspellings([(name, count), (near, near_count)]) == []


def recursive(word: str, other: str) -> int:
    """The distance as it is defined."""

    @cache
    def least(i: int, j: int) -> int:
        if not (i and j):
            return i + j
        ways = [least(i - 1, j) + 1, least(i, j - 1) + 1, least(i - 1, j - 1) + (word[i - 1] != other[j - 1])]
        if i > 1 and j > 1 and word[i - 1] == other[j - 2] and word[i - 2] == other[j - 1]:
            ways.append(least(i - 2, j - 2) + 1)
        return min(ways)

    return least(len(word), len(other))


@given(st.text("abc", max_size=7), st.text("abc", max_size=7))
def test_slips_are_counted_as_they_are_defined(word, other):
    assert slips(word, other) == recursive(word, other) == slips(other, word)


def test_of_each_the_examples_are_named_and_of_several_outputs_the_output():
    labelling = Labelling(
        (Output("kind", classes=("animals", "anmials")), Output("tags", "sigmoid", ("alive", "alvie", "old")))
    )
    kind = np.array([1] * 4 + [0] * 60)
    tags = np.zeros((64, 3), np.int64)
    tags[:30, 0] = tags[40, 1] = 1
    found = find_misspellings(labelling, [kind, tags], [f"{place}.png" for place in range(64)])
    assert [str(each) for each in found] == [
        "kind: 'anmials' (4 examples: 0.png, 1.png, 2.png, …) looks like 'animals' (60)",
        "tags: 'alvie' (1 example: 40.png) looks like 'alive' (30)",
    ]
    assert find_misspellings(Labelling(labelling.outputs[:1]), [kind], [""] * 64)[0].output == ""
    assert "are they misspelled?" in spelling_warning(found)
    assert "; is it misspelled? Mend it; a labelling that lists the classes refuses others" in spelling_warning(
        found[:1]
    )
    assert spelling_warning([]) == ""
