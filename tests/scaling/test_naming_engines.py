"""What is printed of the engine and the fitter on a cluster; no cluster is asked."""

import pytest

pytest.importorskip("ray", reason="needs the extra: pip install 'h5transfer[ray]'")

from transfer.scaling.ray_engine import RayEngine  # where there is Ray
from transfer.scaling.ray_fitting import RayFitter


def test_a_line_says_where_and_how_many():
    assert repr(RayEngine()) == "RayEngine(address=None, workers=None, threads=1, gpus=0)"
    engine = RayEngine("head:6379", workers=3, threads=2, gpus=1)
    assert repr(engine) == "RayEngine(address='head:6379', workers=3, threads=2, gpus=1)"


def test_a_fitter_says_the_same(monkeypatch):
    monkeypatch.setattr("transfer.scaling.ray_fitting.load_ray", lambda _module: None)  # takes seconds
    assert repr(RayFitter(4, "head:6379")) == "RayFitter(workers=4, address='head:6379', threads=1, gpus=0)"
