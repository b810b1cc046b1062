"""One MLflow run by its id, through the client alone: no global state, no active run."""

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dcvae.manifest import COLUMNS
from experiments.machine import MachineMonitor
from experiments.mlflow_study import Study, describe_experiment, find_experiment, find_parent

PARAMS_A_BATCH = 100  # MLflow's own limit
DIGEST_DIGITS = 32  # of a dataset: MLflow takes 36
SQLITE = "sqlite:///"
PARENT_TAG = "mlflow.parentRunId"
CONTEXT_TAG = "mlflow.data.context"
COLUMN_TYPES = {"duration": "double", "sample_rate": "long"}  # the others are strings


@contextmanager
def one_at_a_time(uri: str) -> Iterator[None]:
    """Of the processes that open a store on disk, let one in: MLflow fails where two make tables.

    The lock is on the store's folder, so it leaves no file, and ends with the process. A folder
    that cannot be locked is not; a server sees to it itself.
    """
    folder = Path(uri.removeprefix(SQLITE)).absolute().parent
    if not uri.startswith(SQLITE) or not folder.is_dir():
        yield
        return
    # takes a second, in which the others would wait
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some file systems know no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class MLflowRun:
    """A run that is new, or goes on; below the parent of its study where that is given."""

    def __init__(
        self, uri: str, experiment: str, name: str, run_id: str | None, study: Study | None = None
    ) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        # MLflow announces every table of a new store
        os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
        from mlflow import MlflowClient

        self.uri = uri
        self.monitor: MachineMonitor | None = None
        self.is_new = run_id is None
        with one_at_a_time(uri):
            self.client = MlflowClient(uri)
            if run_id is None:
                experiment_id = find_experiment(self.client, experiment)
                run_id = self.client.create_run(experiment_id, run_name=name).info.run_id
            else:
                self.client.update_run(run_id, status="RUNNING")
            self.run_id = run_id
            if study:
                self.join(study)

    def join(self, study: Study) -> None:
        """Become a child of the study's parent, in an experiment that says what both are."""
        experiment_id = self.client.get_run(self.run_id).info.experiment_id
        describe_experiment(self.client, experiment_id)
        parent = find_parent(self.client, experiment_id, study)
        self.client.set_tag(self.run_id, PARENT_TAG, parent)

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

    def log_dataset(self, manifest: Path, corpus: dict[str, Any]) -> None:
        """The manifest as what the run was trained on; again with the same content adds nothing.

        `corpus` holds the fields of dcvae.provenance.Corpus.
        """
        from mlflow.entities import Dataset, DatasetInput, InputTag

        columns = [{"name": name, "type": COLUMN_TYPES.get(name, "string")} for name in COLUMNS]
        dataset = Dataset(
            name=corpus["name"],
            digest=hashlib.sha256(manifest.read_bytes()).hexdigest()[:DIGEST_DIGITS],
            source_type="local",
            source=json.dumps({"uri": str(manifest)}),
            schema=json.dumps({"mlflow_colspec": columns}),
            profile=json.dumps(corpus),
        )
        context = InputTag(CONTEXT_TAG, "training")
        self.client.log_inputs(self.run_id, datasets=[DatasetInput(dataset, [context])])

    def log_artifacts(self, path: Path, folder: str) -> None:
        log = self.client.log_artifacts if path.is_dir() else self.client.log_artifact
        log(self.run_id, str(path), folder)

    def log_model(self, checkpoint: Path, name: str, step: int) -> None:
        from experiments.logged_model import log_model

        log_model(self.client, self.run_id, checkpoint, name, step)

    def watch_machine(self) -> None:
        """Log the machine's load (system/...) from a thread, every ten seconds until `rest`."""
        started = self.client.get_run(self.run_id).info.start_time / 1000
        self.monitor = MachineMonitor(self.log_metrics, started)

    def rest(self) -> None:
        """Let the machine be."""
        if self.monitor is not None:
            self.monitor.stop()

    def finish(self, status: str) -> None:
        self.rest()
        self.client.set_terminated(self.run_id, status)
