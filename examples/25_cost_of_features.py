"""How long would features of ten million pictures take, and how many bytes are they? Measured here, then multiplied.

    python examples/25_cost_of_features.py [SECONDS_EACH]

A few batches of the clip-art pictures are read and run by one thread, and the table follows from the model

    seconds = start + (pictures x seconds each + shards x seconds a shard) / (nodes x cores x efficiency)

with 8 s to start, 0.045 s a shard of 1,024 and an efficiency of 0.65, as bench_cluster.py measured them. It assumes
nodes of 16 cores as fast as this one, a disk that gives each node its pictures (of 100 kB, as the last column says) and
takes their rows, and no other work on them. `transfer features … --dry-run --engine ray` measures the same on a
cluster. Takes 10 s.
"""

import sys
import tempfile
from pathlib import Path

PICTURES = Path(__file__).parent / "data" / "clipart"
START, A_SHARD, SHARD_ROWS, EFFICIENCY, CORES, PICTURE_BYTES = 8.0, 0.045, 1024, 0.65, 16, 1e5


def cost(pictures: int, nodes: int, seconds_each: float, row_bytes: int) -> tuple[float, float, float]:
    """Hours, gigabytes that are written, and megabytes a second that a node reads."""
    shards = -(-pictures // SHARD_ROWS)
    at_once = nodes * CORES * EFFICIENCY
    hours = (START + (pictures * seconds_each + shards * A_SHARD) / at_once) / 3600
    return hours, pictures * row_bytes / 1e9, CORES * EFFICIENCY / seconds_each * PICTURE_BYTES / 1e6


def main(seconds_each: float = 0.0, row_bytes: int = 1280 * 4 + 120) -> None:
    """Measure, unless it is said, and print the table."""
    if not seconds_each:
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        import transfer

        with tempfile.TemporaryDirectory() as folder:
            found = transfer.estimate_features("mobilenet_v2_imagenet", PICTURES, Path(folder) / "features")
        seconds_each, row_bytes = found.seconds_each, found.written_bytes // found.examples
    print(f"{seconds_each * 1000:.2f} ms a picture and core, {row_bytes:,} bytes a row")
    print(f"{'pictures':>14} {'nodes':>6} {'hours':>9} {'written, GB':>12} {'read by a node, MB/s':>21}")
    for pictures in (10_000_000, 1_000_000_000):
        for nodes in (1, 8, 64):
            hours, written, read = cost(pictures, nodes, seconds_each, row_bytes)
            print(f"{pictures:>14,} {nodes:>6} {hours:>9,.1f} {written:>12,.0f} {read:>21,.0f}")


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]))
