"""What is judged about an installation, from plain facts."""

import pytest

from transfer.jobs.installation.examining_installation import parse_requirement
from transfer.jobs.installation.installation_findings import (
    Examination,
    Finding,
    judge_codecs,
    judge_combinations,
    judge_extras,
    judge_hdf5,
    judge_memory,
    judge_python,
    judge_room,
    judge_versions,
)


def states(findings):
    return [(each.what, each.state) for each in findings]


@pytest.mark.parametrize(("version", "state"), [((3, 10), "warn"), ((3, 11), "ok"), ((3, 13), "ok"), ((3, 14), "warn")])
def test_pythons_that_are_tested_are_told(version, state):
    found = judge_python(version, "3.x")
    assert found.state == state
    assert ("3.11 to 3.13" in found.found) == (state == "warn")


@pytest.mark.parametrize(
    ("version", "state"),
    [
        ("2.20.0", "ok"),
        ("2.20", "ok"),
        ("2.21.0rc1", "ok"),
        ("3", "ok"),
        ("2.19.9", "fail"),
        ("2.3", "fail"),
        (None, "fail"),
    ],
)
def test_versions_are_compared_as_numbers(version, state):
    (found,) = judge_versions({"tensorflow": "2.20"}, {} if version is None else {"tensorflow": version})
    assert (found.what, found.state) == ("tensorflow", state)
    assert found.advice == ("" if state == "ok" else "pip install 'tensorflow>=2.20'")


def test_an_extra_that_is_not_there_is_no_fault_and_says_how_it_would_be():
    found = {each.what: each for each in judge_extras({"a": ["x", "y"], "b": ["z"]}, {"x": "1", "z": "1"})}
    assert states(found.values()) == [("extra a", "ok"), ("extra b", "ok")]
    assert found["extra a"].found == "not installed: y"
    assert "h5transfer[a]" in found["extra a"].advice
    assert found["extra b"].advice == ""


@pytest.mark.parametrize(
    ("packages", "environment", "expected"),
    [
        ({"tensorflow": "2.21", "numpy": "2.4", "h5py": "3.15"}, {}, []),
        ({"tensorflow": "2.17.1", "numpy": "2.0"}, {}, [("packages", "fail")]),
        ({"tensorflow": "2.17.1", "numpy": "1.26.4"}, {}, []),
        ({"numpy": "2.1", "h5py": "3.10.0"}, {}, [("packages", "fail")]),
        ({"tensorflow": "2.21", "tensorflow-cpu": "2.21"}, {}, [("packages", "warn")]),
        ({"tensorflow-metal": "1.2"}, {}, [("packages", "warn")]),
        ({}, {"TF_USE_LEGACY_KERAS": "1"}, [("settings", "warn")]),
        ({}, {"TF_USE_LEGACY_KERAS": "0"}, []),
        ({}, {"KERAS_BACKEND": "jax"}, [("settings", "warn")]),
        ({}, {"KERAS_BACKEND": "tensorflow"}, []),
    ],
)
def test_what_does_not_go_together_is_named_with_what_to_do(packages, environment, expected):
    found = list(judge_combinations(packages, environment))
    assert states(found) == expected
    assert all(each.advice for each in found)


def test_settings_of_hdf5_that_matter_are_told():
    assert states(judge_hdf5("1.14", {})) == [("HDF5", "ok")]
    set_all = {"HDF5_PLUGIN_PATH": "/plugins", "HDF5_USE_FILE_LOCKING": "TRUE"}
    assert states(judge_hdf5("1.14", set_all))[1:] == [("HDF5 plugins", "warn"), ("HDF5 locking", "warn")]
    assert states(judge_hdf5("1.14", {"HDF5_USE_FILE_LOCKING": "FALSE"})) == [("HDF5", "ok")]


def test_little_room_little_memory_and_no_jpeg_are_told():
    assert judge_room("cache", "/c", 5 * 2**30, is_writable=True).state == "ok"
    assert judge_room("cache", "/c", 2**29, is_writable=True).state == "warn"
    assert judge_room("cache", "/c", None, is_writable=False).state == "fail"
    assert judge_memory(16 * 2**30, 8 * 2**30).state == "ok"
    assert judge_memory(16 * 2**30, 2**30).state == "warn"
    assert judge_memory(None, None).state == "ok"
    assert judge_codecs({"PNG": True, "JPEG": True, "AVIF": False}) == Finding("pictures", "ok", "PNG, JPEG; not AVIF")
    assert judge_codecs({"PNG": True, "JPEG": False}).state == "fail"


def test_an_examination_fails_with_any_of_its_findings():
    fine, bad = Finding("a", "warn", "x", "y"), Finding("b", "fail", "x", "y")
    assert not Examination((fine,)).has_failed
    assert Examination((fine, bad)).has_failed
    assert Examination((bad,)).to_json() == {
        "healthy": False,
        "findings": [{"what": "b", "state": "fail", "found": "x", "advice": "y"}],
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("scikit-learn>=1.8", ("scikit-learn", "1.8")),
        ("ml_dtypes >= 0.5", ("ml-dtypes", "0.5")),
        ("pyarrow>=16.1; extra == 'parquet'", ("pyarrow", "16.1")),
        ("rich", ("rich", "")),
        ("x; python_version >= '3.12'", ("x", "")),
    ],
)
def test_requirements_are_read_as_the_metadata_writes_them(text, expected):
    assert parse_requirement(text) == expected
