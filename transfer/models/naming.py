"""Automatic names of layers, which Keras counts over all that a process has made."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from keras.src.backend.common import global_state  # Keras offers a reset of all of its state alone

_COUNTS = "object_name_uids"


@contextmanager
def names_from_the_start() -> Iterator[None]:
    """What is made inside is named as in a fresh process; what is made afterwards has names of its own, as ever."""
    before: dict[str, int] = global_state.get_global_attribute(_COUNTS) or {}
    global_state.set_global_attribute(_COUNTS, defaultdict(int))
    try:
        yield
    finally:
        inside: dict[str, int] = global_state.get_global_attribute(_COUNTS) or {}
        counts = {name: max(before.get(name, 0), inside.get(name, 0)) for name in {**before, **inside}}
        global_state.set_global_attribute(_COUNTS, defaultdict(int, counts))
