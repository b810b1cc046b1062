"""Training and analysis tracked at an MLflow server, as where several machines share one."""

import json
from collections.abc import Callable
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from dcvae.runs import Run, read_run
from experiments.tracking.address import Store
from experiments.tracking.mlflow_analysis import send_study
from experiments.tracking.mlflow_note import COLUMNS
from experiments.tracking.mlflow_study import Study
from experiments.tracking.tracker import Tracker

MANIFEST = Path(__file__).parent / "data" / "manifest.csv"


@pytest.fixture
def server(mlflow_server, monkeypatch):
    """The server's address, where training and analysis look for one."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    return mlflow_server


def track(folder: Path, write_run: Callable) -> Run:
    """A run as run.py tracks it, and as the analysis finds it."""
    write_run(folder, "served")
    tracker = Tracker(folder)
    tracker.start_sync()
    tracker.log_metrics(1, {"train/loss": 1.0})
    (folder / "last").mkdir()
    (folder / "last" / "config.json").write_text("{}")
    tracker.finish("FINISHED")
    return read_run(folder)


def test_a_server_holds_what_a_local_store_does(server, tmp_path, write_run):
    study = Study("tiny", tmp_path / "runs")
    folder = study.runs_dir / "tiny"
    for name in ("baseline", "plain_ae"):
        track(folder / name / "seed0", write_run)
    pd.DataFrame({"ablation": ["baseline"], "value": [0.5]}).to_csv(folder / "statistics.csv")
    pd.DataFrame(columns=list(COLUMNS)).to_csv(folder / "claims.csv")
    assert send_study(folder, Store.chosen()) == {"tables": 2, "notes": 2}

    client = mlflow.MlflowClient(server)
    experiment = client.get_experiment_by_name("served")
    assert "parent run is a study" in experiment.tags["mlflow.note.content"]
    named = f"tags.`dcvae.study` = '{study.id}'"
    (parent,) = client.search_runs([experiment.experiment_id], named)
    below = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    children = {
        run.data.tags["ablation"]: run
        for run in client.search_runs([experiment.experiment_id], below)
    }
    assert set(children) == {"baseline", "plain_ae"}
    child = children["plain_ae"]
    assert child.info.status == parent.info.status == "FINISHED"
    assert child.data.params["model.noise"] == "uniform"
    assert child.data.metrics["train/loss"] == 1.0
    assert child.data.tags["claim"] == "Parts matter."
    (used,) = child.inputs.dataset_inputs
    assert used.dataset.name == "prompts"
    assert json.loads(used.dataset.source)["uri"] == str(MANIFEST)
    (kept,) = client.list_artifacts(child.info.run_id, "last")
    assert kept.path == "last/config.json"
    tables = {one.path for one in client.list_artifacts(parent.info.run_id, "analysis")}
    assert {"analysis/statistics.json", "analysis/claims.json"} <= tables
    assert not (tmp_path / "mlruns").exists()  # all went through the server
