"""What a run's report shows of examples, as its folder keeps it: pictures, doubtful labels, how many were learnt from.

`report.json` holds what it takes the examples and the network to find out, so that the page can be drawn without them.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from transfer.jobs.runs.run_folders import EXAMPLES
from transfer.labellings import Labelling
from transfer.reports.contents import Picture, Suspect
from transfer.specs import Json

_SCHEMA = 1
_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class KeptExamples:
    """What was found of some examples.

    Attributes:
        learnt: for each output (k,) examples of each class to learn from; none for numbers.
        pictures: by the names of examples.
        suspects: labels that are likely wrong, the least likely first; without pictures.
        absent: by the name of a section, why there is nothing in it.
    """

    learnt: tuple[tuple[int, ...], ...] = ()
    pictures: Mapping[str, Picture] = field(default_factory=dict)
    suspects: tuple[Suspect, ...] = ()
    absent: Mapping[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Put it into a run's folder."""
        values = {
            "schema": _SCHEMA,
            "learnt": self.learnt,
            "pictures": {
                name: {"jpeg": _packed(each.jpeg), "attention": _packed(each.attention)}
                for name, each in self.pictures.items()
            },
            "suspects": [_without_picture(each) for each in self.suspects],
            "absent": dict(self.absent),
        }
        (folder / EXAMPLES).write_text(json.dumps(values, indent=1, sort_keys=True) + "\n")


def read_examples_of_run(folder: Path, labelling: Labelling) -> KeptExamples | None:
    """What a run found of its examples; None where it kept nothing, as older ones did not.

    Args:
        folder: of the run.
        labelling: of its outputs.

    Raises:
        ValueError: if the file is there and is not one that a run writes.
    """
    path = folder / EXAMPLES
    if not path.exists():
        return None
    try:
        found = _from_json(json.loads(path.read_text()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"{EXAMPLES} cannot be read ({str(error)[:100]})") from error
    counted, known = [len(each) for each in found.learnt], [len(each.classes) for each in labelling]
    if counted and (
        len(counted) != len(known) or any(one not in (0, k) for one, k in zip(counted, known, strict=True))
    ):
        raise ValueError(f"{EXAMPLES} counts examples of other outputs")
    return found


def _from_json(values: Json) -> KeptExamples:
    if values["schema"] > _SCHEMA:
        raise ValueError("a newer transfer wrote it")
    pictures = {
        str(name): Picture(
            str(name), _unpacked(each["jpeg"], _JPEG), each["attention"] and _unpacked(each["attention"], _PNG)
        )
        for name, each in values["pictures"].items()
    }
    return KeptExamples(
        tuple(tuple(map(int, each)) for each in values["learnt"]),
        pictures,
        tuple(map(_suspect, values["suspects"])),
        {str(name): str(why) for name, why in values["absent"].items()},
    )


def _suspect(values: Json) -> Suspect:
    example, output, given, likely = (str(values[name]) for name in ("example", "output", "given", "likely"))
    probability = float(values["probability"])
    if not 0 <= probability <= 1:
        raise ValueError(f"a label has a probability of {probability:g}")
    return Suspect(example, output, given, likely, probability)


def _without_picture(suspect: Suspect) -> Json:
    values = asdict(replace(suspect, picture=None))
    del values["picture"]
    return values


def _packed(image: bytes | None) -> str | None:
    return None if image is None else b64encode(image).decode("ascii")


def _unpacked(text: str, begins: bytes) -> bytes:
    image = b64decode(text, validate=True)
    if not image.startswith(begins):
        raise ValueError("a picture is of another kind")
    return image
