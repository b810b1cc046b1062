"""The analysis in MLflow: a run's means, table, figures and card, a study's tables on its parent.

A tag of the run has the digest of what was sent, so that the same analysis is sent once.
"""

import json
import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from dcvae.runs import (
    ANALYSIS,
    CLAIMS,
    EVAL_RESULTS,
    FIGURES,
    OVERVIEW,
    PROTOCOL,
    STUDY_TABLES,
    Run,
    read_run,
)
from dcvae.study_plan import read_plan
from dcvae.utils.files import files_sha256, is_own_file
from experiments.tracking.address import Store, recorded_store
from experiments.tracking.mlflow_client import (
    BATCH,
    check_artifacts,
    open_store,
    read_patience,
)
from experiments.tracking.mlflow_note import read_claims, send_note, send_study_note
from experiments.tracking.mlflow_study import PARENT_TAG
from experiments.tracking.mlflow_view import save_view

DIGEST_TAG = "dcvae.analysis.sha256"
TABLE_TAG = "mlflow.loggedArtifacts"  # by which MLflow's page finds tables
SERIES = ("channel_", "component_")  # long lists, for figures: they stay in the table


def send_analysis(client: Any, run_id: str, tags: Mapping[str, str], run: Run) -> int:
    """Means, table, figures and protocol of a scored run, and whether they were sent.

    A metric is logged where its value is new, so that scoring again adds no point.
    """
    overview = run.analysis / OVERVIEW
    if not is_own_file(overview, run.folder):
        return 0
    figures = sorted((run.analysis / FIGURES).glob("*.png"))
    cards = (run.analysis / name for name in (PROTOCOL, EVAL_RESULTS))
    files = [path for path in (run.table, *figures, *cards) if is_own_file(path, run.folder)]
    digest = files_sha256(overview, *files)
    if tags.get(DIGEST_TAG) == digest:
        return 0
    summary = pd.read_csv(overview, keep_default_na=False, na_values={"mean": ["nan"]})
    send_means(client, run_id, summary, run.steps)
    for path in files:
        client.log_artifact(run_id, str(path), ANALYSIS)
    send_table(client, run_id, summary, f"{ANALYSIS}/summary.json")
    client.set_tag(run_id, DIGEST_TAG, digest)
    return 1


def send_study(folder: Path, store: Store) -> Counter[str]:
    """A study's tables onto the parents of its runs in a store, its verdicts onto the runs, and
    how much of both was sent.

    Runs that were tracked without a parent have no place for tables. RunError where they were
    tracked elsewhere alone, and nobody named this one.
    """
    runs = [read_run(one) for one in runs_of(folder)]
    known = [(run, *there) for run in runs if (there := recorded_store(run.mlflow)) is not None]
    if not known:
        return Counter()
    here = [(run, run_id) for run, address, run_id in known if address == store.address]
    store.check(store.address if here else known[0][1], folder)
    if not here:
        return Counter()
    client = open_store(store.uri, read_patience())
    children = [(run, client.get_run(run_id)) for run, run_id in here]
    claims = folder / CLAIMS
    verdicts = read_claims(claims) if is_own_file(claims, folder) else None
    sent = Counter(notes=0 if verdicts is None else send_notes(client, verdicts, children))
    below: dict[str, set[str]] = {}  # the systems of each parent
    for run, child in children:
        if PARENT_TAG in child.data.tags:
            below.setdefault(child.data.tags[PARENT_TAG], set()).add(run.system)
    for parent_id, systems in below.items():
        parent = client.get_run(parent_id)
        save_view(client, parent)
        if verdicts is not None:
            about = verdicts[verdicts["system"].isin(systems)]
            sent["notes"] += send_study_note(client, parent, about)
        sent["tables"] += send_tables(client, folder, store, parent)
    return +sent


def send_tables(client: Any, folder: Path, store: Store, parent: Any) -> int:
    """A study's tables onto one parent run; how many were sent."""
    paths = [folder / name for name in STUDY_TABLES]
    paths = [path for path in paths if is_own_file(path, folder)]
    digest, run_id = files_sha256(*paths), parent.info.run_id
    if parent.data.tags.get(DIGEST_TAG) == digest:
        return 0
    check_artifacts(store.uri, parent.info.artifact_uri)
    for path in paths:
        client.log_artifact(run_id, str(path), ANALYSIS)
        send_table(client, run_id, pd.read_csv(path), f"{ANALYSIS}/{path.stem}.json")
    client.set_tag(run_id, DIGEST_TAG, digest)
    return len(paths)


def send_notes(client: Any, claims: pd.DataFrame, children: Sequence[tuple[Run, Any]]) -> int:
    """The study's verdicts onto the pages of its runs; how many had others."""
    sent = 0
    for run, child in children:
        about = claims[claims["system"] == run.system]
        figures = (path.name for path in sorted((run.analysis / FIGURES).glob("*.png")))
        sent += send_note(client, child, about, [f"{ANALYSIS}/{name}" for name in figures])
    return sent


def runs_of(folder: Path) -> list[Path]:
    """The run folders of RUNS/studies/NAME, or of RUNS/SIZE."""
    plan = read_plan(folder)
    if plan is not None:
        return plan.present
    return sorted(path.parent for path in folder.glob("*/seed*/run.json"))


def send_means(client: Any, run_id: str, summary: pd.DataFrame, step: int) -> None:
    """The means that MLflow does not have yet with this value."""
    from mlflow.entities import Metric

    known = client.get_run(run_id).data.metrics
    now = round(time.time() * 1000)
    new = [
        Metric(name, value, now, step) for name, value in means(summary) if known.get(name) != value
    ]
    for start in range(0, len(new), BATCH["metrics"]):
        client.log_batch(run_id, metrics=new[start : start + BATCH["metrics"]])


def means(summary: pd.DataFrame) -> Iterator[tuple[str, float]]:
    """Metric names and values, NaN and SERIES left out: "analysis/reconstruction/pesq_wb"."""
    columns = summary["condition"], summary["metric"], summary["mean"]
    for condition, metric, mean in zip(*columns, strict=True):
        if math.isfinite(mean) and not condition.startswith(SERIES):
            yield f"{ANALYSIS}/{condition}/{metric}", float(mean)


def send_table(client: Any, run_id: str, table: pd.DataFrame, path: str) -> None:
    """A table as MLflow's page shows it. (MLflow's own log_table appends to the one before.)"""
    client.log_text(run_id, table.to_json(orient="split", index=False), path)
    tagged = json.loads(client.get_run(run_id).data.tags.get(TABLE_TAG, "[]"))
    entry = {"path": path, "type": "table"}
    if entry not in tagged:
        client.set_tag(run_id, TABLE_TAG, json.dumps([*tagged, entry]))
