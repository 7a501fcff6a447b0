"""Networks that cannot be ranked: what is told of them, and what stays an error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from transfer.errors import Problem, TransferError
from transfer.jobs.rankings.opening_candidates import Candidate, is_twin
from transfer.jobs.students.telling_failures import as_told, is_slip, reason_of
from transfer.rankings import FailedCandidate


@contextmanager
def telling(
    candidate: Candidate, failures: list[FailedCandidate], kind: type[Exception] = TransferError
) -> Iterator[None]:
    """Put what goes wrong with a candidate among the failures; slips in calling this package are none of its.

    Args:
        candidate: of which.
        failures: to which it is added.
        kind: of what is put there; all else goes on.
    """
    try:
        yield
    except kind as error:
        if is_slip(error):
            raise
        told = as_told(error)
        failures.append(FailedCandidate(candidate.name, reason_of(told), told.next_step, told.exit_code))


def refer_to_twins(failures: Sequence[FailedCandidate], listed: Sequence[Candidate]) -> tuple[FailedCandidate, ...]:
    """Failures by name; one with random weights that fails as its file does is told to, without saying it all again.

    Args:
        failures: in any order.
        listed: all candidates.
    """
    reasons = {each.candidate: each for each in failures}
    found = dict(reasons)
    for control in listed:
        same = [each.name for each in listed if is_twin(control, each) and each.name in reasons]
        own = reasons.get(control.name)
        if own and same and reasons[same[0]].reason == own.reason:
            found[control.name] = replace(own, reason=f"as {same[0]}", next_step="")
    return tuple(found[name] for name in sorted(found))


def none_left(failures: Sequence[FailedCandidate]) -> TransferError:
    """An error of the kind of the worst failure.

    Args:
        failures: of all candidates, at least one.
    """
    worst = max(each.exit_code for each in failures)
    kinds = {kind.exit_code: kind for kind in reversed(TransferError.__subclasses__())}
    problems = [Problem(each.candidate, found=each.reason) for each in failures]
    steps = dict.fromkeys(each.next_step for each in failures if each.next_step)
    count = len(failures)
    summary = "The candidate cannot be ranked." if count == 1 else f"None of the {count} candidates can be ranked."
    return kinds.get(worst, TransferError)(summary, problems, next_step="; ".join(list(steps)[:2]))
