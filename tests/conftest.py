"""What every test needs: quiet TensorFlow, warnings that are errors, the same examples of hypothesis each time."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import hypothesis
import pytest

# No clock and no database: a run finds what every other run finds, and leaves nothing behind.
hypothesis.settings.register_profile("transfer", deadline=None, derandomize=True, database=None, max_examples=60)
hypothesis.settings.load_profile("transfer")

NOT_OURS = (
    # Keras 3 reads a TensorFlow variable with np.array(x); the variable's __array__ is older than numpy 2's `copy`.
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning:keras.src.backend.tensorflow",
)


def pytest_collection_modifyitems(items):
    """Marks, because they also hold against `-W error` on the command line."""
    for item in items:
        for warning in NOT_OURS:
            item.add_marker(pytest.mark.filterwarnings(warning))
