"""What is reported of an activation, against numpy and scipy on all values at once."""

import numpy as np
import pytest
from scipy import stats

from transfer.analysis.activation_reports import ActivationWatch
from transfer.graphs.activation_sites import Site
from transfer.graphs.graph import Ref

RANDOM = np.random.default_rng(3)


def site(activation: str, **changes) -> Site:
    made = {"is_output": False, "is_gate": False, "is_first": True, **changes}
    return Site("act", activation, {}, Ref("dense"), Ref("act"), "dense", **made)


def test_a_report_is_that_of_all_batches_together() -> None:
    before = (RANDOM.normal(size=(700, 3, 4)) * 3).astype(np.float32)
    before[..., 2] = -1
    after = np.maximum(before, 0)
    watch = ActivationWatch(site("relu"), 4)
    for start in range(0, 700, 90):
        watch.update(before[start : start + 90], after[start : start + 90])
    found = watch.report("dense")
    assert (found.layer, found.activation, found.units, found.role) == ("dense", "relu", 4, "hidden")
    assert found.low == pytest.approx((before <= 0).mean())
    assert (found.high, found.dead, found.nonfinite) == (0, (2,), 0)
    assert found.input_rms == pytest.approx(np.sqrt((before.astype(np.float64) ** 2).mean()), rel=1e-6)
    assert found.mean == pytest.approx(after.mean(dtype=np.float64), rel=1e-6)
    assert found.std == pytest.approx(after.std(dtype=np.float64), rel=1e-6)
    assert found.kurtosis == pytest.approx(stats.kurtosis(after.ravel().astype(np.float64)), rel=1e-4)
    values = np.linalg.svd((pooled := after.mean(1)) - pooled.mean(0), compute_uv=False)
    p = values[:3] / values[:3].sum()
    assert found.effective_rank == pytest.approx(np.exp(-(p * np.log(p)).sum()), rel=1e-4)


def test_softmax_is_judged_by_its_answers_and_unknown_activations_by_their_values_alone() -> None:
    logits = RANDOM.normal(size=(50, 4)) * 20
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    softmax, logarithm = ActivationWatch(site("softmax", is_output=True), 4), ActivationWatch(site("log_softmax"), 4)
    softmax.update(logits, p)
    logarithm.update(logits, np.log(p))
    expected = (stats.entropy(p, axis=1) < 0.05 * np.log(4)).mean()
    assert 0 < expected < 1
    assert softmax.report("a").high == logarithm.report("a").high == pytest.approx(expected)
    assert (softmax.report("a").role, softmax.report("a").dead) == ("output", ())
    unknown = ActivationWatch(site("threshold"), 4)
    unknown.update(logits, p)
    assert (unknown.report("a").low, unknown.report("a").stuck) == (0, 0)
    assert np.isnan(unknown.report("a").slope)


def test_values_that_are_not_finite_are_counted() -> None:
    after = np.ones((6, 3), np.float32)
    after[1, 2], after[4, 0] = np.nan, np.inf
    watch = ActivationWatch(site("relu"), 3)
    watch.update(after, after)
    assert watch.report("a").nonfinite == 2
    assert watch.report("a").mean == 1
