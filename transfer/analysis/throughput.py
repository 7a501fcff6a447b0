"""Speed of a network beside the speed of a matrix product."""

from __future__ import annotations

from dataclasses import dataclass

from transfer.specs import Json

PRODUCT_SIDE = 2048  # of the square matrices whose product is the peak: large enough to keep every core busy


@dataclass(frozen=True, slots=True)
class Throughput:
    """Measured speeds, the best of several rounds.

    Attributes:
        examples_per_second: through the network, in inference.
        batch_size: how many went in at once.
        gflops: 2 * MACs of the network a second, in 1e9.
        peak_gflops: of a product of two square matrices of float32, in the same rounds.
    """

    examples_per_second: float
    batch_size: int
    gflops: float
    peak_gflops: float

    @property
    def share(self) -> float:
        """What the network reaches of the peak, in [0, 1]."""
        return self.gflops / self.peak_gflops

    def __str__(self) -> str:
        return (
            f"measured: {self.examples_per_second:.4g} examples/s in batches of {self.batch_size}, "
            f"{self.gflops:.4g} GFLOP/s, {100 * self.share:.3g} % of the {self.peak_gflops:.4g} GFLOP/s "
            f"of a product of {PRODUCT_SIDE} x {PRODUCT_SIDE} matrices"
        )

    def to_json(self) -> Json:
        """As plain values."""
        return {
            "examples_per_second": self.examples_per_second,
            "batch_size": self.batch_size,
            "gflops_per_second": self.gflops,
            "peak_gflops_per_second": self.peak_gflops,
            "share_of_peak": self.share,
        }
