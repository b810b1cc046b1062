"""The analysis in MLflow, so that its page compares runs by it: on each run that is scored, and the
study's tables on the parent of its runs.
"""

import json
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.outputs.table import read_table
from dcvae.runs import CLIPS, Run

FOLDER = "analysis"  # of the artifacts, and the first part of the metrics' names
TABLE_TAG = "mlflow.loggedArtifacts"  # by which MLflow's page finds tables
PARENT_TAG = "mlflow.parentRunId"
STUDY_TABLES = ("statistics", "claims", "interactions")
METRICS_A_BATCH = 1000  # MLflow's own limit
SERIES = ("channel_", "component_")  # long lists, for figures: they stay in the table


def log_analysis(run: Run) -> None:
    """Put means, tables and figures onto the run's MLflow run; what is there is replaced.

    A metric is logged where its value is new, so scoring again adds no point. MLflow is a
    convenience: where it does not answer, one line says so.
    """
    if run.mlflow is None:
        return
    try:
        client = find_client(run.mlflow["tracking_uri"])
        send(client, run.mlflow["run_id"], run)
    except Exception as error:  # whatever a store, a server or a disk can raise
        complain(run.name, error)


def log_study(study: Path, runs: Sequence[Run]) -> None:
    """Put the study's tables onto the parent of these runs of it; what is there is replaced.

    Runs that were tracked without a parent have no place for them. One line says so where MLflow
    does not answer.
    """
    tracked = [run.mlflow for run in runs if run.mlflow is not None]
    try:
        for uri in dict.fromkeys(known["tracking_uri"] for known in tracked):
            client = find_client(uri)
            ids = [known["run_id"] for known in tracked if known["tracking_uri"] == uri]
            tags = [client.get_run(run_id).data.tags for run_id in ids]
            for parent in dict.fromkeys(one[PARENT_TAG] for one in tags if PARENT_TAG in one):
                send_study(client, parent, study)
    except Exception as error:
        complain(study.name, error)


def send_study(client: Any, run_id: str, study: Path) -> None:
    """The tables that the study has, as files and as MLflow shows tables."""
    for name in STUDY_TABLES:
        path = study / f"{name}.csv"
        if path.is_file():
            client.log_artifact(run_id, str(path), FOLDER)
            log_table(client, run_id, pd.read_csv(path), f"{FOLDER}/{name}.json")


def complain(name: str, error: Exception) -> None:
    """One line on standard error."""
    first_line = (str(error).splitlines() or [type(error).__name__])[0]
    print(f"{name}: not put into MLflow: {first_line}", file=sys.stderr)


def find_client(uri: str) -> Any:
    """A client of the store that the run was tracked in; FileNotFoundError where it is gone."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    from mlflow import MlflowClient

    path = uri.removeprefix("sqlite:///")
    if path != uri and not Path(path).is_file():  # else MLflow would begin an empty store there
        raise FileNotFoundError(
            f"its store {path} is not here: start in the folder of the training"
        )
    return MlflowClient(uri)


def send(client: Any, run_id: str, run: Run) -> None:
    """Everything that there is to log."""
    from analysis.outputs.mlflow_figures import pictures  # seaborn takes a second
    from analysis.statistics.tables import summarise_run  # scipy.stats another

    table = read_table(run.table)
    summary = summarise_run(table)
    log_means(client, run_id, summary, run.steps)
    client.log_artifact(run_id, str(run.table), FOLDER)
    log_table(client, run_id, summary, f"{FOLDER}/summary.json")
    labels = pd.read_csv(run.analysis / CLIPS, dtype=str, keep_default_na=False)
    for name, figure in pictures(table, summary, labels).items():
        client.log_figure(run_id, figure, f"{FOLDER}/{name}.png")


def means(summary: pd.DataFrame) -> Iterator[tuple[str, float]]:
    """Metric names and values, NaN and SERIES left out: "analysis/reconstruction/pesq_wb"."""
    for condition, metric, value in summary[["condition", "metric", "mean"]].itertuples(
        index=False
    ):
        if math.isfinite(value) and not condition.startswith(SERIES):
            yield f"{FOLDER}/{condition}/{metric}", float(value)


def log_means(client: Any, run_id: str, summary: pd.DataFrame, step: int) -> None:
    """The means that MLflow does not have yet with this value."""
    from mlflow.entities import Metric

    known = client.get_run(run_id).data.metrics
    now = int(time.time() * 1000)
    new = [
        Metric(name, value, now, step) for name, value in means(summary) if known.get(name) != value
    ]
    for start in range(0, len(new), METRICS_A_BATCH):
        client.log_batch(run_id, metrics=new[start : start + METRICS_A_BATCH])


def log_table(client: Any, run_id: str, table: pd.DataFrame, path: str) -> None:
    """A table as MLflow's page shows it. (MLflow's own log_table appends to the one before.)"""
    client.log_text(run_id, table.to_json(orient="split", index=False), path)
    tagged = json.loads(client.get_run(run_id).data.tags.get(TABLE_TAG, "[]"))
    entry = {"path": path, "type": "table"}
    if entry not in tagged:
        client.set_tag(run_id, TABLE_TAG, json.dumps([*tagged, entry]))
