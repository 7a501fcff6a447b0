"""Views: what they may change, and that each row is changed by itself."""

import numpy as np
import tensorflow as tf

from transfer.training.pretraining.views import Views, crop, exchange, mirror, relight

SEED = tf.constant((3, 5))


def test_crops_hold_at_least_the_share_and_stay_within_the_image():
    """Of a ramp from 0 to 1 across, a crop's ends say which part it is."""
    ramp = np.broadcast_to(np.linspace(0, 1, 33, dtype=np.float32)[None, None, :, None], (200, 33, 33, 1))
    across = np.asarray(crop(ramp, 0.3, SEED))
    down = np.asarray(crop(ramp.transpose(0, 2, 1, 3), 0.3, SEED))
    wide, high = np.ptp(across, axis=2)[:, 0, 0], np.ptp(down, axis=1)[:, 0, 0]
    assert across.min() >= -1e-6
    assert across.max() <= 1 + 1e-6
    area = wide * high
    assert area.min() > 0.3 - 1e-4
    assert area.max() > 0.9
    assert (wide / high).max() < 16 / 9
    assert len(np.unique(area.round(5))) > 190


def test_about_half_are_mirrored_and_the_others_as_they_were():
    rows = np.random.default_rng(0).random((400, 4, 6, 3)).astype(np.float32)
    found = np.asarray(mirror(rows, SEED))
    is_mirrored = (found == rows[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (is_mirrored | (found == rows).all(axis=(1, 2, 3))).all()
    assert 150 < is_mirrored.sum() < 250


def test_light_keeps_grey_images_an_affine_change_of_themselves():
    rows = np.random.default_rng(0).random((50, 5, 5, 1)).astype(np.float32)
    found = np.asarray(relight(rows, 0.4, 1.0, SEED), np.float64)
    for before, after in zip(rows, found, strict=True):
        slope, offset = np.polyfit(before.ravel(), after.ravel(), 1)
        np.testing.assert_allclose(slope * before + offset, after, atol=1e-5)
        assert 0.6 <= slope <= 1.4


def test_grey_images_of_three_channels_stay_grey_and_white_stays_the_limit(make_encoder):
    grey = np.repeat(np.random.default_rng(0).random((20, 8, 8, 1)).astype(np.float32), 3, axis=3)
    found = np.asarray(relight(grey, 0.4, 1.0, SEED))
    np.testing.assert_allclose(found[..., 0], found[..., 2], atol=1e-5)
    encoder = make_encoder()
    drawn = np.asarray(Views().draw(encoder, 16 * grey[..., :1], SEED))
    assert drawn.min() >= 0
    assert drawn.max() <= encoder.white


def test_other_rows_take_a_share_of_their_entries_from_the_same_column_of_others():
    rows = (np.arange(100)[:, None] + 1000 * np.arange(30)).astype(np.float32)
    found = np.asarray(exchange(rows, 0.4, SEED))
    assert ((found // 1000).astype(int) == np.arange(30)).all()
    assert 0.35 < (found != rows).mean() < 0.45


def test_the_same_seed_gives_the_same_view_and_another_another(make_encoder, scans):
    encoder, rows = make_encoder(), scans.values[:20]
    one, same, other = (np.asarray(Views().draw(encoder, rows, tf.constant((0, k)))) for k in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)
