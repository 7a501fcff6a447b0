"""A run as MLflow keeps it: parameters, a metric for each number of an epoch, the scores, and `result.json`."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from transfer.errors import OutputError
from transfer.jobs.runs.run_folders import RESULT
from transfer.results import Result, Run
from transfer.scores import Score
from transfer.specs import Json
from transfer.training.history import Epoch

EXPERIMENT = "transfer"
_MOST = 100  # parameters that MLflow takes at once
_LONGEST = 6000  # characters of one


class MlflowRun:
    """A run in the experiment `transfer`."""

    def __init__(self, address: str, name: str, asked: Json) -> None:
        """Begin it, before anything is computed.

        Args:
            address: of a server or a store; empty for the one that MLflow is set to.
            name: of the run.
            asked: what is asked of it, as `describe_request` says it.

        Raises:
            OutputError: if MLflow is not installed, or cannot be reached.
        """
        try:
            from mlflow import MlflowClient
            from mlflow.entities import Metric, Param
            from mlflow.exceptions import MlflowException
        except ImportError as error:
            raise OutputError(
                f"MLflow cannot be imported: {error}.", next_step="pip install 'h5transfer[mlflow]'"
            ) from error
        self._metric = Metric
        self._refusals = (MlflowException, OSError)
        self._where = address or "the address that MLflow is set to"
        parameters = [Param(key, value) for key, value in describe_parameters(asked).items()]
        try:
            self._client = MlflowClient(tracking_uri=address or None)
            there = self._client.get_experiment_by_name(EXPERIMENT)
            experiment = there.experiment_id if there else self._client.create_experiment(EXPERIMENT)
            self._run = self._client.create_run(experiment, run_name=name).info.run_id
            for start in range(0, len(parameters), _MOST):
                self._client.log_batch(self._run, params=parameters[start : start + _MOST])
        except self._refusals as error:
            raise self._refused(error) from error

    def tell(self, stage: str, epoch: Epoch) -> None:
        """Log an epoch: `stage_1/loss`, `stage_1/updates/LAYER`, and so on.

        Raises:
            OutputError: if MLflow does not take it.
        """
        self._log({f"{stage}/{name}": value for name, value in epoch.scalars().items()}, epoch.number)

    def finish(self, run: Run) -> None:
        """Log the scores and `result.json`, and end it.

        Raises:
            OutputError: if MLflow does not take them.
        """
        self._log(describe_scores(run.result), 0)
        try:
            if run.folder is not None:
                self._client.log_artifact(self._run, str(run.folder / RESULT))
            else:
                self._client.log_dict(self._run, run.result.to_json(), RESULT)
            self._client.set_terminated(self._run, "FINISHED")
        except self._refusals as error:
            raise self._refused(error) from error

    def break_off(self, interrupted: bool, /) -> None:
        """End it as one that did not come to its end.

        Raises:
            OutputError: if MLflow does not take that.
        """
        try:
            self._client.set_terminated(self._run, "KILLED" if interrupted else "FAILED")
        except self._refusals as error:
            raise self._refused(error) from error

    def _log(self, values: Mapping[str, float], step: int) -> None:
        now = round(1000 * time.time())
        metrics = [self._metric(_allowed(name), value, now, step) for name, value in values.items()]
        try:
            self._client.log_batch(self._run, metrics=metrics)
        except self._refusals as error:
            raise self._refused(error) from error

    def _refused(self, error: Any) -> OutputError:
        return OutputError(
            f"MLflow at {self._where} failed: {error}",
            next_step="give the address of a server or a store that can be reached, as --mlflow sqlite:///mlflow.db",
        )


def describe_parameters(asked: Json) -> dict[str, str]:
    """A recipe field by field, the seed, and digests of what goes in; what is not set is left out."""
    recipe, data, test = asked["recipe"], asked["data"], asked["test"] or {}
    told: dict[str, Any] = {name: recipe[name] for name in ("name", "seed", "validation")}
    for place, stage in enumerate(recipe["stages"]):
        kind = stage["kind"]
        fields = stage if kind != "probe" else {"kind": kind}
        told |= {f"stages.{place}.{name}": value for name, value in fields.items()}
    told |= {name: asked.get(name) for name in ("shots", "test_share", "time_limit", "digest")}
    told |= {f"network.{name}": asked["network"][name] for name in ("name", "tensors")}
    told |= {f"data.{name}": data[name] for name in ("source", "examples", "digest")}
    told |= {f"test.{name}": test.get(name) for name in ("source", "examples", "digest")}
    return {_allowed(name): str(value)[:_LONGEST] for name, value in told.items() if value not in (None, "", ())}


def describe_scores(result: Result) -> dict[str, float]:
    """Accuracies on the test examples with the ends of their intervals: `test`, each stage, each baseline.

    Of several outputs also every measure of each.
    """
    scores: dict[str, Score] = {"test": result.score} if result.score else {}
    scores |= {f"stage_{place}/test": score for place, score in enumerate(result.stages)}
    scores |= {f"baselines/{score.name}": score for score in result.baselines}
    measures = {
        f"{way.name}/{output.name}/{measure.name}": measure.value
        for way in result.outputs
        for output in way.outputs
        for measure in output.measures
    }
    return measures | {
        f"{name}/{kind}": value
        for name, score in scores.items()
        for kind, value in (
            ("accuracy", score.accuracy.value),
            ("accuracy_low", score.accuracy.low),
            ("accuracy_high", score.accuracy.high),
        )
    }


def _allowed(name: str) -> str:
    """A name of letters, digits and what else MLflow allows in one."""
    return re.sub(r"[^\w\-. :/]", "_", name, flags=re.ASCII)
