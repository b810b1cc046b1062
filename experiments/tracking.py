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
from experiments.flattening import flatten
from experiments.mlflow_run import MLflowRun
from experiments.mlflow_study import Study

logger = logging.getLogger(__name__)

TAGS = ("ablation", "size", "seed", "commit")
DEFAULT_URI = "sqlite:///mlflow.db"


class Tracker:
    """Writes metrics to RUN_DIR/metrics.jsonl and, as long as it answers, to MLflow.

    MLflow is a convenience: the first time that it fails, one warning says so and the run goes on
    without it. A tracker without a folder (every rank but the first) drops what it is given.
    """

    def __init__(self, run_dir: Path | None = None) -> None:
        self.path = run_dir / "metrics.jsonl" if run_dir else None
        self.started = time.time()
        self.mlflow: MLflowRun | None = None

    def open_mlflow(
        self,
        experiment: str,
        name: str,
        known: dict[str, str] | None,
        study: Study | None = None,
    ) -> None:
        """Start an MLflow run, or go on with the `known` one if it is in the same store.

        The store is MLFLOW_TRACKING_URI, else the embedded one in the current folder. With a
        study the run is a child of the study's parent run.
        """
        uri = os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI
        run_id = known["run_id"] if known and known["tracking_uri"] == uri else None
        try:
            self.mlflow = MLflowRun(uri, experiment, name, run_id, study)
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

    def log_record(self, record: dict[str, Any]) -> None:
        """What run.json says: as params, as the tags that tell runs apart, and as their dataset.

        A run that goes on keeps its params: MLflow takes no other value for one that it has.
        """
        facts = {name: value for name, value in record.items() if name != "config"}
        params = {**flatten(record["config"]), **flatten(facts)}
        tags = {name: str(record[name]) for name in TAGS}
        tags["corpus"] = record["corpus"]["name"]
        if record["claim"]:
            tags["claim"] = record["claim"]["text"]
        self.try_mlflow(lambda run: run.log_params(params) if run.is_new else None)
        self.try_mlflow(lambda run: run.set_tags(tags))
        manifest = Path(record["manifest"])
        self.try_mlflow(lambda run: run.log_dataset(manifest, record["corpus"]))

    def watch_machine(self) -> None:
        """Log the machine's load to MLflow as well, until the run ends."""
        self.try_mlflow(lambda run: run.watch_machine())

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
        lost, self.mlflow = self.mlflow, None
        if lost is not None:
            lost.rest()
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        logger.warning("MLflow does not answer; metrics.jsonl goes on without it: %s", first_line)
