"""Networks that cannot be ranked: what is told of them, and what stays an error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from traceback import walk_tb

from transfer.errors import Problem, TransferError
from transfer.jobs.opening_candidates import Candidate, is_twin
from transfer.rankings import FailedCandidate

_SLIPS = (ArithmeticError, AssertionError, AttributeError, LookupError, NameError, TypeError, ValueError)
_LONGEST = 200  # characters of what another library says


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
        if _is_slip(error):
            raise
        failures.append(_failed(candidate, error if isinstance(error, TransferError) else _foreign(error)))


def _is_slip(error: Exception) -> bool:
    """Whether an error says that a function of this package was called wrongly, or is itself wrong."""
    *_, (frame, _) = walk_tb(error.__traceback__)
    return isinstance(error, _SLIPS) and frame.f_globals.get("__name__", "").startswith("transfer.")


def _foreign(error: Exception) -> TransferError:
    """What another library says, in one sentence."""
    lines = [line.strip() for line in str(error).splitlines()]
    traced = [
        place for place, line in enumerate(lines) if line.startswith('File "')
    ]  # what TensorFlow says comes behind
    says = " ".join(" ".join(lines[traced[-1] + 1 :] if traced else lines).split())
    first = says if len(says) <= _LONGEST else f"{says[:_LONGEST]}…"
    return TransferError(f"It cannot be run: {type(error).__name__}{f': {first}' if first else ''}")


def _failed(candidate: Candidate, error: TransferError) -> FailedCandidate:
    reason = " ".join([error.summary, *map(_in_line, error.problems[:1])])
    return FailedCandidate(candidate.name, " ".join(reason.split()), error.next_step, error.exit_code)


def _in_line(problem: Problem) -> str:
    where, *sides = str(problem).splitlines()
    return f"{where}: {', '.join(sides)}" if sides else where


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
    summary = f"None of the {len(failures)} candidates can be ranked."
    return kinds.get(worst, TransferError)(summary, problems, next_step="; ".join(list(steps)[:2]))
