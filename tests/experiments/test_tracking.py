import json
import logging

import mlflow
import pytest

from experiments.tracking import Tracker, flatten


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
    record = {"ablation": "x", "size": "debug", "seed": 0, "commit": "abc", "config": {"m": many}}
    tracker.log_params(record)
    tracker.log_metrics(1, {"train/loss": 2.0})
    tracker.log_metrics(2, {"train/loss": 1.0})
    tracker.finish("FINISHED")
    client = mlflow.MlflowClient(store)
    run = client.get_run(tracker.describe()["run_id"])
    assert run.data.params["m.p149"] == "149"
    assert run.data.tags["ablation"] == "x"
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
    record = {"ablation": "x", "size": "debug", "seed": 0, "commit": "old", "config": {"a": 1}}
    first, again = Tracker(tmp_path), Tracker(tmp_path)
    first.open_mlflow("test", "run", None)
    first.log_params(record)
    with caplog.at_level(logging.WARNING):
        again.open_mlflow("test", "run", first.describe())
        again.log_params(record | {"commit": "new"})
        again.log_metrics(1, {"train/loss": 1.0})
    assert not warnings(caplog)
    run = mlflow.MlflowClient(store).get_run(first.describe()["run_id"])
    assert run.data.params["commit"] == "old"
    assert run.data.tags["commit"] == "new"
    assert run.data.metrics["train/loss"] == 1.0


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
