"""What MLflow is told of a run: by a stand-in for it, and by MLflow itself where it is installed."""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

import transfer
from transfer.errors import OutputError
from transfer.jobs.runs.mlflow_runs import MlflowRun, describe_parameters

TUNED = transfer.Recipe(
    (transfer.Stage("probe"), transfer.Stage(unfreeze_last=1, epochs=2, rate=1e-2, mixup=0.5)), seed=7, name="mine"
)


class RefusedError(Exception):
    """Stands for `MlflowException`."""


@dataclass
class Store:
    """What the stand-in was told.

    Attributes:
        calls: of its client, in order.
        largest: number of parameters in one batch.
        failing: the method that fails; empty for none.
    """

    address: str | None = "nowhere"
    experiments: list[str] = field(default_factory=list)
    name: str = ""
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[tuple[str, int], float] = field(default_factory=dict)
    artifacts: dict[str, dict] = field(default_factory=dict)
    status: str = "RUNNING"
    largest: int = 0
    failing: str = ""

    def check(self, method: str) -> None:
        if method == self.failing:
            raise RefusedError("out of order")


@pytest.fixture
def store(monkeypatch) -> Store:
    found = Store()

    class Client:
        def __init__(self, tracking_uri):
            found.address = tracking_uri

        def get_experiment_by_name(self, name):
            found.check("get_experiment_by_name")
            return SimpleNamespace(experiment_id=name) if name in found.experiments else None

        def create_experiment(self, name):
            found.experiments.append(name)
            return name

        def create_run(self, experiment_id, *, run_name):
            assert experiment_id in found.experiments
            found.name = run_name
            return SimpleNamespace(info=SimpleNamespace(run_id="r1"))

        def log_batch(self, run_id, *, metrics=(), params=()):
            assert run_id == "r1"
            found.check("log_batch" if metrics else "log_params")
            found.largest = max(found.largest, len(params))
            found.params |= dict(params)
            found.metrics |= {(key, step): value for key, value, _, step in metrics}

        def log_artifact(self, run_id, path):
            assert run_id == "r1"
            found.artifacts[Path(path).name] = json.loads(Path(path).read_text())

        def log_dict(self, run_id, values, name):
            assert run_id == "r1"
            found.artifacts[name] = values

        def set_terminated(self, run_id, status):
            assert run_id == "r1"
            found.status = status

    modules = {
        "mlflow": {"MlflowClient": Client},
        "mlflow.entities": {"Metric": lambda *each: each, "Param": lambda *each: each},
        "mlflow.exceptions": {"MlflowException": RefusedError},
    }
    for name, members in modules.items():
        module = ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
    return found


@pytest.fixture(scope="module")
def data(digits_folder) -> transfer.LabelledSet:
    return transfer.read_labelled(digits_folder)


def lines(folder) -> list[dict]:
    return [json.loads(each) for each in (folder / "history.jsonl").read_text().splitlines()]


def test_a_run_is_told_with_its_recipe_digests_epochs_scores_and_result(store, student, data, tmp_path):
    run = transfer.finetune(student, data, recipe=TUNED, out=tmp_path / "photos", mlflow="http://there")
    assert (store.address, store.experiments, store.name, store.status) == (
        "http://there",
        ["transfer"],
        "photos",
        "FINISHED",
    )
    assert store.params["seed"] == "7"
    assert store.params["stages.1.mixup"] == "0.5"
    assert store.params["data.digest"] == run.asked["data"]["digest"]
    assert store.params["digest"] == run.asked["digest"]
    assert [name for name in store.params if name.startswith("stages.0")] == ["stages.0.kind"]
    for kind, name in (("trial", "trial_1"), ("tune", "stage_1")):
        for line in (each for each in lines(run.folder) if each["stage"] == kind):
            step = line["number"]
            assert store.metrics[f"{name}/loss", step] == line["loss"]
            assert store.metrics.get((f"{name}/validation_loss", step)) == line["validation_loss"]
            for layer, size in line["updates"].items():
                assert store.metrics[f"{name}/updates/{layer}", step] == size
    assert sum(name == "trial_1/loss" for name, _ in store.metrics) == 2
    assert store.metrics["test/accuracy", 0] == run.result.score.correct / run.result.score.examples
    assert store.metrics["stage_0/test/accuracy", 0] == run.result.stages[0].accuracy.value
    assert store.metrics["baselines/majority class/accuracy_high", 0] == run.result.baselines[0].accuracy.high
    assert store.artifacts == {"result.json": json.loads((run.folder / "result.json").read_text())}


def test_an_experiment_that_is_there_is_used_and_a_run_in_memory_gives_its_result(store, student, data):
    store.experiments.append("transfer")
    run = transfer.finetune(student, data, recipe=transfer.Recipe(transfer.Stage("probe")), mlflow="")
    assert (store.address, store.experiments) == (None, ["transfer"])
    assert store.artifacts["result.json"] == run.result.to_json()


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, "KILLED"), (MemoryError, "FAILED")])
def test_a_run_that_does_not_end_is_told_as_such(store, student, data, tmp_path, error, status):
    def breaking(stage, *_):
        if stage.startswith("trial"):
            raise error

    with pytest.raises(error):
        transfer.finetune(student, data, recipe=TUNED, out=tmp_path / "run", mlflow="", progress=breaking)
    assert store.status == status


def test_mlflow_that_fails_on_the_way_costs_a_note_and_no_run(store, student, data, tmp_path):
    store.failing = "log_batch"
    run = transfer.finetune(student, data, recipe=TUNED, out=tmp_path / "run", mlflow="http://there")
    plain = transfer.finetune(student, data, recipe=TUNED, out=tmp_path / "plain")
    assert run.result.notes == (*plain.result.notes, "MLflow at http://there failed: out of order")
    for name in ("run.json", "result.json", "history.jsonl", "model.keras"):
        assert (run.folder / name).read_bytes() == (plain.folder / name).read_bytes()


def test_mlflow_that_cannot_be_reached_is_an_error_before_anything_is_computed(store, student, data, tmp_path):
    store.failing = "get_experiment_by_name"
    seen = []
    with pytest.raises(OutputError, match="MLflow at http://there failed: out of order"):
        transfer.finetune(student, data, out=tmp_path / "run", mlflow="http://there", progress=seen.append)
    assert seen == []
    assert list(tmp_path.iterdir()) == []


def test_without_mlflow_the_error_names_the_extra(monkeypatch, student, data):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(OutputError, match="cannot be imported") as caught:
        transfer.finetune(student, data, mlflow="")
    assert caught.value.next_step == "pip install 'h5transfer[mlflow]'"


def test_parameters_of_many_stages_go_in_batches_that_mlflow_takes(store, digits_run):
    recipe = transfer.named_recipe("gradual", examples=100)
    stages = [{name: getattr(each, name) for name in each.__slots__ if name != "_"} for each in recipe.stages * 2]
    asked = {**digits_run.asked, "recipe": {"name": "gradual", "seed": 0, "validation": 0.2, "stages": stages}}
    MlflowRun("", "many", asked)
    assert store.params == describe_parameters(asked)
    assert len(store.params) > store.largest == 100


@pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")  # MLflow 3.17 under SQLAlchemy 2.1
def test_mlflow_itself_keeps_a_run(student, data, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.chdir(tmp_path)
    address = f"sqlite:///{tmp_path}/mlflow.db"
    run = transfer.finetune(student, data, recipe=TUNED, out=tmp_path / "photos", mlflow=address)
    client = mlflow.MlflowClient(tracking_uri=address)
    (found,) = client.search_runs([client.get_experiment_by_name("transfer").experiment_id])
    assert (found.info.run_name, found.info.status) == ("photos", "FINISHED")
    assert found.data.params == describe_parameters(run.asked)
    assert found.data.metrics["test/accuracy"] == run.result.score.accuracy.value
    expected = [(each["number"], each["loss"]) for each in lines(run.folder) if each["stage"] == "tune"]
    assert [
        (each.step, each.value) for each in client.get_metric_history(found.info.run_id, "stage_1/loss")
    ] == expected
    assert [each.path for each in client.list_artifacts(found.info.run_id)] == ["result.json"]
