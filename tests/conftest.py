"""What every test needs: quiet TensorFlow, warnings that are errors, the same examples of hypothesis each time."""

import os
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from pathlib import Path

import hypothesis
import pytest

# No clock and no database: a run finds what every other run finds, and leaves nothing behind.
hypothesis.settings.register_profile("transfer", deadline=None, derandomize=True, database=None, max_examples=60)
hypothesis.settings.load_profile("transfer")

NOT_OURS = (
    # Keras 3 reads a TensorFlow variable with np.array(x); the variable's __array__ is older than numpy 2's `copy`.
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning:keras.src.backend.tensorflow",
)
# Large sets of files that do not ship: their tests run where an option says where the files are.
SETS = {
    "corpus": "folder of files that many Keras versions wrote, with recorded outputs",
    "hostile": "folder of hostile and broken files, with their manifest",
}
TABLES = pytest.StashKey[list[str]]()


def pytest_addoption(parser):
    for name, what in SETS.items():
        parser.addoption(f"--{name}", type=Path, help=f"{what}; without it tests marked '{name}' do not run")


def pytest_configure(config):
    config.stash[TABLES] = []
    # Features that runs keep, those of programs that tests start too, go with the session, not to the user's folder.
    place = tempfile.TemporaryDirectory(prefix="transfer-tests-")
    config.add_cleanup(place.cleanup)
    os.environ["TRANSFER_CACHE"] = str(Path(place.name) / "features")


def pytest_collection_modifyitems(config, items):
    """Marks for warnings, because they also hold against `-W error` on the command line; and what cannot run here."""
    absent = [name for name in SETS if config.getoption(name) is None]
    left_out = [item for item in items if any(item.get_closest_marker(name) for name in absent)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]
    for item in items:
        for warning in NOT_OURS:
            item.add_marker(pytest.mark.filterwarnings(warning))


def pytest_terminal_summary(terminalreporter, config):
    """Tables that tests wrote."""
    for table in config.stash[TABLES]:
        terminalreporter.write_line(table)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    """What a test or a fixture draws without a seed of its own is the same at every run."""
    keras = sys.modules.get("keras")
    if keras is not None:
        keras.utils.set_random_seed(1)


@pytest.fixture(autouse=True)
def names_from_the_start():
    """Automatic names of layers do not depend on the tests that ran before."""
    keras = sys.modules.get("keras")
    if keras is not None:
        keras.utils.clear_session(free_memory=False)


@pytest.fixture(scope="session")
def corpus(pytestconfig):
    """The folder of real files: `files/WRITER/MODEL__FORMAT.EXT`, `files/WRITER/MODEL.npz`, `architectures.py`."""
    return pytestconfig.getoption("corpus").resolve()


@pytest.fixture(scope="session")
def hostile(pytestconfig):
    """The folder of hostile files: `files/manifest.json`, `files/…`, `canary/`."""
    return pytestconfig.getoption("hostile").resolve()


@pytest.fixture(scope="session")
def write_table(pytestconfig):
    """Have a text printed below the results of the run."""
    return pytestconfig.stash[TABLES].append
