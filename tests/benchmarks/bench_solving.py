"""Solving a head of 5 classes on n x 1280 features, against scikit-learn on the same folds and values of C.

    python tests/benchmarks/bench_solving.py            # 200, 250 and 1000 examples
    python tests/benchmarks/bench_solving.py 40000      # ours alone: minutes, and memory beside the features

scikit-learn gets features that are standardised and reduced exactly to the span of the examples, and starts each C
where the one before ended. Prints seconds of both, their ratio, and how far the probabilities are from an exact
solution at the C that was chosen.
"""

from __future__ import annotations

import resource
import sys
import time

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

from transfer.training.solving import FOLDS, solve_head

CLASSES, WIDTH, SHARED = 5, 1280, 64


def main() -> None:
    """Solve each problem by both."""
    counts = [int(each) for each in sys.argv[1:]]
    solve_head(*problem(50), CLASSES)  # imports
    for count in counts or (200, 250, 1000):
        features, labels = problem(count)
        before = peak()
        seconds, head = measure(lambda: solve_head(features, labels, CLASSES), times=1 if counts else 3)  # noqa: B023
        print(
            f"{count} x {WIDTH}: {seconds:.2f} s, {peak() - before} MB more than before, C {head.penalty:.2g}", end=""
        )
        if counts:
            print()
            continue
        z = reduced(features)
        plain, _ = measure(lambda: follow(z, labels, head.log_loss), times=1)  # noqa: B023
        exact = LogisticRegression(C=head.penalty, solver="newton-cg", tol=1e-12, max_iter=10_000).fit(z, labels)
        gap = np.abs(probabilities(features, head) - exact.predict_proba(z)).max()
        print(f"; scikit-learn {plain:.2f} s, ratio {plain / seconds:.1f}; {gap:.0e} from the optimum")


def problem(count):
    """As noisy as real features: neighbours overlap, so that the best penalty lies inside the grid."""
    random = np.random.default_rng(0)
    labels = np.arange(count) % CLASSES
    centres = (random.normal(size=(CLASSES, WIDTH)) * 0.06).astype(np.float32)
    ways = (random.normal(size=(SHARED, WIDTH)) * 0.1).astype(np.float32)
    features = np.empty((count, WIDTH), np.float32)
    for start in range(0, count, 1000):
        some = features[start : start + 1000]
        some[:] = random.standard_normal(some.shape, np.float32)
        some += random.standard_normal((len(some), SHARED), np.float32) @ ways + centres[labels[start : start + 1000]]
        np.maximum(some, 0, out=some)
    return features, labels


def reduced(features):
    """Standardised, in double precision, in the span of the examples."""
    left, sizes, _ = np.linalg.svd((features - features.mean(0, float)) / features.std(0, dtype=float), False)
    return left * sizes


def follow(z, labels, penalties):
    """The path in each fold, and the head at its end."""
    with threadpool_limits(1):
        for train, _ in [*StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(z, labels), (slice(None), None)]:
            solver = LogisticRegression(warm_start=True, tol=1e-6, max_iter=2000)
            for penalty in penalties:
                solver.set_params(C=penalty).fit(z[train], labels[train])


def measure(work, *, times: int):
    """Median seconds, and the last result."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds)), result


def peak():
    """Of this process's resident memory, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def probabilities(features, head):
    """(n, k)."""
    logits = features @ head.kernel.astype(float) + head.bias
    odds = np.exp(logits - logits.max(1, keepdims=True))
    return odds / odds.sum(1, keepdims=True)


if __name__ == "__main__":
    main()
