"""One MLflow run by its id, through the client alone: no global state, no active run.

Everything here sends what the store lacks, and says how much that was.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dcvae.data.manifest import COLUMNS
from dcvae.runs import Run
from dcvae.utils.files import files_sha256, is_own_file
from experiments.tracking.mlflow_client import BATCH
from experiments.tracking.mlflow_study import (
    PARENT_TAG,
    Study,
    describe_experiment,
    find_experiment,
    find_parent,
)

DIGEST_DIGITS = 32  # of a dataset: MLflow takes 36
KEY_TAG = "dcvae.run"  # of a run, by which it is found again though its id was lost
CONTEXT_TAG = "mlflow.data.context"
COLUMN_TYPES = {"duration": "double", "sample_rate": "long"}  # the others are strings


@dataclass(frozen=True)
class Identity:
    """What a run is before any store knows it."""

    key: str  # of no other run
    name: str
    experiment: str
    started: float  # seconds of the epoch
    study: Study | None


def find_run(client: Any, identity: Identity, run_id: str | None) -> tuple[Any, bool]:
    """The run, and whether it was made: the one of that id, else of that key, else a new one."""
    from mlflow.exceptions import MlflowException

    if run_id is not None:
        try:
            return client.get_run(run_id), False
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
    experiment = find_experiment(client, identity.experiment)
    found = client.search_runs([experiment], f"tags.`{KEY_TAG}` = '{identity.key}'")
    if found:
        return client.get_run(found[-1].info.run_id), False
    start = round(identity.started * 1000)
    made = client.create_run(
        experiment, start_time=start, run_name=identity.name, tags={KEY_TAG: identity.key}
    )
    return client.get_run(made.info.run_id), True


class MLflowRun:
    """A run, and what its store has of it."""

    def __init__(self, client: Any, run: Any, started: float) -> None:
        """`run` is what the client's get_run gave; `started` is in seconds of the epoch."""
        self.client, self.id, self.started = client, run.info.run_id, started
        self.experiment = run.info.experiment_id
        self.status = run.info.status
        self.params, self.tags = run.data.params, run.data.tags
        self.digests = {used.dataset.digest for used in run.inputs.dataset_inputs}
        metrics = run.data._metric_objs  # the last of each; `metrics` leaves out their steps
        self.steps = {metric.key: metric.step for metric in metrics}
        self.files: dict[str, dict[str, int | None]] = {}  # sizes, by folder

    def join(self, study: Study) -> int:
        """Become a child of the study's parent, in an experiment that says what both are."""
        describe_experiment(self.client, self.experiment)
        return self.send_tags({PARENT_TAG: find_parent(self.client, self.experiment, study)})

    def send_params(self, params: dict[str, Any]) -> int:
        """Those it has no value of: MLflow takes no other value for one that it has."""
        from mlflow.entities import Param

        lacking = [Param(name, str(params[name])) for name in params if name not in self.params]
        return self.send_batches("params", lacking)

    def send_tags(self, tags: dict[str, str]) -> int:
        from mlflow.entities import RunTag

        lacking = [RunTag(name, tags[name]) for name in tags if self.tags.get(name) != tags[name]]
        self.tags = self.tags | tags
        return self.send_batches("tags", lacking)

    def send_rows(self, rows: Iterable[dict[str, Any]]) -> int:
        """The metrics of rows in the order of their steps; how many rows had some to send.

        A metric is sent beyond the last step that there is of it. Its time is its row's, so that
        the store itself drops a point that comes again after an answer was lost.
        """
        from mlflow.entities import Metric

        lacking, count = [], 0
        for row in rows:
            step, now = row["step"], round((self.started + (row.get("time") or 0)) * 1000)
            metrics = {name: row[name] for name in row if name not in ("step", "time")}
            new = [name for name in metrics if step > self.steps.get(name, -1)]
            for name in new:
                value = math.nan if metrics[name] is None else metrics[name]
                lacking.append(Metric(name, value, now, step))
                self.steps[name] = step
            count += bool(new)
        self.send_batches("metrics", lacking)
        return count

    def send_batches(self, kind: str, entries: list[Any]) -> int:
        """Metrics, params or tags, as many at once as MLflow takes; how many there were."""
        for first in range(0, len(entries), BATCH[kind]):
            batch = {kind: entries[first : first + BATCH[kind]]}
            self.client.log_batch(self.id, **batch)
        return len(entries)

    def send_dataset(self, manifest: Path, corpus: dict[str, Any]) -> int:
        """The manifest as what the run was trained on, as long as it is where it was.

        `corpus` holds the fields of dcvae.data.provenance.Corpus.
        """
        from mlflow.entities import Dataset, DatasetInput, InputTag

        if not manifest.is_file():
            return 0
        digest = files_sha256(manifest)[:DIGEST_DIGITS]
        if digest in self.digests:
            return 0
        columns = [{"name": name, "type": COLUMN_TYPES.get(name, "string")} for name in COLUMNS]
        dataset = Dataset(
            name=str(corpus.get("name")),
            digest=digest,
            source_type="local",
            source=json.dumps({"uri": str(manifest)}),
            schema=json.dumps({"mlflow_colspec": columns}),
            profile=json.dumps(corpus),
        )
        context = InputTag(CONTEXT_TAG, "training")
        self.client.log_inputs(self.id, datasets=[DatasetInput(dataset, [context])])
        return 1

    def send_files(self, folder: Path) -> int:
        """The files of a run's folder as artifacts below its name: those that lack or differ in
        size. Links are not followed.
        """
        if folder.name not in self.files:
            listed = self.client.list_artifacts(self.id, folder.name)
            self.files[folder.name] = {Path(one.path).name: one.file_size for one in listed}
        there, count = self.files[folder.name], 0
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.name.startswith(".") or not is_own_file(path, folder.parent):
                continue
            size = path.stat().st_size
            if there.get(path.name) == size:
                continue
            self.client.log_artifact(self.id, str(path), folder.name)
            there[path.name] = size
            count += 1
        return count

    def send_model(self, checkpoint: Path, step: int) -> int:
        from experiments.tracking.mlflow_model import send_model

        return send_model(self.client, self.id, checkpoint, checkpoint.name, step)

    def send_analysis(self, run: Run) -> int:
        from experiments.tracking.mlflow_analysis import send_analysis

        return send_analysis(self.client, self.id, self.tags, run)

    def send_status(self, status: str, ended: float | None) -> int:
        """RUNNING, FINISHED, FAILED or KILLED; `ended` in seconds of the epoch, if known."""
        if status == self.status:
            return 0
        if status == "RUNNING":
            self.client.update_run(self.id, status=status)
        else:
            end = round(ended * 1000) if ended else None
            self.client.set_terminated(self.id, status, end)
        self.status = status
        return 1
