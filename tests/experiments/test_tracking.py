import hashlib
import json
import logging
import time
from dataclasses import asdict
from pathlib import Path

import mlflow
import psutil
import pytest

from dcvae.manifest import COLUMNS, read_manifest
from dcvae.provenance import Corpus
from experiments.tracking import Tracker, flatten

MANIFEST = Path(__file__).parents[1] / "data" / "manifest.csv"
RECORD = {
    "ablation": "x",
    "size": "debug",
    "seed": 0,
    "commit": "old",
    "config": {"a": 1},
    "claim": {"text": "Parts matter.", "metric": "stoi", "direction": "down"},
    "manifest": str(MANIFEST),
    "corpus": asdict(Corpus.of("prompts", MANIFEST.name, read_manifest(MANIFEST))),
}


def rows(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def warnings(caplog) -> list[str]:
    """What the tracker itself said: MLflow announces a new store in the same log."""
    return [record.message for record in caplog.records if record.name == "experiments.tracking"]


def test_flatten_names_leaves_by_their_path():
    assert flatten({"a": {"b": {"c": 1}, "d": [1, 2]}, "e": None, "f": {}}) == {
        "a.b.c": 1,
        "a.d": [1, 2],
        "e": None,
        "f": {},
    }


def test_file_keeps_every_metric_and_a_rewound_one_only_the_past(tmp_path):
    tracker = Tracker(tmp_path)
    for step in (1, 2, 3):
        tracker.log_metrics(step, {"train/loss": step / 2})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "trai')  # killed while it wrote
    tracker.rewind(2)
    assert [(row["step"], row["train/loss"]) for row in rows(tmp_path)] == [(1, 0.5), (2, 1.0)]


def test_not_a_number_is_null_in_the_file(tmp_path):
    Tracker(tmp_path).log_metrics(1, {"train/loss": float("nan")})
    assert rows(tmp_path)[0]["train/loss"] is None


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"


def test_mlflow_holds_params_tags_metrics_and_artifacts(tmp_path, store, monkeypatch):
    (tmp_path / "picture.png").write_bytes(b"png")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    tracker = Tracker(tmp_path)
    tracker.open_mlflow("test", "a/b/c", None)
    many = {f"p{i}": i for i in range(150)}
    tracker.log_record(RECORD | {"config": {"m": many}})
    tracker.log_metrics(1, {"train/loss": 2.0})
    tracker.log_metrics(2, {"train/loss": 1.0})
    tracker.finish("FINISHED")
    client = mlflow.MlflowClient(store)
    run = client.get_run(tracker.describe()["run_id"])
    assert run.data.params["m.p149"] == "149"
    names = ("ablation", "size", "seed", "commit", "corpus", "claim")
    tags = [run.data.tags[name] for name in names]
    assert tags == ["x", "debug", "0", "old", "prompts", "Parts matter."]
    assert run.info.status == "FINISHED"
    history = client.get_metric_history(run.info.run_id, "train/loss")
    assert [(metric.step, metric.value) for metric in history] == [(1, 2.0), (2, 1.0)]


def test_the_same_mlflow_run_goes_on(tmp_path, store, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    first, again, elsewhere = Tracker(tmp_path), Tracker(tmp_path), Tracker(tmp_path)
    first.open_mlflow("test", "run", None)
    again.open_mlflow("test", "run", first.describe())
    assert again.describe() == first.describe()
    elsewhere.open_mlflow("test", "run", {"tracking_uri": "http://other", "run_id": "x"})
    assert elsewhere.describe()["run_id"] not in ("x", first.describe()["run_id"])


def test_a_run_that_goes_on_at_another_commit_keeps_mlflow(tmp_path, store, monkeypatch, caplog):
    """MLflow refuses to change a param: what was logged at the start stays, the tags follow."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    first, again = Tracker(tmp_path), Tracker(tmp_path)
    first.open_mlflow("test", "run", None)
    first.log_record(RECORD)
    with caplog.at_level(logging.WARNING):
        again.open_mlflow("test", "run", first.describe())
        again.log_record(RECORD | {"commit": "new"})
        again.log_metrics(1, {"train/loss": 1.0})
    assert not warnings(caplog)
    run = mlflow.MlflowClient(store).get_run(first.describe()["run_id"])
    assert run.data.params["commit"] == "old"
    assert run.data.tags["commit"] == "new"
    assert run.data.metrics["train/loss"] == 1.0
    assert len(run.inputs.dataset_inputs) == 1


def test_training_goes_on_without_mlflow(tmp_path, caplog, store, monkeypatch):
    """A store that cannot be opened at the start, and one that goes away in the middle."""
    tracker = Tracker(tmp_path)
    with caplog.at_level(logging.WARNING):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////dev/null/mlflow.db")
        tracker.open_mlflow("test", "run", None)
    assert len(warnings(caplog)) == 1
    assert warnings(caplog)[0].startswith(
        "MLflow does not answer; metrics.jsonl goes on without it"
    )
    assert tracker.describe() is None
    tracker.log_metrics(1, {"train/loss": 1.0})

    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    tracker.open_mlflow("test", "run", None)

    def refuse(*_, **__):
        raise ConnectionError("refused")

    monkeypatch.setattr(tracker.mlflow, "log_metrics", refuse)
    with caplog.at_level(logging.WARNING):
        tracker.log_metrics(2, {"train/loss": 2.0})
        tracker.log_metrics(3, {"train/loss": 3.0})
        tracker.finish("FINISHED")
    assert warnings(caplog)[1:] == [
        "MLflow does not answer; metrics.jsonl goes on without it: refused"
    ]
    assert [row["train/loss"] for row in rows(tmp_path)] == [1.0, 2.0, 3.0]


def test_other_ranks_track_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Tracker().log_metrics(1, {"train/loss": 1.0})
    assert not list(tmp_path.iterdir())


def test_the_dataset_is_the_manifest(tmp_path, store, monkeypatch):
    """Its digest is the file's; MLflow's own reader of sources finds the file again."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    tracker = Tracker(tmp_path)
    tracker.open_mlflow("test", "run", None)
    tracker.log_record(RECORD | {"claim": None})
    run = mlflow.MlflowClient(store).get_run(tracker.describe()["run_id"])
    assert "claim" not in run.data.tags
    (used,) = run.inputs.dataset_inputs
    assert {tag.key: tag.value for tag in used.tags} == {"mlflow.data.context": "training"}
    assert used.dataset.name == "prompts"
    assert hashlib.sha256(MANIFEST.read_bytes()).hexdigest().startswith(used.dataset.digest)
    assert Path(mlflow.data.get_source(used.dataset).load()) == MANIFEST
    profile = json.loads(used.dataset.profile)
    assert profile["clips"] == len(MANIFEST.read_text().splitlines()) - 1
    assert profile["hours"] > 0
    columns = json.loads(used.dataset.schema)["mlflow_colspec"]
    schema = mlflow.types.Schema.from_json(json.dumps(columns))
    assert tuple(schema.input_names()) == COLUMNS


def test_the_machine_is_watched_until_the_end(tmp_path, store, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.05")
    client = mlflow.MlflowClient(store)
    tracker = Tracker(tmp_path)
    tracker.open_mlflow("test", "run", None)
    run_id = tracker.describe()["run_id"]
    tracker.watch_machine()
    thread = tracker.mlflow.monitor.thread
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not client.get_run(run_id).data.metrics:
        time.sleep(0.05)
    tracker.finish("FINISHED")
    assert not thread.is_alive()
    metrics = client.get_run(run_id).data.metrics
    share = metrics["system/system_memory_usage_percentage"] / 100
    used = metrics["system/system_memory_usage_megabytes"] * 1e6
    assert used / share == pytest.approx(psutil.virtual_memory().total, rel=0.05)
    assert not (tmp_path / "metrics.jsonl").exists()
