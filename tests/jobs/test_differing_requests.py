"""In what two requests differ is told in the words in which they were made."""

import copy
import json

import pytest

from transfer.errors import OutputError
from transfer.jobs.runs.differing_requests import differences, refuse_other

THERE = {
    "recipe": {
        "name": "lp-ft",
        "seed": 0,
        "validation": 0.2,
        "stages": [{"kind": "probe"}, {"kind": "tune", "epochs": 10, "rate": 1e-4, "unfreeze": ["a", "b"]}],
    },
    "shots": 40,
    "test_share": None,
    "input": {"kind": "images", "size": [92, 92]},
    "preprocessing": {"size": [96, 96], "background": 255},
    "network": {"graph": "a" * 64, "name": "net", "layers": 9, "tensors": "b" * 64},
    "data": {"source": "photos", "examples": 3, "classes": ["x", "y"], "digest": "c" * 64},
    "test": None,
    "versions": {"keras": "3.15.1"},
}


def changed(**changes):
    """The request with other values, each by its path, `__` between the parts."""
    asked = copy.deepcopy(THERE)
    for path, value in changes.items():
        *parts, last = path.split("__")
        inner = asked
        for part in parts:
            inner = inner[int(part) if part.isdecimal() else part]
        inner[last] = value
    return asked


def told(asked):
    return [(each.where, each.expected, each.found) for each in differences(asked, json.loads(json.dumps(THERE)))]


def test_the_same_request_differs_in_nothing():
    assert told(THERE) == []
    assert told(changed(preprocessing={"background": 255, "size": (96, 96)})) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"shots": 20}, ("shots", "20", "40")),
        ({"time_limit": 90.0}, ("time_limit", "90", "none")),
        ({"recipe__seed": 7, "network__graph": "d" * 64}, ("seed", "7", "0")),
        ({"recipe__stages__1__rate": 3e-5}, ("stages.1.rate", "3e-05", "0.0001")),
        ({"recipe__stages__1__unfreeze": ()}, ("stages.1.unfreeze", "none", "a, b")),
        ({"recipe__stages": [{"kind": "probe"}]}, ("stages", "probe", "probe, tune")),
        (
            {"preprocessing__size": (128, 160), "input__size": (1, 1), "network__graph": "d" * 64},
            ("size", "128 x 160", "96 x 96"),
        ),
        ({"data__source": "pictures"}, ("data", "pictures", "photos")),
        ({"data__digest": "e" * 64}, ("data, its examples and labels", "e" * 12, "c" * 12)),
        (
            {"network__graph": "d" * 64, "network__layers": 7},
            ("network, its layers and preprocessing", "d" * 12, "a" * 12),
        ),
        ({"network__tensors": "f" * 64}, ("network, its weights", "f" * 12, "b" * 12)),
        ({"versions__keras": "3.16.0"}, ("versions.keras", "3.16.0", "3.15.1")),
    ],
    ids=str,
)
def test_what_differs_is_named_with_what_is_asked_for_and_what_is_there(changes, expected):
    assert told(changed(**changes)) == [expected]


def test_six_are_written_out_and_the_others_named(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps({"schema": 1, **THERE}))
    names = ("shots", "recipe__seed", "recipe__validation", "data__source", "data__examples", "network__tensors")
    asked = changed(**dict.fromkeys((*names, "test_share", "network__name"), 5))
    with pytest.raises(OutputError) as caught:
        refuse_other(tmp_path, asked)
    found = [each.where for each in caught.value.problems]
    assert found == ["seed", "shots", "test_share", "data", "data.examples", "validation", "2 more"]
    assert caught.value.problems[-1].found == "network.name, network, its weights"
    assert "--force" in caught.value.next_step
    assert "-o" in caught.value.next_step


@pytest.mark.parametrize("text", [None, "no json", "{}", '{"schema": 1}', '{"schema": 1, "recipe": [2], "network": 3}'])
def test_what_is_no_run_is_left_to_others(tmp_path, text):
    if text:
        (tmp_path / "run.json").write_text(text)
    refuse_other(tmp_path, THERE)
