"""Networks with layers of the user's own: fine-tuned, asked and scored through the builder that makes them."""

import sys

import keras
import numpy as np
import pytest

OWN = """
import keras


class Wide(keras.layers.Layer):
    def __init__(self, **options):
        super().__init__(**options)
        self.inner = keras.layers.Dense(6)

    def build(self, shape):
        self.inner.build(shape)
        super().build(shape)

    def call(self, x):
        return keras.ops.tanh(self.inner(x))


def create_own():
    keras.utils.set_random_seed(4)
    inputs = keras.Input((6,), name="x")
    return keras.Model(inputs, keras.layers.Dense(2, name="out")(Wide(name="wide")(inputs)), name="own")
"""
INTO = ("--into", "own_wide:create_own")


@pytest.fixture
def own(here, monkeypatch):
    """The current folder with a module, weights of its network, and examples of three classes."""
    (here / "own_wide.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(here))
    import own_wide  # the module is written here

    own_wide.create_own().save(here / "own.keras")
    labels = np.arange(60) % 3
    x = 0.1 * np.random.default_rng(0).normal(size=(60, 6)) + np.eye(6)[labels]
    np.savez(here / "data.npz", x=x.astype("float32"), y=labels)
    np.savez(here / "more.npz", x=x[:6].astype("float32") + 0.01, y=labels[:6])
    yield here
    sys.modules.pop("own_wide")


@pytest.mark.usefixtures("own")
def test_a_run_with_layers_of_ones_own_is_made_and_asked_through_their_builder(call):
    keras.utils.clear_session()  # layers are counted as in a new process
    ended = call("finetune", "own.keras", "data.npz", *INTO, "-o", "run", "--json")
    assert ended.code == 0
    assert ended.json["score"]["correct"] == 15  # they lie far apart
    keras.utils.clear_session()
    assert "already" in call("finetune", "own.keras", "data.npz", *INTO, "-o", "run").stdout
    found = call("predict", "run", "more.npz", *INTO, "--json").json["answers"]
    assert [each["label"] for each in found] == ["0", "1", "2", "0", "1", "2"]
    scored = call("evaluate", "run", "more.npz", *INTO, "--json").json
    assert scored["score"]["correct"] == 6


@pytest.mark.usefixtures("own")
def test_a_run_with_layers_that_nobody_gave_says_how_to_give_them(call):
    assert call("finetune", "own.keras", "data.npz", *INTO, "-o", "run").code == 0
    ended = call("predict", "run", "more.npz")
    assert ended.code == 5
    assert "own_wide.Wide" in ended.stderr
    assert "next: name the builder with its classes with --into" in ended.stderr
