"""An audit as a table in which labels are corrected, to be given back as the table of labels."""

from __future__ import annotations

import csv
import os
from pathlib import Path

from transfer.data.column_names import CORRECTIONS
from transfer.evidence.label_audit import DoubtedLabel, LabelAudit
from transfer.placing import placed_file


def write_corrections(audit: LabelAudit, path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Write all labels of an audit, the most doubtful first, as a CSV.

    Of one output of classes it has the columns `file`, `label`, `suggested` and `score`: a set read with it (`labels=`,
    --labels) has the labels that stand there then. Suggested is only what is likely meant instead. Of several outputs
    each row is a question, named in a column of that name; such a table is to read, not to give back.

    Raises:
        OutputError: if `path` exists and `force` is false, or it cannot be written.
    """
    is_single = not any(each.question for each in audit.labels)
    columns = CORRECTIONS if is_single else (CORRECTIONS[0], "question", *CORRECTIONS[1:])
    with (
        placed_file(Path(path), force=force) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as stream,
    ):
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(_row(each, is_single=is_single) for each in audit.labels)
        writer.writerows((*each, "", "") for each in audit.others)


def _row(each: DoubtedLabel, *, is_single: bool) -> tuple[str, ...]:
    suggested = each.suggested if each.is_suspect else ""
    return (each.name, *(() if is_single else (each.question,)), each.label, suggested, f"{each.score:.4g}")
