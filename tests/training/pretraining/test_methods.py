"""What each method hides, draws and asks, against numpy; and how methods are named."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from transfer.errors import DataError, LayerError
from transfer.training.pretraining.contrastive import Contrastive
from transfer.training.pretraining.denoising import Denoising
from transfer.training.pretraining.encoders import Scale
from transfer.training.pretraining.gan import judged
from transfer.training.pretraining.masked import Masked, hide
from transfer.training.pretraining.methods import METHODS, named_method
from transfer.training.pretraining.rotation import Rotation, turned
from transfer.training.pretraining.spectral import SpectralCall
from transfer.training.pretraining.variational import kl_to_normal

README = Path(__file__).parents[3] / "README.md"
SEED = tf.constant((1, 2))


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
def test_scales_are_of_any_unit_and_a_column_without_spread_stays_as_it_is(unit, scans):
    random = np.random.default_rng(0)
    rows = np.stack([random.normal(size=200), random.normal(3, 0.5, 200), np.full(200, 7.0)], 1) * unit
    scale = Scale.measure(type(scans)(rows.astype(np.float32)), is_image=False, seed=0)
    scaled = scale.apply(rows)
    np.testing.assert_allclose(scaled.std(0), [1, 1, 0], atol=1e-5)
    assert scale.worst == pytest.approx(2 / 3, rel=1e-3)


def test_noise_has_the_standard_deviation_that_is_asked_for(make_encoder, scans):
    encoder = make_encoder()
    middle = np.full((200, 8, 8, 1), 8.0, np.float32)  # so far from black and white that little is cut off
    noisy = np.asarray(Denoising(noise=0.3).disturb(encoder, middle, SEED))
    assert (noisy - middle).std() == pytest.approx(0.3 * scans.values.std(), rel=0.03)
    cut = np.asarray(Denoising(noise=9.0).disturb(encoder, middle, SEED))
    assert (cut.min(), cut.max()) == (0, 16)


def test_masks_are_patches_of_the_share_and_the_mean_stands_in_their_place(make_encoder, scans):
    encoder = make_encoder()
    mask = np.asarray(Masked(share=0.25, patch=3).mask(encoder, 300, SEED))
    assert mask.shape == (300, 8, 8, 1)
    assert mask.mean() == pytest.approx(0.25, abs=0.02)
    blocks = mask[:, :6, :6, 0].reshape(300, 2, 3, 2, 3)
    assert (np.ptp(blocks, axis=(2, 4)) == 0).all()
    assert (mask[:, 6:, :3, 0] == mask[:, 6:7, :1, 0]).all()  # the last patches are cut off by the image's end
    hidden = np.asarray(hide(encoder, scans.values[:300], mask))
    np.testing.assert_array_equal(hidden[mask == 0], scans.values[:300][mask == 0])
    np.testing.assert_allclose(hidden[mask == 1], scans.values.mean(), rtol=1e-4)


def test_the_error_counts_what_was_hidden_alone(make_encoder, make_decoder, scans):
    from transfer.training.pretraining.reconstruction import squeezed

    whole = squeezed(make_encoder(), make_decoder, None, 0)
    rows = scans.values[:5]
    scaled = (rows - scans.values.mean()) / scans.values.std()
    guess = np.zeros_like(rows)
    weights = np.zeros_like(rows)
    weights[:, 2:4, 5] = 1
    expected = (scaled[:, 2:4, 5] ** 2).mean()
    assert float(whole.error(guess, rows, weights)) == pytest.approx(expected, rel=1e-3)
    assert float(whole.error(guess, rows)) == pytest.approx((scaled**2).mean(), rel=1e-3)


def test_the_divergence_is_the_integral_over_the_density():
    mean, log_variance = 0.7, -0.4
    x = np.linspace(-15, 15, 200_001)
    density = np.exp(-((x - mean) ** 2) / (2 * np.exp(log_variance))) / np.sqrt(2 * np.pi * np.exp(log_variance))
    normal = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    there = density > 0
    expected = np.trapezoid(np.where(there, density * np.log(np.where(there, density, 1) / normal), 0), x)
    assert float(kl_to_normal(tf.constant(mean), tf.constant(log_variance))) == pytest.approx(expected, rel=1e-4)


def test_images_are_turned_by_all_quarters_and_each_is_told():
    rows = np.random.default_rng(0).random((3, 5, 5, 2)).astype(np.float32)
    found, turns = (np.asarray(each) for each in turned(rows))
    for place, quarters in enumerate(turns.tolist()):
        np.testing.assert_array_equal(found[place], np.rot90(rows[place % 3], quarters))


def test_what_is_no_square_image_cannot_be_turned(make_encoder, make_decoder, scans):
    wide = type(scans)(np.zeros((10, 6, 8, 1), np.float32))
    with pytest.raises(LayerError, match="Only square images") as refused:
        Rotation().build(make_encoder(wide), make_decoder, 0)
    assert refused.value.problems[0].found == "(6, 8, 1)"


def test_kernels_are_divided_by_their_largest_singular_value(scans):
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(6, 3, name="conv"),
            keras.layers.Flatten(),
            keras.layers.Dense(5, name="dense"),
        ]
    )
    call = SpectralCall(model, 0)
    for _ in range(60):
        call(scans.values[:4], follows=True)
    kernels = [model.get_layer(name).get_weights()[0] for name in ("conv", "dense")]
    largest = [np.linalg.svd(each.reshape(-1, each.shape[-1]), compute_uv=False)[0] for each in kernels]
    call.bake()
    for name, before, value in zip(("conv", "dense"), kernels, largest, strict=True):
        np.testing.assert_allclose(model.get_layer(name).get_weights()[0], before / value, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("kind", ["DepthwiseConv2D", "SeparableConv2D"])
def test_a_kernel_in_depth_has_a_column_for_each_channel(kind):
    keras.utils.set_random_seed(4)
    own = {"filters": 3} if kind == "SeparableConv2D" else {}
    layer = getattr(keras.layers, kind)(kernel_size=3, depth_multiplier=2, name="deep", **own)
    model = keras.Sequential([keras.Input((8, 8, 4)), layer])
    before = layer.get_weights()[0]
    call = SpectralCall(model, 0)
    for _ in range(60):
        call(np.ones((2, 8, 8, 4), np.float32), follows=True)
    call.bake()
    largest = np.linalg.svd(before.reshape(9, 8), compute_uv=False)[0]
    np.testing.assert_allclose(layer.get_weights()[0], before / largest, rtol=1e-3, atol=1e-6)


def test_statistics_of_made_up_rows_stay_out_of_a_discriminators_batch_norm(scans):
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.BatchNormalization(momentum=0.5)])
    call = SpectralCall(model, 0)
    call(scans.values[:40] + 100, follows=False)
    assert float(model.layers[0].moving_mean[0]) == 0
    call(scans.values[:40], follows=True)
    assert float(model.layers[0].moving_mean[0]) == pytest.approx(scans.values[:40].mean() / 2, rel=1e-5)


def test_a_generators_rows_lie_between_black_and_white(make_encoder, make_decoder, scans):
    objective = named_method("gan").build(make_encoder(), make_decoder, 0)
    made = objective.pictures(scans.values[:7])["generated"]
    assert made.shape == (7, 8, 8, 1)
    assert made.min() >= 0
    assert made.max() <= 16


def test_the_hinge_asks_of_both_kinds_to_be_beyond_one():
    real, made_up = tf.constant([[2.0], [0.5], [-1.0]]), tf.constant([[-3.0], [0.0], [0.25]])
    told = judged(real, made_up)
    assert float(told["loss"]) == pytest.approx((0 + 0.5 + 2) / 3 + (0 + 1 + 1.25) / 3)
    assert float(told["accuracy"]) == pytest.approx((2 / 3 + 1 / 3) / 2)


def test_methods_go_by_their_names_and_options_are_converted():
    found = named_method("contrastive", {"temperature": "0.5", "views.light": 0.1, "views.mirror": "false"})
    assert isinstance(found, Contrastive)
    assert (found.temperature, found.views.light, found.views.mirror) == (0.5, 0.1, False)
    assert named_method("masked", {"patch": "4"}) == Masked(patch=4)


@pytest.mark.parametrize("name", METHODS)
def test_a_wrong_option_lists_all_and_so_does_the_readme(name):
    with pytest.raises(DataError, match="has no option 'no'") as refused:
        named_method(name, {"no": 1})
    (row,) = [each for each in README.read_text().splitlines() if each.startswith(f"| `{name}` |")]
    told = row.split("|")[-2].replace("`", "").strip() or "none"
    assert refused.value.summary == f"The method {name} has no option 'no'; it has {told}."


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("mask", {}, "nearest: 'masked'"),
        ("masked", {"shares": 0.5}, "no option 'shares'"),
        ("masked", {"share": "half"}, "of another kind"),
        ("masked", {"patch": 2.5}, "of another kind"),
        ("contrastive", {"views": 1}, "views.light"),
        ("rotation", {"angle": 1}, "it has none"),
    ],
)
def test_what_is_no_method_or_option_is_refused(name, options, expected):
    with pytest.raises(DataError) as refused:
        named_method(name, options)
    assert expected in str(refused.value)
