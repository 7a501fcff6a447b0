"""What makes scores of runs hard to compare: other questions, other examples, or some that another run learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from transfer.evidence.known_runs import KnownRun
from transfer.evidence.run_pairs import common_rows, comparable
from transfer.tabulating import shorten


def warn_of_tests(known: Sequence[KnownRun], able: Sequence[KnownRun]) -> list[str]:
    """What is to be minded of runs: other questions, other examples, examples that another one learnt from."""
    warnings = [
        f"{run.name}: its examples are of groups, and which was not kept: it is not told apart from others"
        for run in able
        if run.groups_unknown and len(able) > 1
    ]
    alike: dict[str, list[KnownRun]] = {}
    for run in known:
        told = (run.task, run.tested, sorted(run.learnt), run.test_set.get("digest"), run in able)
        alike.setdefault(repr(told), []).append(run)
    for one, other in combinations(alike.values(), 2):
        warnings += _of_two(one[0], other[0], _joined(one), _joined(other))
    return warnings


def _joined(runs: Sequence[KnownRun]) -> str:
    return shorten([run.name for run in runs])


def _of_two(one: KnownRun, other: KnownRun, name: str, its_name: str) -> list[str]:
    """The same of two runs, or of those that are like them in this."""
    names = f"{name} and {its_name}"
    if one.task != other.task:
        return [f"{names} answer other questions: they are not compared"]
    warnings = _of_leaks(one, other, name, its_name) + _of_leaks(other, one, its_name, name)
    if one.own is None or other.own is None:
        if set(one.tested) != set(other.tested):
            warnings.append(f"{names} were tested on other examples: their scores are of other questions")
        return warnings
    rows = common_rows([one, other]) if comparable(one, other) else None
    if rows is None:
        return [*warnings, f"{names} have no test example in common: they are not compared"]
    shared = len(rows[one.name])
    if not shared == len(one.tested) == len(other.tested):
        told = f"{len(one.tested)} and {len(other.tested)} test examples, {shared} of them in common"
        warnings.append(f"{names} have {told}: they are compared on these, their scores are of all")
    if _by_names(one, other):
        warnings.append(f"{names} have test sets of other digests: examples are taken for the same by their names")
    return warnings


def _by_names(one: KnownRun, other: KnownRun) -> bool:
    digests = all(each.answers and each.answers.digests for each in (one, other))
    return not digests and one.test_set.get("digest") != other.test_set.get("digest")


def _of_leaks(tested: KnownRun, learnt: KnownRun, name: str, its_name: str) -> list[str]:
    """Examples that one run, called `name`, is tested on and another one has learnt from."""
    known = frozenset(learnt.asked.get("learnt") or ())
    if tested.answers is not None and tested.answers.digests:
        count = sum(each in known for each in tested.answers.digests)
    elif comparable(tested, learnt):
        count = len(learnt.learnt & set(tested.tested))
    else:
        return []
    if not count:
        return []
    return [f"{its_name} learnt from {count} of the {len(tested.tested)} examples that {name} is tested on"]
