"""A tracker as training uses it, with stores that fail and hang."""

import json
import logging
import os
import re
import socket
import threading
import time

import mlflow
import pytest

from dcvae.runs import read_record
from experiments.record import flatten
from experiments.tracking import background_sync
from experiments.tracking.tracker import Tracker

PATIENCE = 30  # seconds for a thread to come to what it should


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(background_sync, "EVERY", 0.05)
    monkeypatch.setattr(background_sync, "FIRST_PAUSE", 0.05)


@pytest.fixture
def folder(tmp_path, write_run):
    write_run(tmp_path / "debug" / "x" / "seed0")
    return tmp_path / "debug" / "x" / "seed0"


@pytest.fixture
def tracker(folder):
    """Its thread ends with the test, also where it lacks something."""
    tracker = Tracker(folder)
    yield tracker
    if tracker.sync is not None:
        tracker.sync.done.set()
        tracker.sync.finish("FAILED", 0)
        tracker.sync.thread.join(PATIENCE)
        assert not tracker.sync.thread.is_alive()


@pytest.fixture
def said(caplog):
    """The sync's and the tracker's own lines so far."""
    caplog.set_level(logging.INFO, "experiments")
    return lambda: [one.message for one in caplog.records if one.name.startswith("experiments")]


def rows(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert condition()


def test_flatten_names_leaves_by_their_path():
    assert flatten({"a": {"b": {"c": 1}, "d": [1, 2]}, "e": None, "f": {}}) == {
        "a.b.c": 1,
        "a.d": [1, 2],
        "e": None,
        "f": {},
    }


def test_without_mlflow_there_is_a_file_and_no_thread(folder, tracker):
    threads = threading.active_count()
    tracker.log_metrics(1, {"train/loss": 0.5})
    tracker.finish("FINISHED")
    assert threading.active_count() == threads
    assert [row["train/loss"] for row in rows(folder)] == [0.5]


def test_other_ranks_track_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tracker = Tracker()
    tracker.start_sync()
    tracker.log_metrics(1, {"train/loss": 1.0})
    tracker.finish("FINISHED")
    assert not list(tmp_path.iterdir())


def test_the_time_of_a_row_counts_from_the_first_sitting(tmp_path, write_run):
    folder = tmp_path / "debug" / "x" / "seed0"
    write_run(folder, started="2026-01-02T03:04:05+00:00")
    Tracker(folder).log_metrics(1, {})
    assert rows(folder)[0]["time"] == pytest.approx(time.time() - 1767323045, abs=60)


def test_a_store_follows_while_training_goes_on(folder, tracker, tmp_path, monkeypatch, said):
    store = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.05")
    tracker.start_sync()
    tracker.log_metrics(1, {"train/loss": 2.0})
    until(lambda: read_record(folder)["mlflow"])
    client, run_id = mlflow.MlflowClient(store), read_record(folder)["mlflow"]["run_id"]
    until(lambda: "train/loss" in client.get_run(run_id).data.metrics)
    assert client.get_run(run_id).info.status == "RUNNING"
    until(lambda: "system/cpu_utilization_percentage" in client.get_run(run_id).data.metrics)
    tracker.log_metrics(2, {"train/loss": 1.0})
    tracker.finish("KILLED")
    run = client.get_run(run_id)
    assert (run.info.status, run.data.metrics["train/loss"]) == ("KILLED", 1.0)
    assert said() == []


def test_a_server_that_hangs_holds_up_nothing(folder, tracker, monkeypatch, said):
    """It accepts, and never answers: the rows are written while the first request still waits."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
        monkeypatch.setenv("DCVAE_MLFLOW_PATIENCE", "0.1")
        tracker.start_sync()
        server.settimeout(PATIENCE)
        connection, _ = server.accept()
        assert connection.recv(10).startswith(b"GET")
        for step in range(500):
            tracker.log_metrics(step, {"train/loss": 1.0})
        tracker.finish("FINISHED")
        assert len(rows(folder)) == 500
        assert said() == [  # no failure yet: the request waits
            f"MLflow has not got all of {folder}; this sends the rest:"
            f" python -m experiments.tracking sync {folder}"
        ]
        connection.close()


def test_an_outage_is_one_warning_and_its_end_one_line(
    folder, tracker, tmp_path, monkeypatch, said
):
    (tmp_path / "disk").write_text("no folder")
    store = f"sqlite:///{tmp_path}/disk/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    tries = []
    bring = background_sync.MlflowSync.bring_up_to_date
    monkeypatch.setattr(
        background_sync.MlflowSync,
        "bring_up_to_date",
        lambda *args: tries.append(1) or bring(*args),
    )
    tracker.start_sync()
    tracker.log_metrics(1, {"train/loss": 1.0})
    until(lambda: len(tries) > 3)
    assert len(said()) == 1
    assert re.match("MLflow fails, training goes on: .*disk", said()[0])
    (tmp_path / "disk").unlink()
    until(lambda: len(said()) > 1)
    tracker.log_metrics(2, {"train/loss": 2.0})
    tracker.finish("FINISHED")
    assert said()[1:] == [f"MLflow answers again, and has all of {folder}"]
    known = read_record(folder)["mlflow"]
    history = mlflow.MlflowClient(store).get_metric_history(known["run_id"], "train/loss")
    assert [point.step for point in history] == [1, 2]


def test_artifacts_that_cannot_be_kept_stop_neither_training_nor_metrics(
    folder, tracker, tmp_path, monkeypatch, said
):
    """A full or lost disk on MLflow's side."""
    store = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setenv("DCVAE_MLFLOW_PATIENCE", "1")
    client = mlflow.MlflowClient(store)
    (tmp_path / "root").write_text("no folder")
    client.create_experiment("test", artifact_location=str(tmp_path / "root"))
    (folder / "validation").mkdir()
    (folder / "validation" / "a.png").write_bytes(b"png")
    tracker.start_sync()
    until(said)
    tracker.log_metrics(1, {"train/loss": 1.0})
    tracker.finish("FINISHED")
    fails, lacks = said()
    assert fails.startswith("MLflow fails, training goes on")
    assert lacks.endswith(f"sync {folder}")
    run = client.get_run(read_record(folder)["mlflow"]["run_id"])
    assert (run.data.metrics["train/loss"], run.info.status) == (1.0, "FINISHED")


def test_a_process_is_not_forked_while_a_thread_imports():
    """It could never import the same module; MLflow is imported while workers are started."""
    from experiments.tracking.mlflow_client import importing

    forked = threading.Event()

    def fork():
        if child := os.fork():
            os.waitpid(child, 0)
            forked.set()
        else:
            os._exit(0 if importing.acquire(blocking=False) else 1)

    with importing:
        thread = threading.Thread(target=fork, daemon=True)
        thread.start()
        assert not forked.wait(0.2)
    assert forked.wait(PATIENCE)
    thread.join()
