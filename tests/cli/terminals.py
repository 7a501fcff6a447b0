"""`transfer` as a process of its own, with its streams on a terminal or in a pipe."""

import os
import pty
import re
import subprocess
import sys
from dataclasses import dataclass

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Spoken:
    """How a process ended, and what it wrote to each stream."""

    code: int
    stdout: str
    stderr: str


def speak(*arguments, on_terminal=(), env=None, cwd=None) -> Spoken:
    """Call `transfer`; the streams named in `on_terminal` are each a terminal of its own."""
    names = {"TERM": "xterm-256color", "COLUMNS": "100"}
    around = {key: value for key, value in os.environ.items() if key not in {"NO_COLOR", "TF_CPP_MIN_LOG_LEVEL"}}
    command = [sys.executable, "-m", "transfer", *map(str, arguments)]
    ours, theirs = {}, {}
    keyboard, stdin = pty.openpty() if "stdin" in on_terminal else os.pipe()[::-1]
    for stream in ("stdout", "stderr"):
        ours[stream], theirs[stream] = pty.openpty() if stream in on_terminal else os.pipe()
    with subprocess.Popen(command, env={**around, **names, **(env or {})}, cwd=cwd, stdin=stdin, **theirs) as process:
        for end in (stdin, *theirs.values()):
            os.close(end)
        found = _read_all(ours)
    os.close(keyboard)
    return Spoken(process.returncode, found["stdout"], found["stderr"])


def _read_all(ends: dict[str, int]) -> dict[str, str]:
    """What comes from each until it closes; a terminal that closes is an error of the system, EIO."""
    import selectors

    found = dict.fromkeys(ends, b"")
    with selectors.DefaultSelector() as selector:
        for stream, end in ends.items():
            selector.register(end, selectors.EVENT_READ, stream)
        while selector.get_map():
            for key, _ in selector.select():
                try:
                    block = os.read(key.fd, 65536)
                except OSError:
                    block = b""
                if block:
                    found[key.data] += block
                else:
                    selector.unregister(key.fd)
                    os.close(key.fd)
    return {stream: text.decode().replace("\r\n", "\n") for stream, text in found.items()}


def without_escapes(text: str) -> str:
    """The letters alone."""
    return ESCAPES.sub("", text)
