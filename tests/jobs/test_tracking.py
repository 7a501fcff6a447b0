"""Who looks on while a run goes on changes nothing in it."""

import json
from dataclasses import asdict

import keras
import pytest
import tensorflow as tf

import transfer
from transfer.training import fitting

RECIPE = transfer.Recipe(
    (
        transfer.Stage(unfreeze_last=0, epochs=2, rate=1e-4),
        transfer.Stage(unfreeze_last=1, epochs=3, rate=1e-2, mixup=0.5),
    ),
    seed=7,
)


@pytest.fixture(scope="module")
def data(digits_folder) -> transfer.LabelledSet:
    return transfer.read_labelled(digits_folder)


@pytest.fixture(scope="module")
def noisy(restored) -> keras.Model:
    """A student that draws random numbers when it is trained."""
    head = transfer.Head("label", 3, hidden=(8,), dropout=0.3)
    return transfer.extract(restored, drop_last=1, freeze="backbone", heads=[head])


def scalars(folder) -> dict[int, dict[str, float]]:
    """What TensorBoard shows of a stage: of each step what was told last."""
    found: dict[int, dict[str, float]] = {}
    for path in sorted(folder.iterdir()):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            if event.HasField("session_log"):
                found.clear()
            elif event.HasField("summary"):
                found[event.step] = {each.tag: each.simple_value for each in event.summary.value}
    return found


def told(folder, kind: str) -> list[dict[int, dict[str, float]]]:
    """The same of a run's history, stage by stage, in single precision as TensorBoard keeps it."""
    lines = [json.loads(each) for each in (folder / "history.jsonl").read_text().splitlines()]
    found = []
    for line in (each for each in lines if each["stage"] == kind):
        names = ("loss", "rate", "validation_loss", "validation_accuracy")
        values = {name: line[name] for name in names if line[name] is not None}
        values |= {f"updates/{layer}": size for layer, size in line["updates"].items()}
        if line["number"] == 1:
            found.append({})
        found[-1][line["number"]] = {name: float(tf.constant(each, tf.float32)) for name, each in values.items()}
    return found


def test_a_run_that_tensorboard_is_told_of_has_the_same_bits_and_tells_its_whole_history(noisy, data, tmp_path):
    plain = transfer.finetune(noisy, data, recipe=RECIPE, out=tmp_path / "plain")
    run = transfer.finetune(noisy, data, recipe=RECIPE, out=tmp_path / "run", tensorboard=tmp_path / "board")
    for name in ("run.json", "result.json", "history.jsonl", "model.keras"):
        assert (run.folder / name).read_bytes() == (plain.folder / name).read_bytes(), name
    (board,) = (tmp_path / "board").iterdir()
    assert board.name == f"run-{run.asked['digest'][:8]}"
    assert sorted(path.name for path in board.iterdir()) == ["stage_0", "stage_1", "trial_0", "trial_1"]
    for kind, name in (("tune", "stage"), ("trial", "trial")):
        assert [len(each) for each in told(run.folder, kind)] == [2, 3]
        assert [scalars(board / f"{name}_{place}") for place in (0, 1)] == told(run.folder, kind)
    assert "validation_loss" in scalars(board / "trial_1")[1]


def test_a_run_that_was_cut_off_and_goes_on_tells_all_of_its_epochs(noisy, data, tmp_path, monkeypatch):
    class Always(fitting.SavingTimes):
        def after_epoch(self, state):
            self.save(state)

    def breaking(stage, *_):
        if stage.startswith("stage 1, epoch 2"):
            raise KeyboardInterrupt

    monkeypatch.setattr(fitting, "SavingTimes", Always)
    asked = {"recipe": RECIPE, "out": tmp_path / "run"}
    with pytest.raises(KeyboardInterrupt):
        transfer.finetune(noisy, data, **asked, tensorboard=tmp_path / "before", progress=breaking)
    run = transfer.finetune(noisy, data, **asked, tensorboard=tmp_path / "after")
    assert list(scalars(next((tmp_path / "before").iterdir()) / "stage_1")) == [1, 2]
    (board,) = (tmp_path / "after").iterdir()
    for kind, name in (("tune", "stage"), ("trial", "trial")):
        assert [scalars(board / f"{name}_{place}") for place in (0, 1)] == told(run.folder, kind)


def test_a_run_that_stands_there_already_is_not_told_of_again(digits_run, student, restored, data, tmp_path):
    recipe = transfer.Recipe(transfer.Stage("probe"), seed=7)
    run = transfer.finetune(
        student, data, recipe=recipe, receipt=restored.receipt, out=digits_run.folder, tensorboard=tmp_path / "board"
    )
    assert run.reused
    assert asdict(run.result) == asdict(digits_run.result)
    assert list(tmp_path.iterdir()) == []
