"""What changes a result without changing a shape: defaults that a writer had and Keras 3 has not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from transfer.errors import Problem
from transfer.graphs.graph import Graph
from transfer.graphs.hard_sigmoid import is_old_hard_sigmoid, old_hard_sigmoid
from transfer.graphs.keras2 import policy
from transfer.graphs.padding import find_backend_doubts
from transfer.graphs.walking import Place, change, walk
from transfer.graphs.writers import (
    CONVOLUTIONAL_RECURRENT,
    HARD_SIGMOID,
    era_defaults,
    is_disputed,
    is_old,
    is_open_ended,
)
from transfer.specs import Json, Writer

Shapes = Mapping[str, tuple[int, ...]]
_OF_TODAY: dict[str, Json] = {"recurrent_activation": "sigmoid", "reset_after": True, "epsilon": 1e-3}
_SECOND = Writer("2.3-tf", "tensorflow")  # stands for TensorFlow 2.0 and 2.1 in the version that both wrote
_VECTORS = {"scale": "gamma", "center": "beta"}  # options of a normalisation, and what each gives it
_COMPARED = ("recurrent_activation", "reset_after", "epsilon")


def find_doubts(graph: Graph, writer: Writer, shapes: Shapes, stored: Graph | None = None) -> tuple[Problem, ...]:
    """Every layer whose result would change although each tensor finds a place of its shape.

    Args:
        graph: the architecture of today; nested models and wrappers are looked into.
        writer: who wrote the file.
        shapes: of its tensors, by name: a GRU's bias tells which TensorFlow wrote the version that two wrote.
        stored: the file's own architecture, which then decides.
    """
    era = _Era.of(writer, shapes, stored)
    differing = [
        Problem(place.name, _expected(key, value, era), _found(key, place.config))
        for place in walk(graph)
        for key, value in era.differing(place).items()
    ]
    return (*dict.fromkeys([*differing, *era.open_questions(graph), *find_backend_doubts(graph, writer)]),)


def apply_era(graph: Graph, writer: Writer, shapes: Shapes, stored: Graph | None = None) -> Graph:
    """The graph with the options that the file was written with, as far as they are known; see `find_doubts`.

    The version that TensorFlow 1.13 to 1.15 and 2.0 and 2.1 all wrote counts as that of TensorFlow 1, unless a bias of
    a GRU says otherwise.
    """
    era = _Era.of(writer, shapes, stored)
    return change(graph, lambda place: {**place.config, **era.differing(place)})


@dataclass(frozen=True, slots=True)
class _Era:
    """What a file was written with.

    Attributes:
        writer: settled by evidence where two wrote the same version.
        is_settled: whether one writer is left.
        stored: the layers of the file's own architecture by path; None where it has none.
    """

    writer: Writer
    is_settled: bool
    stored: Mapping[tuple[str, ...], Place] | None

    @classmethod
    def of(cls, writer: Writer, shapes: Shapes, stored: Graph | None) -> _Era:
        places = None if stored is None else {place.path: place for place in walk(stored)}
        if not is_disputed(writer):
            return cls(writer, not is_open_ended(writer), places)
        evidence = _first_or_second(shapes)
        return cls(_SECOND if evidence == 2 else writer, evidence is not None, places)

    def differing(self, place: Place) -> dict[str, Json]:
        """Options of a layer that were others when the file was written: name → what they were."""
        if self.stored is not None:
            return _differing_from(place, self._stored(place))
        if is_open_ended(self.writer):
            return {}
        wanted = {
            key: _in_words_of_3(value, place.config)
            for key, value in era_defaults(place.kind, self.writer).items()
            if place.config.get(key, _OF_TODAY[key]) == _OF_TODAY[key] != value
        }
        old = {key: old_hard_sigmoid(_dtype(place.config)) for key in _named_hard_sigmoid(place)}
        return {**wanted, **old} if is_old(self.writer) else wanted

    def open_questions(self, graph: Graph) -> Iterator[Problem]:
        """What stays open because several writers are left, or because no option of one layer would settle it."""
        if self.stored is not None:
            yield from (_turned(place, stored) for place in walk(graph) if (stored := self._turned(place)))
            yield from (_swapped(place, stored) for place in walk(graph) if (stored := self._swapped(place)))
            return
        for place in walk(graph):
            if is_open_ended(self.writer):
                hard = _named_hard_sigmoid(place)
                if place.kind in CONVOLUTIONAL_RECURRENT and "recurrent_activation" not in hard:
                    yield _open(place, "recurrent_activation", "Keras 2 took hard_sigmoid by default, Keras 3 sigmoid")
                for key in hard:
                    yield _open(place, key, "hard_sigmoid was another function in Keras 2 than in Keras 3")
            elif self.writer.version == (1,) and _has_epsilon_of_today(place):
                yield _open(place, "epsilon", "0.001 from Keras 1.2 on, 1e-05 from 1.0.8 to 1.1, 1e-06 before")

    def _turned(self, place: Place) -> str:
        """The order of axes that a layer had in the file, where it has another one now."""
        stored = self._stored(place)
        order = stored.config.get("data_format") if stored is not None else None
        return order if isinstance(order, str) and order != place.config.get("data_format", order) else ""

    def _swapped(self, place: Place) -> str:
        """Which of its two vectors a normalisation had in the file, where it has the other one now."""
        stored = self._stored(place)
        options = [{key: each.config.get(key, True) for key in _VECTORS} for each in (place, stored or place)]
        here, there = ({key for key, value in each.items() if value} for each in options)
        return _VECTORS[there.pop()] if here != there and len(here) == len(there) == 1 else ""

    def _stored(self, place: Place) -> Place | None:
        known = self.stored or {}
        other = (*place.path[:-1], "layer") if place.path[-1] == "backward_layer" else place.path
        found = known.get(place.path) or known.get(other)
        return found if found is not None and found.kind == place.kind else None


def _first_or_second(shapes: Shapes) -> int | None:
    """Which TensorFlow: biases of a GRU are (2, 3u) since version 2, (3u,) before."""
    for name, shape in shapes.items():
        owner, _, role = name.rpartition("/")
        recurrent = shapes.get(f"{owner}/recurrent_kernel", ())
        if role == "bias" and len(recurrent) == 2 and recurrent[1] == 3 * recurrent[0]:
            return 2 if len(shape) == 2 else 1
    return None


def _differing_from(place: Place, stored: Place | None) -> dict[str, Json]:
    if stored is None:
        return {}
    compared = {key: stored.config[key] for key in _COMPARED if key in stored.config and key in place.config}
    differing = {key: value for key, value in compared.items() if not _same(value, place.config[key])}
    old = [
        key
        for key, value in stored.config.items()
        if is_old_hard_sigmoid(value) and key in place.config and not is_old_hard_sigmoid(place.config[key])
    ]
    return differing | {key: old_hard_sigmoid(_dtype(place.config)) for key in old}


def _same(one: Json, other: Json) -> bool:
    if is_old_hard_sigmoid(one) or is_old_hard_sigmoid(other):
        return is_old_hard_sigmoid(one) and is_old_hard_sigmoid(other)
    return bool(one == other)


def _named_hard_sigmoid(place: Place) -> list[str]:
    return [key for key, value in place.config.items() if key.endswith("activation") and value == HARD_SIGMOID]


def _in_words_of_3(value: Json, config: Mapping[str, Json]) -> Json:
    return old_hard_sigmoid(_dtype(config)) if value == HARD_SIGMOID else value


def _dtype(config: Mapping[str, Json]) -> Json:
    return policy(config.get("dtype")) or "float32"


def _turned(place: Place, order: str) -> Problem:
    found = f"data_format {place.config['data_format']}: a Flatten behind it gives the values in another order"
    return Problem(place.name, f"data_format {order}, as the file's own architecture says", found)


def _swapped(place: Place, vector: str) -> Problem:
    found = "the other one: Keras 3 numbers a layer's tensors, so one would be taken for the other"
    return Problem(place.name, f"{vector} alone, as the file's own architecture says", found)


def _has_epsilon_of_today(place: Place) -> bool:
    return place.kind == "BatchNormalization" and place.config.get("epsilon", 1e-3) == _OF_TODAY["epsilon"]


def _open(place: Place, key: str, expected: str) -> Problem:
    return Problem(place.name, f"{key}: {expected}", f"{_found(key, place.config)}; the file does not tell which")


def _expected(key: str, value: Json, era: _Era) -> str:
    text = f"{key} {_words(value)}"
    if era.stored is not None:
        return f"{text}, as the file's own architecture says"
    if era.is_settled:
        return f"{text}, as Keras {era.writer} had it"
    today = _words(_OF_TODAY.get(key, value))
    return f"{text} if TensorFlow 1.13 to 1.15 wrote it, {key} {today} if 2.0 or 2.1 did; the file does not tell"


def _found(key: str, config: Mapping[str, Json]) -> str:
    value = config.get(key, _OF_TODAY.get(key))
    return f"{key} {_words(value)}" + (", which is clip(x / 6 + 0.5, 0, 1) today" if value == HARD_SIGMOID else "")


def _words(value: Json) -> str:
    if is_old_hard_sigmoid(value):
        return "hard_sigmoid, clip(0.2 x + 0.5, 0, 1)"
    return str(value.get("class_name")) if isinstance(value, dict) else str(value)
