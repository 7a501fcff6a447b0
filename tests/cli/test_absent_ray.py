"""Where Ray is not installed, each command that is asked for a cluster says so at once, with the extra's name."""

import os
import subprocess
import sys

import pytest

ASKED = {
    "features": ["digits_mlp", "pictures", "-o", "out"],
    "rank": ["digits_mlp", "--on", "pictures"],
    "curve": ["digits_mlp", "pictures"],
    "finetune": ["digits_mlp", "pictures", "-o", "out", "--workers", "2"],
    "sweep": ["digits_mlp", "pictures", "--over", "stages.1.rate=1e-5..1e-3", "-o", "out"],
}


@pytest.mark.parametrize("command", ASKED)
def test_a_cluster_without_ray_is_refused_before_tensorflow_is_imported(command, tmp_path):
    for name in ("ray", "tensorflow", "keras"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"raise ImportError('{name} is not here')\n")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    words = [sys.executable, "-m", "transfer", command, *ASKED[command], "--engine", "ray"]
    done = subprocess.run(words, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 7, done.stderr
    assert "ray is not here" in done.stderr
    assert "pip install 'h5transfer[ray]'" in done.stderr
    assert not (tmp_path / "out").exists()
