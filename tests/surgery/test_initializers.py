"""Initialisers drawn by numpy: bounds, moments and structure as those of Keras give them."""

import keras
import numpy as np
import pytest

from transfer.errors import LayerError
from transfer.surgery.initializers import compute_fans, draw_initial

I = keras.initializers  # noqa: E741


def generator(seed=0):
    return np.random.Generator(np.random.PCG64(seed))


def values(variable):
    return keras.ops.convert_to_numpy(variable)


INITIALISERS = [
    I.GlorotUniform(),
    I.GlorotNormal(),
    I.HeUniform(),
    I.HeNormal(),
    I.LecunUniform(),
    I.LecunNormal(),
    I.RandomUniform(-0.3, 0.1),
    I.RandomNormal(0.5, 0.2),
    I.TruncatedNormal(0.5, 0.2),
    I.VarianceScaling(0.5, "fan_out", "uniform"),
    I.VarianceScaling(0.5, "fan_avg", "untruncated_normal"),
    I.VarianceScaling(3.0, "fan_in", "truncated_normal"),
    I.Orthogonal(2.0),
]


@pytest.mark.parametrize("shape", [(300, 200), (3, 3, 40, 120)], ids=str)
@pytest.mark.parametrize("initialiser", INITIALISERS, ids=lambda each: type(each).__name__)
def test_bounds_and_moments_are_those_of_keras(initialiser, shape):
    seeded = type(initialiser).from_config({**initialiser.get_config(), "seed": 7})
    theirs = values(seeded(shape)).astype(np.float64)
    ours = draw_initial(I.serialize(initialiser), shape, generator(), where="kernel")
    spread = theirs.std()
    assert ours.shape == shape
    assert ours.mean() == pytest.approx(theirs.mean(), abs=0.03 * spread)
    assert ours.std() == pytest.approx(spread, rel=0.02)
    # Uniform and truncated values come close to their bounds and never pass them; normal ones have none.
    room = 1.0 if "RandomNormal" in type(initialiser).__name__ else 0.02
    if getattr(initialiser, "distribution", "") != "untruncated_normal" and not isinstance(initialiser, I.Orthogonal):
        assert ours.min() == pytest.approx(theirs.min(), abs=room * spread)
        assert ours.max() == pytest.approx(theirs.max(), abs=room * spread)


@pytest.mark.parametrize(("kind", "limit"), [("glorot_uniform", 6 / 1500), ("HeUniform", 6 / 500)])
def test_uniform_values_keep_to_the_limits_of_the_papers(kind, limit):
    drawn = draw_initial(kind, (500, 1000), generator(), where="kernel")
    assert np.abs(drawn).max() <= limit**0.5
    assert np.abs(drawn).max() > 0.999 * limit**0.5


@pytest.mark.parametrize("initialiser", [I.Zeros(), I.Ones(), I.Constant(0.25), I.Identity()])
def test_values_that_are_not_drawn_are_equal_to_those_of_keras(initialiser):
    ours = draw_initial(I.serialize(initialiser), (4, 6), generator(), where="kernel")
    np.testing.assert_array_equal(ours, values(initialiser((4, 6))))


@pytest.mark.parametrize("shape", [(5, 8), (8, 5), (2, 2, 3, 6)])
def test_orthogonal_kernels_have_orthonormal_columns_or_rows(shape):
    drawn = draw_initial("orthogonal", shape, generator(), where="kernel").reshape(-1, shape[-1])
    product = drawn @ drawn.T if drawn.shape[0] < drawn.shape[1] else drawn.T @ drawn
    np.testing.assert_allclose(product, np.eye(min(drawn.shape)), atol=1e-12)


@pytest.mark.parametrize("shape", [(), (7,), (3, 4), (3, 4, 5), (3, 3, 4, 5)])
def test_fans_are_those_of_keras(shape):
    from keras.src.initializers.random_initializers import compute_fans as of_keras

    assert compute_fans(shape) == of_keras(shape)


@pytest.mark.parametrize(
    "name", ["zeros", "zero", "ones", "one", "uniform", "normal", "he_normal", "IdentityInitializer"]
)
def test_short_names_stand_for_the_same(name):
    entry = I.serialize(I.get(name)) if name != "IdentityInitializer" else I.serialize(I.Identity())
    ours = draw_initial(name, (4, 4), generator(3), where="kernel")
    np.testing.assert_array_equal(ours, draw_initial(entry, (4, 4), generator(3), where="kernel"))


def test_an_initialiser_that_is_not_known_is_named():
    with pytest.raises(LayerError, match="'label/kernel' starts from the initialiser 'Wild'") as caught:
        draw_initial({"class_name": "Wild", "config": {}}, (3, 4), generator(), where="label/kernel")
    assert caught.value.problems[0].found == "Wild"
    with pytest.raises(LayerError, match="no initialiser"):
        draw_initial(None, (3, 4), generator(), where="label/kernel")
