"""What a network has learnt from before: examples among those that it is tested on make its accuracy too good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import keras

from transfer.errors import DataError
from transfer.jobs.runs.run_folders import ASKED, MODEL, read_asked
from transfer.jobs.students.preparing import Student
from transfer.results import Receipt
from transfer.surgery.network import Network
from transfer.weights.cards import Card

TUNED = "fine-tuned"  # how a card's history begins to tell of a run


@dataclass(frozen=True, slots=True)
class LearntBefore:
    """What is known of that.

    Attributes:
        name: of the file, or of the network.
        digests: of the contents of examples that it has learnt from.
        folder: of the run that these were learnt in; None for none.
        is_open: whether it was fine-tuned on examples of which nothing is known.
    """

    name: str = ""
    digests: frozenset[str] = field(default=frozenset(), repr=False)
    folder: Path | None = None
    is_open: bool = False

    def count(self, tested: Sequence[str]) -> int:
        """How many examples of these digests it has learnt from."""
        return sum(each in self.digests for each in tested)

    def warnings(self, tested: Sequence[str]) -> tuple[str, ...]:
        """What is said of test examples of these digests that it has learnt from; nothing where there are none."""
        known = self.count(tested)
        told = f"{known} of the {len(tested)} test examples are among those that {self.name} has learnt from"
        return (f"{told}: its accuracy is too good",) if known else ()

    @property
    def notes(self) -> tuple[str, ...]:
        """That nothing is known, where it is so."""
        if not self.is_open:
            return ()
        beside = "before that run" if self.folder else "and no run stands beside it"
        return (f"{self.name} was fine-tuned {beside}: whether it has learnt from test examples then is not known",)


def find_learnt(name: str, source: str, card: Card | None) -> LearntBefore:
    """Look up what a network has learnt from, in the run whose folder its file lies in.

    Args:
        name: for messages.
        source: path of its file; empty where there is none.
        card: that travels with it, and says whether it was fine-tuned.
    """
    tuned = sum(each.startswith(TUNED) for each in card.history) if card is not None else 0
    path = Path(source)
    if source and (tuned or path.name == MODEL) and (path.parent / ASKED).is_file():
        learnt = _learnt(path.parent)
        if learnt is not None:
            return LearntBefore(name, learnt, path.parent, is_open=tuned > 1)
    return LearntBefore(name, is_open=tuned > 0)


def learnt_by(student: keras.Model | Student, network: Network, receipt: Receipt | None = None) -> LearntBefore:
    """What a student has learnt from.

    Args:
        student: with a path, or a Keras model.
        network: of it.
        receipt: how its weights were restored, where that is known besides.
    """
    own = student.source if isinstance(student, Student) else ""
    source = own or (receipt.source if receipt is not None else "")
    return find_learnt(Path(source).name or "the network", source, network.card)


def _learnt(folder: Path) -> frozenset[str] | None:
    """Digests that a run keeps; None where it keeps none."""
    try:
        found = read_asked(folder).get("learnt")
    except (DataError, AttributeError):
        return None
    return frozenset(map(str, found)) if isinstance(found, list) else None
