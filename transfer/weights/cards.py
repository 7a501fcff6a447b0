"""The card: what an HDF5 file does not say of itself.

A file that `transfer` writes carries its card as one string attribute of the root, a `.keras` archive as a member; a
sidecar `NAME.card.json` serves the files of others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from math import prod
from pathlib import Path

from transfer.errors import CheckpointError, Problem
from transfer.html_tables import as_html
from transfer.specs import Json, Preprocessing
from transfer.tabulating import shorten
from transfer.weights.digests import digest_json, digest_manifest

ATTRIBUTE = "transfer_card"
MEMBER = "transfer_card.json"
SCHEMA = 2
_FIRST = 1  # its digest covers the digests of tensors alone
LARGEST_INPUT = 1 << 24  # numbers in a recorded input: a card must not ask for the machine's memory
INPUT_TYPES = {"float16", "float32", "float64", "bfloat16", "int8", "uint8", "int16", "int32", "int64", "bool"}


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A seeded input and what the network made of it when the file was written.

    Attributes:
        seed: of the input, which is uniform in [0, 1).
        shapes: of each input, the batch included.
        dtypes: of each input.
        outputs: for each output, up to 64 of its values, evenly spaced over the flattened array.
    """

    seed: int
    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[str, ...]
    outputs: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Card:
    """What goes with a set of weights.

    Attributes:
        name: what people call it.
        architecture: the model's config as Keras 3 serialises it, input sizes open where they may be.
        preprocessing: how raw images become its input; None where the input is taken as it comes.
        classes: names of its outputs; empty for a backbone.
        features: the layer at which its features end; empty where the architecture tells.
        origin: where the weights are from.
        licence: under which terms.
        fingerprint: recorded outputs, to prove a restored model.
        digests: sha256 of each tensor by its name in the file.
        outline: sha256 of all that the file holds beside values and card: names, shapes, types, attributes, config.
        history: what has been done to it, oldest first.
    """

    name: str = ""
    architecture: Json = None
    preprocessing: Preprocessing | None = None
    classes: tuple[str, ...] = ()
    origin: str = ""
    licence: str = ""
    fingerprint: Fingerprint | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    outline: str = ""
    history: tuple[str, ...] = ()
    features: str = ""

    def without_proof(self) -> Card:
        """The card for changed weights: what was recorded of the old ones no longer holds."""
        return replace(self, fingerprint=None, digests={}, outline="")

    def _repr_html_(self) -> str:
        """Of a notebook: what a person reads of it."""
        look = asdict(self.preprocessing) if self.preprocessing else {}
        told = [
            ("name", self.name),
            ("architecture", str((self.architecture or {}).get("class_name", ""))),
            ("preprocessing", ", ".join(f"{name} {value}" for name, value in look.items())),
            ("classes", f"{len(self.classes)}: {shorten(self.classes)}" if self.classes else ""),
            ("features", self.features),
            ("origin", self.origin),
            ("licence", self.licence),
            ("recorded outputs", f"{sum(map(len, self.fingerprint.outputs))} values" if self.fingerprint else ""),
            ("digests", f"of {len(self.digests)} tensors" if self.digests else ""),
            *(("history", each) for each in self.history),
        ]
        return as_html([(("card", ""), [pair for pair in told if pair[1]], ())])

    def to_text(self) -> str:
        """As JSON, with a digest over all of it."""
        values = {"schema": SCHEMA, **asdict(self)}
        return json.dumps({**values, "digest": digest_json(values)}, sort_keys=True)


def parse_card(text: str, where: str) -> Card:
    """The inverse of `Card.to_text`.

    Raises:
        CheckpointError: if the text is no card, or was changed.
    """
    try:
        values = json.loads(text)
        schema, stated = values.pop("schema"), values.pop("digest")
        if schema > SCHEMA:
            raise CheckpointError(f"{where}: its card was written by a newer transfer.", next_step="upgrade h5transfer")
        found = digest_json({"schema": schema, **values})
        card = Card(**{**values, **_parts(values)})
        _check_types(card)
        if schema == _FIRST:
            found = digest_manifest(card.digests)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise CheckpointError(
            f"{where}: its card cannot be read.", [Problem("card", "a card's JSON", str(error)[:200])]
        ) from error
    if stated != found:
        raise CheckpointError(
            f"{where}: its card was changed.",
            [Problem("card", f"text with the digest {str(stated)[:12]}…", f"{found[:12]}…")],
        )
    return card


def sidecar_of(path: Path) -> Path:
    """Where the card of somebody else's file may stand: `weights.h5` → `weights.card.json`."""
    name = path.name.removesuffix(".keras").removesuffix(".hdf5").removesuffix(".h5").removesuffix(".weights")
    return path.with_name(f"{name}.card.json")


def _parts(values: Json) -> dict[str, Json]:
    preprocessing, fingerprint = values.get("preprocessing"), values.get("fingerprint")
    return {
        "classes": tuple(values.get("classes", ())),
        "history": tuple(values.get("history", ())),
        "preprocessing": preprocessing
        and Preprocessing(**{key: _tuple(value) for key, value in preprocessing.items()}),
        "fingerprint": fingerprint and Fingerprint(**{key: _tuple(value) for key, value in fingerprint.items()}),
    }


def _check_types(card: Card) -> None:
    """JSON may hold anything in a field's place.

    Raises:
        TypeError: for the first field that is of another kind.
    """
    look = card.preprocessing
    kinds: dict[str, tuple[tuple[object, ...], type | tuple[type, ...]]] = {
        "name, origin, licence, outline and features": (
            (card.name, card.origin, card.licence, card.outline, card.features),
            str,
        ),
        "classes and history": ((*card.classes, *card.history), str),
        "digests": ((*card.digests, *card.digests.values()), str),
        "preprocessing": (
            (look.scale, *look.mean, *look.std, look.background, look.frame) if look else (),
            (int, float),
        ),
        "size": (look.size or () if look else (), int),
    }
    if look and (len(look.size or (0, 0)) != 2 or look.color not in ("rgb", "bgr", "grey")):
        raise ValueError("preprocessing: a size is (h, w), a color rgb, bgr or grey")
    proof = card.fingerprint
    if proof is not None:
        sizes = [size for shape in proof.shapes for size in shape]
        if not all(isinstance(size, int) and size > 0 for size in sizes) or not 0 <= proof.seed < 2**32:
            raise TypeError("fingerprint: sizes are whole numbers above 0, the seed one below 2**32")
        if any(prod(shape) > LARGEST_INPUT for shape in proof.shapes) or not set(proof.dtypes) <= INPUT_TYPES:
            raise ValueError(f"fingerprint: inputs of over {LARGEST_INPUT:,} numbers, or no numbers")
    for field_name, (found, kind) in kinds.items():
        if not all(isinstance(each, kind) for each in found):
            raise TypeError(f"{field_name}: a value of another kind")


def _tuple(value: Json) -> Json:
    return tuple(map(_tuple, value)) if isinstance(value, list) else value
