"""Results that others have published, from a table of the caller's."""

from __future__ import annotations

import csv
import math
import os
from pathlib import Path

from transfer.errors import DataError, Problem, nearest
from transfer.evidence.leaderboards import Published

COLUMNS = ("task", "name", "score", "source")


def read_published(path: str | os.PathLike[str]) -> tuple[Published, ...]:
    """Rows of a CSV with the columns task, name, score, source and, if it has it, n, the number of test examples.

    Raises:
        DataError: if it cannot be read, or a row lacks something; all such rows are named.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            rows = [(reader.line_num, row) for row in reader]
            names = [each.strip() for each in reader.fieldnames or ()]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read: {error}.") from error
    missing = [each for each in COLUMNS if each not in names]
    if missing:
        near = [Problem(each, "a column", f"none; nearest: {nearest(each, names) or 'none'}") for each in missing]
        raise DataError(f"{path} lacks columns.", near, "its first line is: task,name,score,source,n")
    problems: list[Problem] = []
    found = [each for line, row in rows if (each := _read(line, row, problems))]
    if problems:
        raise DataError(f"{path} has rows that are no results.", problems)
    return tuple(found)


def _read(line: int, row: dict[str, str], problems: list[Problem]) -> Published | None:
    cells = {str(name).strip(): value.strip() for name, value in row.items() if isinstance(value, str)}
    if not any(cells.values()):
        return None
    where, before = f"line {line}", len(problems)
    problems += [Problem(where, f"a {each}", "nothing") for each in COLUMNS if not cells.get(each)]
    score, count = _number(cells.get("score", "")), cells.get("n", "")
    if cells.get("score") and score is None:
        problems.append(Problem(where, "a score that is a number", cells["score"]))
    if count and not (count.isdecimal() and int(count)):
        problems.append(Problem(where, "n, a number of test examples above 0", count))
    if len(problems) > before or score is None:
        return None
    return Published(cells["task"], cells["name"], score, cells["source"], int(count) if count else None, line)


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None
