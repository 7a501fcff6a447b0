"""What is told of an error that ends one piece of work and not the whole: a candidate to rank, a trial of a sweep."""

from __future__ import annotations

from traceback import walk_tb

from transfer.errors import Problem, TransferError

_SLIPS = (ArithmeticError, AssertionError, AttributeError, LookupError, NameError, TypeError, ValueError)
_LONGEST = 200  # characters of what another library says


def is_slip(error: Exception) -> bool:
    """Whether an error says that a function of this package was called wrongly, or is itself wrong."""
    *_, (frame, _) = walk_tb(error.__traceback__)
    return isinstance(error, _SLIPS) and frame.f_globals.get("__name__", "").startswith("transfer.")


def as_told(error: Exception) -> TransferError:
    """The same error, or what another library says in one sentence."""
    if isinstance(error, TransferError):
        return error
    lines = [line.strip() for line in str(error).splitlines()]
    traced = [
        place for place, line in enumerate(lines) if line.startswith('File "')
    ]  # what TensorFlow says comes behind
    says = " ".join(" ".join(lines[traced[-1] + 1 :] if traced else lines).split())
    first = says if len(says) <= _LONGEST else f"{says[:_LONGEST]}…"
    return TransferError(f"It cannot be run: {type(error).__name__}{f': {first}' if first else ''}")


def reason_of(error: TransferError) -> str:
    """What it says, with the first of its problems, in one line."""
    return " ".join(" ".join([error.summary, *map(_in_line, error.problems[:1])]).split())


def _in_line(problem: Problem) -> str:
    where, *sides = str(problem).splitlines()
    return f"{where}: {', '.join(sides)}" if sides else where
