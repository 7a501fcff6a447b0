"""The self-test of an installation, a process of its own: `python -m transfer.jobs.installation.testing_installation`.

It prints a finding a line, as JSON, as it goes on: what was found stands there even if the next step crashes.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from dataclasses import asdict

from transfer.jobs.installation.installation_findings import Finding

CHECKPOINT = "digits_mlp"
_REINSTALL = "pip install --force-reinstall tensorflow keras numpy"


def main() -> int:
    """Import TensorFlow, restore a network that ships, hold it against its recorded outputs, and ask it."""
    steps = (("tensorflow at work", _import), ("restoring", _restore), ("predicting", _predict))
    for what, step in steps:
        began = time.monotonic()
        try:
            said = step()
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is what is to be told
            last = traceback.format_exception_only(error)[0].strip().splitlines()[0]
            _tell(Finding(what, "fail", last, _REINSTALL))
            return 1
        _tell(Finding(what, "ok", f"{said}; {time.monotonic() - began:.1f} s"))
    return 0


def _import() -> str:
    import keras
    import tensorflow as tf

    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(f"Keras computes with {keras.backend.backend()}")
    kinds = [each.device_type for each in tf.config.list_physical_devices()]
    devices = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    threads = tf.config.threading.get_intra_op_parallelism_threads() or "as many threads as processors"
    return f"{tf.__version__} with Keras {keras.__version__}; {devices}; {threads}"


def _restore() -> str:
    from transfer.models.restoring import restore

    receipt = restore(CHECKPOINT).receipt
    if receipt.fingerprint != "verified":
        raise RuntimeError(f"{CHECKPOINT} does not give the outputs that were recorded with it: {receipt.fingerprint}")
    return f"{CHECKPOINT}, {receipt.plan.wanted_tensors} tensors, outputs verified"


def _predict() -> str:
    import numpy as np

    from transfer.models.restoring import restore

    model = restore(CHECKPOINT).model
    given = np.asarray(model(np.zeros((2, 784), np.float32)))
    if given.shape != (2, 10) or not np.isfinite(given).all():
        raise RuntimeError(f"expected 2 rows of 10 finite numbers, found shape {given.shape}")
    return "two empty pictures answered"


def _tell(finding: Finding) -> None:
    print(json.dumps(asdict(finding)), flush=True)


if __name__ == "__main__":
    sys.exit(main())
