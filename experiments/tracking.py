"""Where a run's numbers go: a JSON-lines file, which is the truth, and MLflow beside it."""

import json
import logging
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dcvae.atomic import replacing

logger = logging.getLogger(__name__)

PARAMS_A_BATCH = 100  # MLflow's own limit
TAGS = ("ablation", "size", "seed", "commit")
DEFAULT_URI = "sqlite:///mlflow.db"


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"a": {"b": 1}} -> {"a.b": 1}; lists are leaves."""
    leaves: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, dict) and value:
            leaves.update(flatten(value, f"{prefix}{name}."))
        else:
            leaves[prefix + name] = value
    return leaves


class MLflowRun:
    """One MLflow run by its id, through the client alone: no global state, no active run."""

    def __init__(self, uri: str, experiment: str, name: str, run_id: str | None) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        # MLflow announces every table of a new store
        os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
        from mlflow import MlflowClient

        self.uri = uri
        self.client = MlflowClient(uri)
        self.is_new = run_id is None
        if run_id is None:
            found = self.client.get_experiment_by_name(experiment)
            experiment_id = (
                found.experiment_id if found else self.client.create_experiment(experiment)
            )
            run_id = self.client.create_run(experiment_id, run_name=name).info.run_id
        else:
            self.client.update_run(run_id, status="RUNNING")
        self.run_id = run_id

    def log_params(self, params: dict[str, Any]) -> None:
        from mlflow.entities import Param

        entries = [Param(name, str(value)) for name, value in params.items()]
        for first in range(0, len(entries), PARAMS_A_BATCH):
            self.client.log_batch(self.run_id, params=entries[first : first + PARAMS_A_BATCH])

    def log_metrics(self, step: int, metrics: dict[str, float]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self.client.log_batch(
            self.run_id, metrics=[Metric(name, value, now, step) for name, value in metrics.items()]
        )

    def set_tags(self, tags: dict[str, str]) -> None:
        for name, value in tags.items():
            self.client.set_tag(self.run_id, name, value)

    def log_artifacts(self, path: Path, folder: str) -> None:
        log = self.client.log_artifacts if path.is_dir() else self.client.log_artifact
        log(self.run_id, str(path), folder)

    def log_model(self, checkpoint: Path, name: str, step: int) -> None:
        from experiments.logged_model import log_model

        log_model(self.client, self.run_id, checkpoint, name, step)

    def finish(self, status: str) -> None:
        self.client.set_terminated(self.run_id, status)


class Tracker:
    """Writes metrics to RUN_DIR/metrics.jsonl and, as long as it answers, to MLflow.

    MLflow is a convenience: the first time that it fails, one warning says so and the run goes on
    without it. A tracker without a folder (every rank but the first) drops what it is given.
    """

    def __init__(self, run_dir: Path | None = None) -> None:
        self.path = run_dir / "metrics.jsonl" if run_dir else None
        self.started = time.time()
        self.mlflow: MLflowRun | None = None

    def open_mlflow(self, experiment: str, name: str, known: dict[str, str] | None) -> None:
        """Start an MLflow run, or go on with the `known` one if it is in the same store.

        The store is MLFLOW_TRACKING_URI, else the embedded one in the current folder.
        """
        uri = os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI
        run_id = known["run_id"] if known and known["tracking_uri"] == uri else None
        try:
            self.mlflow = MLflowRun(uri, experiment, name, run_id)
        except Exception as error:  # whatever a store, a server or a disk can raise
            self.lose_mlflow(error)

    @property
    def active(self) -> bool:
        """Whether this rank is the one that tracks."""
        return self.path is not None

    def rewind(self, step: int) -> None:
        """Drop what was written after `step`: a resumed run will write it again."""
        if self.path is None or not self.path.exists():
            return
        rows = [row for row in self.path.read_text().splitlines() if row.endswith("}")]
        kept = [row for row in rows if json.loads(row)["step"] <= step]
        with replacing(self.path) as temporary:
            temporary.write_text("".join(row + "\n" for row in kept))

    def log_metrics(self, step: int, metrics: dict[str, float]) -> None:
        if self.path is None:
            return
        row = {"step": step, "time": round(time.time() - self.started, 3), **metrics}
        finite = {k: v if math.isfinite(v) else None for k, v in row.items()}
        with self.path.open("a") as file:
            file.write(json.dumps(finite) + "\n")
        self.try_mlflow(lambda run: run.log_metrics(step, metrics))

    def log_params(self, record: dict[str, Any]) -> None:
        """The configuration and the record's facts as params, what runs are told by as tags.

        A run that goes on keeps its params: MLflow takes no other value for one that it has.
        """
        facts = {name: value for name, value in record.items() if name != "config"}
        params = {**flatten(record["config"]), **flatten(facts)}
        self.try_mlflow(lambda run: run.log_params(params) if run.is_new else None)
        self.try_mlflow(lambda run: run.set_tags({name: str(record[name]) for name in TAGS}))

    def log_artifacts(self, path: Path, folder: str) -> None:
        """A file, or a folder with all that is in it."""
        self.try_mlflow(lambda run: run.log_artifacts(path, folder))

    def log_model(self, checkpoint: Path, name: str, step: int) -> None:
        """A checkpoint folder as the run's model of that name, which MLflow can load and serve."""
        self.try_mlflow(lambda run: run.log_model(checkpoint, name, step))

    def finish(self, status: str) -> None:
        """FINISHED, FAILED or KILLED."""
        self.try_mlflow(lambda run: run.finish(status))

    def describe(self) -> dict[str, str] | None:
        """Where this run is found in MLflow: run.json keeps it."""
        if self.mlflow is None:
            return None
        return {"tracking_uri": self.mlflow.uri, "run_id": self.mlflow.run_id}

    def try_mlflow(self, action: Callable[[MLflowRun], None]) -> None:
        if self.mlflow is None:
            return
        try:
            action(self.mlflow)
        except Exception as error:
            self.lose_mlflow(error)

    def lose_mlflow(self, error: Exception) -> None:
        self.mlflow = None
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        logger.warning("MLflow does not answer; metrics.jsonl goes on without it: %s", first_line)
