"""Early signs that nothing is learnt."""

import numpy as np

from transfer.training.history import Epoch
from transfer.training.pretraining.methods import named_method
from transfer.training.pretraining.signs import find_signs

RANDOM = np.random.default_rng(0)
GOOD = RANDOM.normal(size=(200, 24))


def epoch(**means):
    return Epoch(1, next(iter(means.values())), outputs={name: {"value": each} for name, each in means.items()})


def signs(method, make_encoder, make_decoder, after=GOOD, **means):
    return find_signs(
        named_method(method).build(make_encoder(), make_decoder, 0), epoch(**means), GOOD, after, batch_size=50
    )


def test_a_good_run_shows_none(make_encoder, make_decoder):
    assert signs("autoencoder", make_encoder, make_decoder, error=0.2) == ()


def test_reconstructing_the_mean_is_told(make_encoder, make_decoder, scans):
    scaled = (scans.values - scans.values.mean()) / scans.values.std()
    worst = ((scaled - scaled.mean(0)) ** 2).mean()
    (told,) = signs("masked", make_encoder, make_decoder, error=0.97 * worst)
    assert f"({worst:.3g})" in told
    assert "nothing but the mean is learnt" in told


def test_features_that_vary_in_one_direction_have_collapsed(make_encoder, make_decoder):
    flat = RANDOM.normal(size=(200, 1)) @ RANDOM.normal(size=(1, 24))
    (told,) = signs("contrastive", make_encoder, make_decoder, after=flat, loss=1.0)
    assert told.startswith("features vary in 1.0 directions of 24")


def test_an_error_above_the_worst_and_features_that_were_always_poor_are_called_so(make_encoder, make_decoder):
    flat = RANDOM.normal(size=(200, 1)) @ RANDOM.normal(size=(1, 24))
    objective = named_method("masked").build(make_encoder(), make_decoder, 0)
    ignored, poor = find_signs(objective, epoch(error=2.5), flat, flat, batch_size=50)
    assert "error 2.5 is no better than that of answers" in ignored
    assert poor.endswith("(effective rank; 1.0 before): they are as poor as they were")


def test_a_silent_code_and_a_discriminator_that_has_won_are_told(make_encoder, make_decoder):
    (told,) = signs("variational", make_encoder, make_decoder, loss=0.3, error=0.3, divergence=0.02)
    assert "posterior has collapsed" in told
    means = {"discriminator/loss": 0.01, "discriminator/accuracy": 0.998, "generator/loss": 3.0}
    (told,) = signs("gan", make_encoder, make_decoder, **means)
    assert "99.8 %" in told


def test_rotation_at_chance_is_told(make_encoder, make_decoder):
    (told,) = signs("rotation", make_encoder, make_decoder, loss=1.386, accuracy=0.25)
    assert told.startswith("loss 1.39 is hardly better than that of answers that ignore the input (1.39)")
