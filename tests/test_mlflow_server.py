"""Training and analysis tracked at an MLflow server, as where several machines share one."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import asdict
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from analysis.runs import Run
from analysis.tracking import log_study
from dcvae.manifest import read_manifest
from dcvae.provenance import Corpus
from experiments.mlflow_study import Study
from experiments.tracking import Tracker

MANIFEST = Path(__file__).parent / "data" / "manifest.csv"
PATIENCE = 60  # seconds for the server to answer


@pytest.fixture
def server(tmp_path, monkeypatch):
    """The address of a server of its own on the loopback, which ends with the test."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port),
        "--backend-store-uri", f"sqlite:///{tmp_path / 'store.db'}",
        "--artifacts-destination", str(tmp_path / "store"), "--workers", "1",
    ]  # fmt: skip
    environment = os.environ | {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_TRACKING_URI": "",
    }
    with (tmp_path / "server.log").open("w") as log:
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(f"{address}/health", process, tmp_path / "server.log")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # with its worker
        process.wait()


def wait_for(address: str, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"the server does not answer: {log.read_text()[-2000:]}")


def track(folder: Path, ablation: str, study: Study) -> Run:
    """A run as run.py tracks it, and as the analysis finds it."""
    folder.mkdir(parents=True)
    corpus = asdict(Corpus.of("prompts", MANIFEST.name, read_manifest(MANIFEST)))
    tracker = Tracker(folder)
    tracker.open_mlflow("served", f"{study.size}/{ablation}/seed0", None, study)
    tracker.log_record(
        {
            "ablation": ablation,
            "size": study.size,
            "seed": 0,
            "commit": "abc",
            "config": {"model": {"noise": "uniform"}},
            "claim": {"text": "Parts matter.", "metric": "stoi", "direction": "down"},
            "manifest": str(MANIFEST),
            "corpus": corpus,
        }
    )
    tracker.log_metrics(1, {"train/loss": 1.0})
    tracker.log_artifacts(folder / "metrics.jsonl", "last")
    tracker.finish("FINISHED")
    known = tracker.describe()
    assert known
    return Run(folder, ablation, study.size, 0, folder, MANIFEST, {}, mlflow=known)


def test_a_server_holds_what_a_local_store_does(server, tmp_path):
    study = Study("tiny", tmp_path / "runs")
    folder = study.runs_dir / "tiny"
    runs = [track(folder / name / "seed0", name, study) for name in ("baseline", "plain_ae")]
    pd.DataFrame({"ablation": ["baseline"], "value": [0.5]}).to_csv(folder / "statistics.csv")
    pd.DataFrame({"ablation": ["plain_ae"]}).to_csv(folder / "claims.csv")
    log_study(folder, runs)

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
    assert kept.path == "last/metrics.jsonl"
    tables = {one.path for one in client.list_artifacts(parent.info.run_id, "analysis")}
    assert {"analysis/statistics.json", "analysis/claims.json"} <= tables
    assert not (tmp_path / "mlruns").exists()  # all went through the server
