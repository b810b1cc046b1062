"""The analysis in a real MLflow store: comparable means, tables, figures, and no duplicates."""

import json
import shutil
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from analysis.outputs.overview import write_overview
from analysis.outputs.table import Row, make_table, write_table
from dcvae.runs import Run, RunError
from experiments.tracking.address import Store
from experiments.tracking.mlflow_analysis import send_analysis, send_study
from experiments.tracking.mlflow_note import COLUMNS

NAMES = [f"clip{number}" for number in range(6)]


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of MLflow's without a run: its tables take seconds to make."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def run(tmp_path: Path, empty_store: Path) -> Run:
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    client = mlflow.MlflowClient(uri)
    experiment = client.create_experiment("dcvae", artifact_location=str(tmp_path / "artifacts"))
    run_id = client.create_run(experiment).info.run_id
    known = {"tracking_uri": uri, "run_id": run_id}
    record = {"ablation": "baseline", "size": "tiny", "seed": 0, "steps": 700, "mlflow": known}
    return Run(tmp_path, record)


def place(study: Path, run: Run, ablation: str = "baseline") -> None:
    """Write the run's record where a study looks for it."""
    folder = study / ablation / "seed0"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(run.record))


def untracked(run: Run) -> Run:
    return Run(run.folder, {**run.record, "mlflow": None})


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
    for name in ("README.md", "eval_results.yaml"):
        (run.analysis / name).write_text(f"of {offset}\n")
    write_overview(run)


def send(run: Run) -> int:
    assert run.mlflow
    client = mlflow.MlflowClient(run.mlflow["tracking_uri"])
    tags = client.get_run(run.mlflow["run_id"]).data.tags
    return send_analysis(client, run.mlflow["run_id"], tags, run)


def test_scoring_again_updates_and_does_not_duplicate(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run.mlflow
    client = mlflow.MlflowClient(run.mlflow["tracking_uri"])
    key, run_id = "analysis/reconstruction/stoi", run.mlflow["run_id"]
    write(run, 0.0)
    assert send(run) == 1
    assert send(run) == 0
    (point,) = client.get_metric_history(run_id, key)
    assert point.value == pytest.approx(0.25)
    assert point.step == 700
    write(run, 0.1)
    assert send(run) == 1
    assert client.get_run(run_id).data.metrics[key] == pytest.approx(0.35)
    assert "analysis/reconstruction/pesq_wb" not in client.get_run(run_id).data.metrics
    artifacts = {one.path for one in client.list_artifacts(run_id, "analysis")}
    assert artifacts == {
        f"analysis/{name}"
        for name in (
            "table.csv",
            "README.md",
            "eval_results.yaml",
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


def test_figures_of_before_are_dropped(run: Run) -> None:
    write(run, 0.0)
    (run.analysis / "figures" / "of_before.png").touch()
    write_overview(run)
    found = {path.name for path in (run.analysis / "figures").iterdir()}
    assert found == {"tsne.png", "latent_noise.png", "modelability.png"}


def test_a_run_that_is_not_scored_has_nothing_to_send(run: Run) -> None:
    assert send(run) == 0


def test_the_parent_holds_the_study_s_tables_once(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run.mlflow
    uri = run.mlflow["tracking_uri"]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    client = mlflow.MlflowClient(uri)
    study = tmp_path / "tiny"
    place(study, run)
    place(study, untracked(run), "plain_ae")
    experiment = client.get_run(run.mlflow["run_id"]).info.experiment_id
    parent = client.create_run(experiment).info.run_id
    client.set_terminated(parent)
    client.set_tag(run.mlflow["run_id"], "mlflow.parentRunId", parent)
    for value in (0.5, 0.75):  # what an analysis writes, and what the next one does
        frame = pd.DataFrame({"ablation": ["baseline", "plain_ae"], "value": [value, np.nan]})
        frame.to_csv(study / "statistics.csv", index=False, na_rep="nan")
        pd.DataFrame(columns=list(COLUMNS)).to_csv(study / "claims.csv", index=False)
        sent = send_study(study, Store.chosen())
        assert sent == {"tables": 2} | ({"notes": 1} if value == 0.5 else {})
        assert not send_study(study, Store.chosen())
    artifacts = {Path(one.path).name for one in client.list_artifacts(parent, "analysis")}
    assert artifacts == {"statistics.csv", "statistics.json", "claims.csv", "claims.json"}
    shown = client.load_table(experiment, "analysis/statistics.json", run_ids=[parent])
    assert list(shown.ablation) == ["baseline", "plain_ae"]
    assert shown.value[0] == 0.75
    assert np.isnan(shown.value[1])
    assert client.load_table(experiment, "analysis/claims.json", run_ids=[parent]).empty
    data = client.get_run(parent)
    assert len(json.loads(data.data.tags["mlflow.loggedArtifacts"])) == 2
    assert data.info.status == "FINISHED"


def test_runs_without_a_parent_or_a_store_need_none(run: Run, tmp_path: Path) -> None:
    study, store = tmp_path / "tiny", Store(f"sqlite:///{tmp_path / 'mlflow.db'}", named=True)
    place(study, untracked(run), "plain_ae")
    (study / "statistics.csv").write_text("ablation\nbaseline\n")
    assert not send_study(study, store)
    place(study, run)
    assert not send_study(study, store)
    (tmp_path / "mlflow.db").unlink()
    with pytest.raises(RunError, match=r"tiny was tracked in .*mlflow\.db, which is not here"):
        send_study(study, store)
    assert not (tmp_path / "mlflow.db").exists()
