"""The analysis in a real MLflow store: comparable means, tables, figures, and no duplicates."""

import json
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from analysis.runs import Run
from analysis.table import Row, make_table, write_table
from analysis.tracking import log_analysis

NAMES = [f"clip{number}" for number in range(6)]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    client = mlflow.MlflowClient(uri)
    experiment = client.create_experiment("dcvae", artifact_location=str(tmp_path / "artifacts"))
    run_id = client.create_run(experiment).info.run_id
    known = {"tracking_uri": uri, "run_id": run_id}
    return Run(tmp_path, "baseline", "tiny", 0, tmp_path, tmp_path, {}, steps=700, mlflow=known)


def write(run: Run, offset: float) -> None:
    rows = [Row(name, "reconstruction", "stoi", offset + n / 10) for n, name in enumerate(NAMES)]
    rows += [
        Row(name, "latents", f"tsne_{i}", n * i) for n, name in enumerate(NAMES) for i in (1, 2)
    ]
    rows += [Row(name, f"latent_noise_{s}", "mel_l1", s) for name in NAMES for s in (0.0, 1.0)]
    rows += [Row("", f"step_{step}", "heldout_loss_per_second", 1 / step) for step in (1, 2)]
    rows.append(Row("a", "reconstruction", "pesq_wb", np.nan, "silent"))
    write_table(run.analysis / "table.csv", make_table(run.name, "baseline", 0, rows))
    labels = pd.DataFrame({"clip": NAMES, "speaker": "a", "language": "en"})
    labels.to_csv(run.analysis / "clips.csv", index=False)


def test_scoring_again_updates_and_does_not_duplicate(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run.mlflow
    client = mlflow.MlflowClient(run.mlflow["tracking_uri"])
    key, run_id = "analysis/reconstruction/stoi", run.mlflow["run_id"]
    write(run, 0.0)
    log_analysis(run)
    log_analysis(run)
    (point,) = client.get_metric_history(run_id, key)
    assert point.value == pytest.approx(0.25)
    assert point.step == 700
    write(run, 0.1)
    log_analysis(run)
    assert client.get_run(run_id).data.metrics[key] == pytest.approx(0.35)
    assert "analysis/reconstruction/pesq_wb" not in client.get_run(run_id).data.metrics
    artifacts = {one.path for one in client.list_artifacts(run_id, "analysis")}
    assert artifacts == {
        f"analysis/{name}"
        for name in (
            "table.csv",
            "summary.json",
            "tsne.png",
            "latent_noise.png",
            "modelability.png",
        )
    }
    tagged = json.loads(client.get_run(run_id).data.tags["mlflow.loggedArtifacts"])
    assert tagged == [{"path": "analysis/summary.json", "type": "table"}]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", run.mlflow["tracking_uri"])
    experiment = client.get_run(run_id).info.experiment_id
    table = client.load_table(experiment, "analysis/summary.json", run_ids=[run_id])
    shown = table.set_index(["condition", "metric"])["mean"]
    assert shown["reconstruction", "stoi"] == pytest.approx(0.35)
    assert len(table) == len(set(shown.index))


def test_a_store_that_is_gone_is_one_line(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(run, 0.0)
    (tmp_path / "mlflow.db").unlink()
    log_analysis(run)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "not put into MLflow" in lines[0]
    assert not (tmp_path / "mlflow.db").exists()
