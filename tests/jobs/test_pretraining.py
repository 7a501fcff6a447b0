"""Pretraining as a whole job: a checkpoint that goes on into everything else."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

import transfer
from transfer.errors import DataError, LayerError, OutputError

LAYERS = keras.layers
PACE = transfer.Pace(epochs=2, batch_size=10)


def build_small():
    x = inputs = keras.Input((28, 28, 1), name="image")
    x = LAYERS.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="conv")(x)
    x = LAYERS.BatchNormalization(name="norm")(x)
    x = LAYERS.Activation("relu", name="relu")(x)
    x = LAYERS.Flatten(name="flat")(x)
    x = LAYERS.Dense(16, use_bias=False, name="dense")(x)
    x = LAYERS.BatchNormalization(name="last_norm")(x)
    return keras.Model(inputs, LAYERS.Activation("relu", name="features")(x), name="small")


@pytest.fixture(scope="module")
def pretrained(digits, tmp_path_factory) -> transfer.Pretrained:
    out = tmp_path_factory.mktemp("pretrained") / "encoder.weights.h5"
    return transfer.pretrain(build_small, digits[0], method="masked", pace=PACE, out=out, seed=3)


def test_it_gives_a_checkpoint_whose_card_says_all(pretrained, digits):
    card = transfer.open_checkpoint(pretrained.path).card
    assert card.features == "features"
    assert card.preprocessing.scale == pytest.approx(1 / 255)
    assert card.fingerprint is not None
    (done,) = card.history
    assert done.startswith("pretrained: masked {'share': 0.5, 'patch': None, 'code': None}, 30 examples of an array")
    assert f"loss by epoch {pretrained.history[0].loss:.4g} {pretrained.history[1].loss:.4g}" in done
    restored = transfer.restore(pretrained.path).model
    for one, other in zip(restored.get_weights(), pretrained.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert np.any(restored.get_layer("conv").get_weights()[0] != build_small().get_layer("conv").get_weights()[0])
    assert len(digits[0]) == pretrained.examples


def test_beside_it_lie_its_curve_and_a_picture(pretrained):
    told = json.loads((pretrained.folder / "pretraining.json").read_text())
    assert told["method"] == "masked"
    lines = [json.loads(each) for each in (pretrained.folder / "history.jsonl").read_text().splitlines()]
    assert [each["number"] for each in lines] == [1, 2]
    with Image.open(pretrained.folder / "pictures" / "masked.png") as sheet:
        assert sheet.text["Description"] == "rows from the top: input, given, reconstruction"
        assert sheet.size[0] > 10 * 28
    assert "epoch  error" in str(pretrained)


def test_the_whole_encoder_is_kept_where_it_is_fine_tuned_and_ranked(pretrained, digits_folder):
    from transfer.jobs.finetuning.learning import Learning, prepare_file

    data = transfer.read_labelled(digits_folder)
    _, student = prepare_file(str(pretrained.path), data, Learning())
    assert (student.cut, student.dropped) == ("features", ())
    run = transfer.finetune(student, data, recipe=transfer.Recipe(transfer.Stage("probe")))
    assert run.result.score.accuracy.value > 0.5
    ranking = transfer.rank([str(pretrained.path)], data)
    assert any(cut.at == "features" for cut in ranking.cuts)


def test_the_same_request_is_found_again_and_another_is_refused(pretrained, digits):
    again = transfer.pretrain(build_small, digits[0], method="masked", pace=PACE, out=pretrained.path, seed=3)
    assert again.reused
    assert again.history == pretrained.history
    with pytest.raises(OutputError, match="exists already"):
        transfer.pretrain(build_small, digits[0], method="masked", pace=PACE, out=pretrained.path, seed=4)


def test_the_same_seed_gives_the_same_bits_and_another_others(pretrained, digits):
    same, other = (transfer.pretrain(build_small, digits[0], method="masked", pace=PACE, seed=seed) for seed in (3, 4))
    assert all(
        np.array_equal(*each) for each in zip(same.model.get_weights(), pretrained.model.get_weights(), strict=True)
    )
    assert not np.array_equal(same.model.get_weights()[0], other.model.get_weights()[0])


def test_a_checkpoint_goes_on_from_its_weights_and_random_does_not(pretrained, digits):
    none = transfer.Pace(epochs=1, batch_size=30, rate=1e-12)
    onward = transfer.pretrain(pretrained.path, digits[0], method="denoising", pace=none)
    np.testing.assert_allclose(onward.model.get_weights()[0], pretrained.model.get_weights()[0], atol=1e-6)
    assert "starts from the weights it has" in onward.notes[0]
    anew = transfer.pretrain(f"random:{pretrained.path}", digits[0], method="denoising", pace=none)
    assert not np.allclose(anew.model.get_weights()[0], pretrained.model.get_weights()[0], atol=1e-3)


def test_a_classifier_is_dropped_and_named(digits):
    found = transfer.pretrain("digits_mlp", digits[0], method="autoencoder", pace=PACE)
    assert found.notes[0].endswith("dropped")
    assert found.model.output_shape[-1] != 10


def test_labels_are_not_used_and_a_note_says_so(digits_folder):
    found = transfer.pretrain(build_small, digits_folder, method="rotation", pace=PACE)
    assert any(each.startswith("labels are not used: 30 of") for each in found.notes)


def test_a_batch_larger_than_the_set_is_told(digits):
    found = transfer.pretrain(build_small, digits[0][:7], method="contrastive", pace=transfer.Pace(epochs=1))
    assert "batches hold 7 examples: there are no more" in found.notes


def test_pictures_of_several_sizes_are_fitted(tmp_path):
    random = np.random.default_rng(0)
    for place, (height, width) in enumerate([(28, 28), (40, 20), (9, 33), (64, 64)]):
        pixels = random.integers(0, 256, (height, width), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{place}.png")
    (tmp_path / "damaged.png").write_bytes(b"no picture")
    found = transfer.pretrain(build_small, tmp_path, method="variational", pace=PACE)
    assert found.examples == 4
    assert [each.where for each in found.left_out] == [str(tmp_path / "damaged.png")]


def test_vectors_are_learnt_from_too():
    def build():
        x = inputs = keras.Input((12,), name="row")
        return keras.Model(inputs, LAYERS.Dense(6, activation="relu", name="features")(x), name="rows")

    rows = np.random.default_rng(0).normal(size=(50, 12)).astype(np.float32)
    for method in ("autoencoder", "denoising", "masked", "variational", "gan", "contrastive"):
        assert len(transfer.pretrain(build, rows, method=method, pace=PACE).history) == 2
    with pytest.raises(LayerError, match="Only square images"):
        transfer.pretrain(build, rows, method="rotation")


def test_what_cannot_be_mirrored_is_named_and_takes_a_decoder_of_ones_own():
    def build():
        x = inputs = keras.Input((6, 4), name="steps")
        return keras.Model(inputs, LAYERS.LSTM(5, name="memory")(x), name="sequence")

    rows = np.random.default_rng(0).normal(size=(20, 6, 4)).astype(np.float32)
    with pytest.raises(LayerError) as refused:
        transfer.pretrain(build, rows, method="autoencoder", pace=PACE)
    assert refused.value.problems[0].where == "memory"
    assert "--decoder" in refused.value.next_step

    def decoder(code, shape):
        return keras.Sequential([keras.Input((code,)), LAYERS.Dense(24, name="back"), LAYERS.Reshape(shape)])

    assert transfer.pretrain(build, rows, method="autoencoder", pace=PACE, decoder=decoder).history
    assert transfer.pretrain(build, rows, method="contrastive", pace=PACE).history  # needs no decoder


def test_networks_of_several_inputs_and_methods_unknown_are_refused(digits):
    left, right = (keras.Input((4,), name=name) for name in ("left", "right"))
    both = keras.Model([left, right], LAYERS.Concatenate()([left, right]))
    with pytest.raises(LayerError, match="takes networks of one"):
        transfer.pretrain(both, digits[0])
    with pytest.raises(DataError, match="No method of pretraining goes by 'simclr'"):
        transfer.pretrain(build_small, digits[0], method="simclr")
    with pytest.raises(DataError, match="no architecture to pretrain"):
        transfer.pretrain(17, digits[0])
