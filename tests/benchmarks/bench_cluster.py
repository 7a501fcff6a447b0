"""Features on a local cluster of two nodes beside one process: the same bytes, whatever is lost, and what it costs.

    unshare -n sh -c 'ip link set lo up; python tests/benchmarks/bench_cluster.py DATA [SIZE]'

DATA is a folder of pictures or a file of arrays. First one process with one thread computes all of it; then two nodes
of one worker each do, of which one worker is killed after an eighth and one node taken away after a third: every file
has to be the same to the byte. Then parts of DATA are computed by one and by two workers, with shards of two sizes;
the cost model of the README is fitted to these and held against the whole:

    seconds = (examples x each + shards x per shard + (workers - 1) x start) / (workers x efficiency)

`each` and `per shard` are those of one worker; `start`, by which a further worker is later, what the first takes to be
there; the efficiency is what is left of two on this machine, whose two processors may be one core and are shared.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
FILE = "mobilenet_v2_imagenet"
NODE = {"num_cpus": 1, "object_store_memory": 2 * 10**8}


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def kill_a_worker() -> bool:
    """One process that is at work on a shard."""
    for each in Path("/proc").iterdir():
        try:
            if (each / "cmdline").read_bytes().startswith(b"ray::Worker"):
                os.kill(int(each.name), signal.SIGKILL)
                return True
        except (OSError, ValueError):
            continue
    return False


def compute(data, out: Path, workers: int, *, size, shard_rows: int = 1024, harmed: bool = False):
    """By so many nodes of one worker; (examples, shards, seconds of starting, seconds of work)."""
    import ray
    from ray.cluster_utils import Cluster

    import transfer
    from transfer.scaling.ray_engine import RayEngine

    cluster = Cluster(initialize_head=True, head_node_args=NODE)
    nodes = [cluster.add_node(**NODE) for _ in range(workers - 1)]
    ray.init(address=cluster.address, logging_level="CRITICAL", log_to_driver=False)
    told = []

    def harm(_, done, count):
        if harmed and not told and done >= count / 8:
            told.append(f"a worker killed after {done:,}: {kill_a_worker()}")
        if harmed and len(told) == 1 and done >= count / 3:
            cluster.remove_node(nodes[0], allow_graceful=False)
            told.append(f"a node taken away after {done:,}")

    began, start = [], time.monotonic()
    try:
        with RayEngine() as engine:
            found = transfer.compute_features(
                FILE,
                data,
                out,
                size=size,
                shard_rows=shard_rows,
                engine=engine,
                progress=harm,
                before=lambda _: began.append(time.monotonic()),
            )
    finally:
        ended = time.monotonic()
        ray.shutdown()
        cluster.shutdown()
    for each in told:
        print("   ", each, flush=True)
    return len(found), len(found.records), began[0] - start, ended - began[0]


def parts(data: Path, folder: Path):
    """Every fourth and every second example, as files of arrays or folders of copies."""
    from transfer.jobs.examples.reading_unlabelled import read_unlabelled

    inputs = read_unlabelled(data)
    for share in (4, 2):
        if isinstance(inputs.inputs, tuple):
            path = folder / f"part{share}"
            path.mkdir()
            for place, each in enumerate(inputs.inputs[::share]):
                shutil.copyfile(each, path / f"{place:06}{each.suffix}")
        else:
            path = folder / f"part{share}.npz"
            np.savez(path, x=np.asarray(inputs.inputs[::share]))
        yield path


def main() -> None:
    """Compare, then fit and check the model."""
    data = Path(sys.argv[1])
    size = (int(sys.argv[2]),) * 2 if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        here = folder / "here"
        words = [
            "features",
            FILE,
            str(data),
            "-o",
            str(here),
            "--threads",
            "1",
            *(["--size", sys.argv[2]] if size else []),
        ]
        start = time.monotonic()
        subprocess.run([sys.executable, "-m", "transfer", *words], check=True)
        print(f"one process, one thread: {time.monotonic() - start:.0f} s", flush=True)
        count, shards, _, seconds = compute(data, folder / "harmed", 2, size=size, harmed=True)
        same = digests(folder / "harmed") == digests(here)
        print(f"two nodes, harmed: {count:,} rows, {seconds:.0f} s; every file the same: {same}", flush=True)
        if not same:
            sys.exit("other bytes")
        rows = []
        quarter, half = parts(data, folder)
        for place, (part, workers, shard_rows) in enumerate(
            [(quarter, 1, 1024), (quarter, 1, 128), (half, 1, 1024), (quarter, 2, 1024), (half, 2, 1024)]
        ):
            count, shards, begun, seconds = compute(
                part, folder / str(place), workers, size=size, shard_rows=shard_rows
            )
            rows.append((count, shards, workers, begun, seconds))
            print(
                f"{count:,} examples, {shards} shards, {workers} workers: {begun:.1f} s before, {seconds:.1f} s",
                flush=True,
            )
        one = [row for row in rows if row[2] == 1]
        matrix, seconds = np.array([row[:2] for row in one], float), np.array([row[-1] for row in one])
        each, shard = np.linalg.lstsq(matrix, seconds, rcond=None)[0]
        start = np.mean([begun for *_, begun, _ in rows])

        def alone(n, s, w):
            return (n * each + s * shard + (w - 1) * start) / w

        efficiency = np.mean([alone(n, s, w) / seconds for n, s, w, _, seconds in rows if w > 1])
        print(f"model: {each * 1000:.2f} ms an example, {shard * 1000:.0f} ms a shard, {start:.1f} s to start")
        print(f"efficiency of two workers: {efficiency:.2f}")
        count, shards, _, seconds = compute(data, folder / "whole", 2, size=size)
        told = alone(count, shards, 2) / efficiency
        print(f"whole, two workers: {seconds:.1f} s, the model says {told:.1f} s ({told / seconds - 1:+.0%})")


if __name__ == "__main__":
    main()
