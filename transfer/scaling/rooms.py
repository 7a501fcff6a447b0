"""How many workers a cluster has room for, by what each needs: looked at before they start, so that none waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transfer.errors import Problem, TrainingError
from transfer.scaling.clusters import load_ray

_GIB = 2**30


@dataclass(frozen=True, slots=True)
class Need:
    """What one worker takes.

    Attributes:
        cpus: processors, each for one thread.
        gpus: of them.
        memory_bytes: at its highest; 0 where it was not measured yet.
    """

    cpus: int = 1
    gpus: int = 0
    memory_bytes: int = 0

    def __str__(self) -> str:
        parts = [_counted(self.cpus, "CPU")]
        parts += [_counted(self.gpus, "GPU")] if self.gpus else []
        parts += [f"{self.memory_bytes / _GIB:.1f} GiB of memory"] if self.memory_bytes else []
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Node:
    """A machine of a cluster.

    Attributes:
        name: for messages.
        cpus: that are free.
        gpus: likewise.
        memory_bytes: that Ray may give to workers.
    """

    name: str
    cpus: float
    gpus: float
    memory_bytes: float

    def room(self, need: Need) -> int:
        """How many workers it takes."""
        found = [int(self.cpus // need.cpus)] if need.cpus else []
        found += [int(self.gpus // need.gpus)] if need.gpus else []
        found += [int(self.memory_bytes // need.memory_bytes)] if need.memory_bytes else []
        return max(0, min(found, default=0))

    def __str__(self) -> str:
        parts = [_counted(self.cpus, "CPU")]
        parts += [_counted(self.gpus, "GPU")] if self.gpus else []
        return ", ".join([*parts, f"{self.memory_bytes / _GIB:.1f} GiB of memory"]) + " free"


def look_around() -> tuple[Node, ...]:
    """The machines of the cluster that are there now, with what is free on each."""
    free = load_ray("ray._private.state").available_resources_per_node()  # of each node nothing public tells
    found = []
    for each in load_ray().nodes():
        if not each["Alive"]:
            continue
        here, whole = free.get(each["NodeID"], {}), each["Resources"]
        memory = here.get("memory", 0.0) if "memory" in whole else 0.0
        found.append(Node(each["NodeManagerAddress"], here.get("CPU", 0.0), here.get("GPU", 0.0), memory))
    return tuple(found)


def settle_workers(nodes: Sequence[Node], need: Need, asked: int | None, begun: int = 0) -> int:
    """How many workers there are to be: as many as asked for, by default as many as there is room for.

    Args:
        nodes: with what is free now.
        need: of each worker.
        asked: how many; None for all that find room.
        begun: workers that have their room already.

    Raises:
        TrainingError: if there is too little room, with how much is missing.
    """
    room = begun + sum(each.room(need) for each in nodes)
    wanted = room if asked is None else asked
    if room and wanted <= room:
        return wanted
    wanted = max(1, wanted)
    problems = [Problem(each.name, f"{need} a worker", str(each)) for each in nodes]
    raise TrainingError(
        f"The cluster has room for {_counted(room, 'worker')} of {_counted(wanted, 'worker')}; "
        f"{_missing(wanted - room, need)} missing.",
        problems or [Problem("cluster", f"{need} a worker", "no machine")],
        next_step=(f"take --workers {room} (workers={room}), " if room else "")
        + "add machines to the cluster, or wait "
        "until others have left theirs",
    )


def _missing(workers: int, need: Need) -> str:
    """What that many workers take, in words."""
    several = Need(need.cpus * workers, need.gpus * workers, need.memory_bytes * workers)
    return f"{several} {'is' if str(several) == '1 CPU' else 'are'}"


def _counted(count: float, name: str) -> str:
    return f"{count:g} {name}{'s' * (count != 1)}"
