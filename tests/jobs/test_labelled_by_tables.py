"""A set that a table labels runs through every job as a set of class folders does."""

import shutil

import numpy as np
import pytest

import transfer
from transfer.jobs.finetuning.learning import Learning, learn_file
from transfer.jobs.runs.evaluating import evaluate


@pytest.fixture
def labels(digits_folder, tmp_path):
    """A copy of the pictures in one folder, without classes but in the table, in another order."""
    rows = []
    for path in sorted(digits_folder.rglob("*.png"), reverse=True):
        kept = tmp_path / "flat" / path.relative_to(digits_folder)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, kept)
        rows.append(f"{kept.relative_to(tmp_path / 'flat')};{path.parent.name}\r\n")
    table = tmp_path / "flat" / "labels.csv"
    table.write_text("Bild;Class\r\n" + "".join(rows), encoding="utf-8-sig", newline="")
    return table


@pytest.mark.parametrize("give", ["table", "folder"])
def test_a_run_on_a_table_is_the_run_on_class_folders(digits_run, labels, give, tmp_path):
    data = transfer.read_labelled(labels if give == "table" else labels.parent)
    run = learn_file(
        "digits_mlp", data, tmp_path / "run", Learning(recipe=transfer.Recipe(transfer.Stage("probe"), seed=7))
    )
    assert run.result.score == digits_run.result.score
    assert run.result.classes == ("digit_0", "digit_1", "digit_2")
    assert run.result.left_out == ()
    for ours, theirs in zip(run.model.get_weights(), digits_run.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_examples_that_a_run_learnt_from_are_recognised_in_a_table(digits_run, labels):
    found = evaluate(digits_run.folder, transfer.read_labelled(labels))
    assert found.seen == digits_run.result.train_examples == 21
    assert found.score.examples == digits_run.result.test_examples
    assert found.score.correct == digits_run.result.score.correct
