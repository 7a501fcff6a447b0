"""A rehearsal goes through the parts of a run and changes nothing."""

import numpy as np
import pytest

import transfer
from transfer.jobs.examples.feeding import make_feed
from transfer.jobs.finetuning.rehearsing import Sample, rehearse, rehearse_solving, solving_work
from transfer.models.building import read_model
from transfer.recipes import Recipe, Stage
from transfer.training.labels import Labels
from transfer.training.stage_flags import flag_stage
from transfer.weights.tensor_digests import digest_tensor


def rehearsed(student, images, recipe):
    network = read_model(student)
    feed = make_feed(network, transfer.from_arrays(images, np.arange(len(images)) % 2), preprocessing="unit")
    whole = read_model(feed.network)
    graphs = [flag_stage(whole.graph, stage, ["label"]) for stage in recipe.stages]
    rows = feed.load(transfer.from_arrays(images, np.arange(len(images)) % 2), 16)
    sample = Sample(rows, rows.shape[1:], feed.to_json(), len(images))
    return whole, rehearse(whole, ["label"], graphs, recipe, sample, {})


def test_what_is_kept_of_an_example_is_measured_at_each_boundary(colour_student, colours):
    recipe = Recipe((Stage("probe"), Stage("tune", unfreeze_from="conv_2", epochs=3)))
    _, found = rehearsed(colour_student, colours[0], recipe)
    assert found.row_bytes == 12 * 12 * 6 * 4  # before conv_2
    assert [each.row_bytes for each in found.stages] == [8 * 4, 0]  # after pooling; the prefix's own
    assert found.prefix.each > 0
    assert found.answer.each > 0
    assert found.stages[0].step.each == 0
    assert found.stages[1].step.each > 0


def test_the_network_keeps_its_bits(colour_student, colours):
    recipe = Recipe((Stage("probe"), Stage("tune", unfreeze=("*",), batch_norm="train", rate="auto", mixup=0.2)))
    before = {name: digest_tensor(values) for name, values in read_model(colour_student).tensors.items()}
    rehearsed(colour_student, colours[0], recipe)
    assert {name: digest_tensor(values) for name, values in read_model(colour_student).tensors.items()} == before


def test_low_rank_products_are_rehearsed_too(colour_student, colours):
    recipe = Recipe((Stage("probe"), Stage("tune", unfreeze_from="conv_2", lora_rank=2)))
    assert rehearsed(colour_student, colours[0], recipe)[1].stages[1].step.each > 0


def test_solving_goes_with_the_coordinates_that_examples_span():
    assert [solving_work(*sizes) for sizes in ((3000, 15), (30, 4000))] == pytest.approx([45_000 * 1.01, 900 * 1.02])
    assert solving_work(1500, 1500) == 2 * 1500**2
    rows = np.random.default_rng(0).random((40, 6))
    pace = rehearse_solving(rows, Labels.of_classes(np.arange(40) % 3, 3), seed=0)
    assert pace.seconds(80, 6) >= pace.seconds(40, 6) > 0
    assert rehearse_solving(rows, Labels.of_classes(np.zeros(40, np.int64), 3), seed=0).seconds(40, 6) == 0
