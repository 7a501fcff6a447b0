"""What signals do while Ray works: it takes them for itself, and leaves its handlers behind."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_NAMES = ("SIGINT", "SIGUSR1")  # Windows knows the first alone


@contextmanager
def kept_handlers() -> Iterator[None]:
    """Have signals do afterwards what they did before; only the main thread can change that."""
    is_main = threading.current_thread() is threading.main_thread()
    numbers = [getattr(signal, name) for name in _NAMES if is_main and hasattr(signal, name)]
    before = {each: signal.getsignal(each) for each in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
