"""A checkpoint as a lazy mapping of names to arrays: what `opening` gives."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from transfer.errors import CheckpointError, Problem
from transfer.specs import Json, TensorSpec, Writer
from transfer.weights.cards import ATTRIBUTE, Card, parse_card, sidecar_of
from transfer.weights.containers import AGAIN
from transfer.weights.dialects import keras0, keras3, legacy
from transfer.weights.dialects.layout import Layout, Stored
from transfer.weights.guarding import DamagedError
from transfer.weights.outline import Group, Key
from transfer.weights.packages import MEMBER_CONFIG, MEMBER_WEIGHTS, Package, starts_as_hdf5
from transfer.weights.stamps import Stamp, has_changed, stamp_of
from transfer.weights.stored_tensors import StoredTensors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from transfer.weights.spans import Span

DIALECTS: tuple[ModuleType, ...] = (keras0, legacy, keras3)


class Checkpoint(StoredTensors):
    """A pretrained file as a lazy mapping of names to arrays, in the writer's order.

    Nothing is held open: the structure is read once, a tensor when it is asked for. A file that changes in between is
    refused.

    Attributes:
        path: the file.
        dialect: the layout it is written in.
        writer: who wrote it, as far as the file says, or the caller declared.
        specs: name to `TensorSpec`, without reading a tensor.
        extras: places of arrays that are no weights (optimizer slots, states of random generators).
        doubts: what would change the values and the file does not say.
        config: the architecture as the file holds it; None where it holds none.
        card: the file's card, its own or a sidecar's; None where there is none.
        guarded: whether the structure was read by a process whose memory was bounded; not every platform can.
    """

    def __init__(self, package: Package, root: Group, *, guarded: bool, backend: str = "") -> None:
        self.path = package.path
        self.guarded = guarded
        self._package, self._root, self._stamp = package, root, _stamp(package)
        layout = _read_layout(root, package, backend)
        self.dialect = f"{package.kind} ({layout.dialect})" if package.kind else layout.dialect
        self.writer = layout.writer
        self.extras = layout.extras
        self.doubts = layout.doubts
        self.specs: Mapping[str, TensorSpec] = {each.spec.name: each.spec for each in layout.tensors}
        self._stored = {each.spec.name: each for each in layout.tensors}
        self._config = layout.config if package.config is None else package.config
        self._verified = not package.checksums
        stored = root.attrs.get(ATTRIBUTE)
        self.card: Card | None = _find_card(package.path, stored if package.card is None else package.card)

    def written_on(self, backend: str) -> Checkpoint:
        """The same file, read as one that Keras wrote on this backend: `theano` stores convolutions flipped."""
        return Checkpoint(self._package, self._root, guarded=self.guarded, backend=backend)

    @cached_property
    def config(self) -> Json:
        """The architecture in the file; None where it holds none.

        Raises:
            CheckpointError: if it is not JSON.
        """
        if self._config is None:
            return None
        where = MEMBER_CONFIG if self._package.config is not None else "model_config"
        try:
            found = json.loads(self._config)
            if not isinstance(found, dict):
                raise ValueError(f"{type(found).__name__}, not an object")
        except (ValueError, RecursionError) as error:
            raise CheckpointError(
                f"{self.path}: {where} is damaged.", [Problem(where, "JSON of a model", str(error)[:200])], AGAIN
            ) from error
        return found

    @property
    def size_bytes(self) -> int:
        """Bytes of the HDF5 files."""
        return sum(each.length for each in self._package.sources)

    def __repr__(self) -> str:
        return f"<Checkpoint {self.path.name}: {len(self)} tensors, {self.dialect}>"

    def __enter__(self) -> Checkpoint:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def stream(
        self, names: Iterable[str] | None = None, *, allowed_bytes: int | None = None
    ) -> Iterator[tuple[str, NDArray[Any]]]:
        """Read tensors one after the other, in an order of convenience, so that they need not all be in memory.

        Args:
            names: which; None for all.
            allowed_bytes: what compressed tensors may take; None for twice the file and 256 MB.

        Raises:
            KeyError: if a name is not in the file.
            CheckpointError: if the file has changed since it was opened, or a tensor is damaged.
        """
        wanted = self._wanted(names)
        with telling(self._package):
            self._check_unchanged()
            for name, values, digest in self._assemble([self._stored[name] for name in wanted], allowed_bytes):
                self._verify(name, values, digest)
                yield name, values
            self._check_unchanged()

    def pieces(self, names: Iterable[str] | None = None) -> Iterator[tuple[str, Span | NDArray[Any]]]:
        """As `stream`, but what lies in the file just as it is comes as the place where it does, unread.

        Raises:
            KeyError: if a name is not in the file.
            CheckpointError: if the file has changed since it was opened, or a tensor is damaged.
        """
        wanted = list(self._stored if names is None else names)
        found = {name: span for name in wanted if (span := self._span(name)) is not None}
        with telling(self._package):
            self._check_unchanged()
        yield from found.items()
        yield from self.stream(name for name in wanted if name not in found)

    def place_of(self, name: str) -> str:
        """Path of the (first) data set that a tensor is made from."""
        return self._stored[name].places[0].path

    def _span(self, name: str) -> Span | None:
        """Where a tensor lies in one piece, in native byte order and needing no conversion."""
        stored = self._stored.get(name)
        if stored is None or stored.convert is not None or stored.places[0].offset is None:
            return None
        from transfer.weights.spans import Span

        place = stored.places[0]
        if place.byte_order != "<" or sys.byteorder != "little":
            return None
        source = self._package.sources[place.source]
        recorded = self._digests.get(name, "")
        offset = (source.start or 0) + (place.offset or 0)
        return Span(source.path, offset, place.shape, place.dtype, name, recorded, self._stamp[place.source])

    def _assemble(self, wanted: Sequence[Stored], allowed_bytes: int | None) -> Iterator[tuple[str, NDArray[Any], str]]:
        """Each tensor once all data sets that it is made from are there, with its digest where that was taken."""
        from transfer.weights.reading import read_datasets

        places = {place.key: place for each in wanted for place in each.places}
        waiting: dict[Key, list[Stored]] = {}
        for each in wanted:
            for place in each.places:
                waiting.setdefault(place.key, []).append(each)
        there: dict[Key, NDArray[Any]] = {}
        hashed = {each.places[0].key for each in wanted if each.convert is None and each.spec.name in self._digests}
        hashed -= {key for key in hashed if places[key].byte_order != "<"}  # a digest is of little-endian bytes
        found = read_datasets(self._package.sources, places.values(), allowed_bytes=allowed_bytes, hashed=hashed)
        for place, values, digest in found:
            there[place.key] = values
            ready = [each for each in waiting[place.key] if all(part.key in there for part in each.places)]
            for each in ready:
                parts = [there[part.key] for part in each.places]
                if each.convert is None:
                    yield each.spec.name, parts[0], digest
                else:
                    yield each.spec.name, each.convert(parts), ""
                for part in each.places:
                    waiting[part.key].remove(each)
                    if not waiting[part.key]:
                        there.pop(part.key)

    def _check_unchanged(self) -> None:
        if _stamp(self._package) != self._stamp:
            raise has_changed(self.path)
        if not self._verified:
            self._package.verify()
            self._verified = True


def _read_layout(root: Group, package: Package, backend: str) -> Layout:
    with telling(package):
        for dialect in DIALECTS:
            if dialect.recognises(root):
                layout: Layout = dialect.read(root, Writer(package.writer, backend))
                return layout
    members = ", ".join(list(root.members)[:5]) or "nothing"
    raise CheckpointError(
        f"{package.path} is HDF5, but not weights in a layout of Keras that is known here.",
        [
            Problem(
                str(package.path),
                "'layer_names', or groups 'layers' and 'vars'",
                f"groups {members}; attributes {', '.join(list(root.attrs)[:5]) or 'none'}",
            )
        ],
    )


@contextmanager
def telling(package: Package) -> Iterator[None]:
    """Give an error from inside the file the file's name."""
    try:
        yield
    except DamagedError as error:
        what = str(package.path)
        if package.checksums:
            package.verify()  # where the archive's own checksum tells, that is the better message
            what += f" ({MEMBER_WEIGHTS})"
        if not all(map(starts_as_hdf5, package.sources)):
            raise CheckpointError(
                f"{what} is not HDF5.", [Problem(MEMBER_WEIGHTS, "HDF5", "other bytes")], AGAIN
            ) from error
        raise CheckpointError(f"{what} is {error.summary}.", error.problems, AGAIN) from error


def _find_card(path: Path, stored: object) -> Card | None:
    if stored is not None:
        return parse_card(str(stored), str(path))
    sidecar = sidecar_of(path)
    if not sidecar.is_file():
        return None
    return parse_card(sidecar.read_text(encoding="utf-8", errors="replace"), str(sidecar))


def _stamp(package: Package) -> tuple[Stamp, ...]:
    try:
        found = [each.path.stat() for each in package.sources]
    except OSError as error:
        raise CheckpointError(f"{package.path} cannot be read: {error.strerror}.") from error
    return tuple(map(stamp_of, found))
