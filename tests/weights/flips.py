"""Flip bits of a file, one at a time, and see whether `verify` tells. Run as a script: FILE FIRST STEP COUNT.

A process is forked for each bit, because libhdf5 may crash on such bytes. It reads the structure within itself (as a
rule `transfer` starts another process for that, which takes a hundred times longer); a crash there is an error, as it
is in earnest. Prints as JSON how many bits were told, how many changed nothing that can be read, and where one was
neither.
"""

import json
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import h5py

from transfer.errors import TransferError
from transfer.weights import isolating, opening, scanning, sealing
from transfer.weights.formats import open_tensors
from transfer.weights.guarding import DamagedError
from transfer.weights.outline import parse_outline
from transfer.weights.verifying import verify

TOLD, SAME, CHANGED, STRANGE = range(4)


class ScanHere:
    """A `PendingScan` without a child of its own."""

    def __init__(self, source):
        self.source = source

    def close(self):
        """Nothing runs beside."""

    def result(self):
        request = {"path": str(self.source.path), "start": self.source.start, "length": self.source.length}
        try:
            with h5py.File(scanning.source_of({**request, "inflated": self.source.inflated}), "r") as file:
                records = json.loads(json.dumps(list(scanning.scan(file, located=self.source.inflated is None))))
            return isolating.Scan(parse_outline(records), True)
        except Exception as error:
            raise DamagedError("damaged", ()) from error


def everything(path):
    """All that can be read of a file."""
    opened = open_tensors(path)
    tensors = {name: (each.dtype.name, each.shape, each.tobytes()) for name, each in opened.read(opened).items()}
    doubts = [str(each) for each in opened.doubts]
    return (
        list(opened.specs.values()),
        tensors,
        opened.config,
        opened.architecture,
        opened.card,
        doubts,
        opened.writer,
    )


def judge(path, before):
    """What becomes of a file with one bit flipped."""
    try:
        if not verify(path).is_verified:
            return TOLD
    except TransferError:
        return TOLD
    return SAME if everything(path) == before else CHANGED


def main():
    """Try every STEP-th bit from FIRST on, COUNT of them."""
    source, first, step, count = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    for module in (isolating, opening, sealing):
        module.PendingScan = ScanHere
    before = everything(source)
    size = 8 * source.stat().st_size
    bits = range(first, size, step)[: count or size]
    found = {TOLD: 0, SAME: 0, CHANGED: [], STRANGE: []}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / source.name
        shutil.copy(source, path)
        with path.open("r+b", buffering=0) as file:
            for bit in bits:
                file.seek(bit // 8)
                byte = file.read(1)[0]
                file.seek(bit // 8)
                file.write(bytes([byte ^ 1 << bit % 8]))
                verdict = in_fork(path, before)
                if verdict in (TOLD, SAME):
                    found[verdict] += 1
                else:
                    found[verdict].append(bit)
                file.seek(bit // 8)
                file.write(bytes([byte]))
    print(
        json.dumps(
            {
                "tried": len(bits),
                "told": found[TOLD],
                "same": found[SAME],
                "changed": found[CHANGED],
                "strange": found[STRANGE],
            }
        )
    )


def in_fork(path, before):
    """Judge in a process of its own; one that crashes or hangs inside libhdf5 has told."""
    child = os.fork()
    if child == 0:
        code = STRANGE
        try:
            signal.alarm(5)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            code = judge(path, before)
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    return TOLD if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


if __name__ == "__main__":
    main()
