"""A server that goes away in the middle of a run, and a run that is killed, as MLflow sees them."""

import importlib.util
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import mlflow
import pytest

from analysis.cli import sync_mlflow
from dcvae.runs import read_record
from experiments.tracking import background_sync
from experiments.tracking.tracker import Tracker

PATIENCE = 60  # seconds
POSTGRES = [shutil.which("initdb") or "", *Path("/usr/lib/postgresql").glob("*/bin/initdb")]
# a training of 60 steps that resumes from the checkpoint of step 20
TRAINING = """
import sys, time
from pathlib import Path
from experiments.tracking.tracker import Tracker

tracker, first = Tracker(Path(sys.argv[1])), int(sys.argv[2])
tracker.start_sync()
tracker.rewind(first)
for step in range(first + 1, 61):
    tracker.log_metrics(step, {"train/loss": 1 / step})
    if step % 10 == 0:
        tracker.log_metrics(step, {"validation/reconstruction": 1 / step})
    time.sleep(0.05 if first == 0 else 0)
tracker.finish("FINISHED")
"""


@pytest.fixture
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL database, which ends with us; it does not run as root."""
    initdb = next((path for path in map(str, POSTGRES) if path), None)
    as_root = os.geteuid() == 0
    if initdb is None or (as_root and not shutil.which("setpriv")):
        pytest.skip("no PostgreSQL: apt-get install postgresql")
    pytest.importorskip("psycopg2", reason="psycopg2-binary is not installed")
    other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if as_root else []
    root = Path(tempfile.mkdtemp())  # pytest's own folders are closed to other users
    if as_root:
        os.chown(root, 65534, 65534)

    def call(program: str, *arguments: str) -> None:
        path = Path(initdb).resolve().with_name(program)
        command = [*other, str(path), "-D", str(root / "data"), *arguments]
        subprocess.run(command, cwd=root, check=True, stdout=subprocess.DEVNULL)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    try:
        call("initdb", "-A", "trust", "-U", "mlflow", "--no-sync")
        options = f"-p {port} -k {root} -c listen_addresses=127.0.0.1 -F"
        call("pg_ctl", "-w", "-o", options, "-l", str(root / "log"), "start")
        yield f"postgresql+psycopg2://mlflow@127.0.0.1:{port}/postgres"
    finally:
        if (root / "data" / "postmaster.pid").exists():
            call("pg_ctl", "-m", "immediate", "stop")
        shutil.rmtree(root)


@pytest.fixture
def server(request: Any, new_server: Any, tmp_path: Path) -> Iterator[Any]:
    """On PostgreSQL where that is installed, else on SQLite as the other tests' servers."""
    has_postgres = any(POSTGRES) and importlib.util.find_spec("psycopg2")
    made = new_server(tmp_path, request.getfixturevalue("postgres") if has_postgres else None)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def folder(tmp_path: Path, write_run: Callable, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(background_sync, "EVERY", 0.1)
    write_run(tmp_path / "runs" / "debug" / "x" / "seed0")
    return tmp_path / "runs" / "debug" / "x" / "seed0"


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert condition()


def points(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What the folder's rows say, by metric: step and value."""
    found: dict[str, list[tuple[int, float]]] = {}
    for name in ("metrics.jsonl", "machine.jsonl"):
        lines = (folder / name).read_text().splitlines() if (folder / name).exists() else []
        for row in map(json.loads, lines):
            for key in row.keys() - {"step", "time"}:
                found.setdefault(key, []).append((row["step"], row[key]))
    return found


def find_run(folder: Path, address: str) -> tuple[Any, Any]:
    record = read_record(folder)
    assert record
    assert record["mlflow"]["tracking_uri"] == address
    client = mlflow.MlflowClient(address)
    return client, client.get_run(record["mlflow"]["run_id"])


def assert_all_is_there_once(folder: Path, address: str) -> None:
    client, run = find_run(folder, address)
    wanted = points(folder)
    assert set(run.data.metrics) == set(wanted)
    for key, expected in wanted.items():
        history = client.get_metric_history(run.info.run_id, key)
        got = [(point.step, point.value) for point in history]
        assert [step for step, _ in got] == [step for step, _ in expected], key
        assert [value for _, value in got] == pytest.approx([v for _, v in expected]), key


def test_a_server_that_is_away_in_the_middle(server, folder, monkeypatch, caplog):
    caplog.set_level(logging.INFO, "experiments")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.address)
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.5")
    (folder / "validation").mkdir()
    tracker = Tracker(folder)
    tracker.start_sync()
    for step in range(1, 50):
        tracker.log_metrics(step, {"train/loss": 1 / step})
    until(lambda: (read_record(folder) or {})["mlflow"])
    until(lambda: "train/loss" in find_run(folder, server.address)[1].data.metrics)
    server.stop()
    for step in range(50, 100):
        tracker.log_metrics(step, {"train/loss": 1 / step})
    (folder / "validation" / "a.png").write_bytes(b"picture")
    until(lambda: caplog.messages)
    server.start()
    for step in range(100, 150):
        tracker.log_metrics(step, {"train/loss": 1 / step, "train/late": step})
    (folder / "last").mkdir()
    (folder / "last" / "config.json").write_text("{}")
    tracker.finish("FINISHED")
    assert_all_is_there_once(folder, server.address)
    client, run = find_run(folder, server.address)
    assert run.info.status == "FINISHED"
    for name in ("validation/a.png", "last/config.json"):
        kept = client.list_artifacts(run.info.run_id, name.partition("/")[0])
        assert [one.path for one in kept] == [name]
    ours = [one.message for one in caplog.records if one.name.startswith("experiments")]
    assert len(ours) == 2
    assert ours[0].startswith("MLflow fails, training goes on: ")
    assert ours[1].startswith("MLflow answers again")


class Hanging:
    """Passes on what a server and its clients say; after so many requests it takes all that is
    sent, and answers no more.
    """

    def __init__(self, address: str, requests: int) -> None:
        url = urlsplit(address)
        assert url.hostname
        self.server, self.left = (url.hostname, url.port or 80), requests
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.address = url._replace(
            netloc=f"{url.netloc.rpartition(':')[0]}:{self.listening.getsockname()[1]}"
        ).geturl()
        self.open: list[socket.socket] = [self.listening]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self.listening.accept()
                server = socket.create_connection(self.server)
                self.open += [client, server]
                for one, other, asks in ((client, server, True), (server, client, False)):
                    threading.Thread(
                        target=self.pass_on, args=(one, other, asks), daemon=True
                    ).start()

    def pass_on(self, one: socket.socket, other: socket.socket, asks: bool) -> None:
        with suppress(OSError):
            while said := one.recv(1 << 16):
                self.left -= asks
                if self.left >= 0:
                    other.sendall(said)

    def close(self) -> None:
        for one in self.open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@pytest.fixture
def hanging() -> Iterator[Callable[[str, int], Hanging]]:
    made: list[Hanging] = []

    def start(address: str, requests: int) -> Hanging:
        made.append(Hanging(address, requests))
        return made[-1]

    yield start
    for one in made:
        one.close()


@pytest.mark.parametrize("requests", [1, 8])
def test_sync_ends_where_a_server_answers_and_then_hangs(
    requests, mlflow_server, hanging, folder, tmp_path, commands
):
    """One line for both folders; the process itself ends, whatever MLflow's threads wait for."""
    server = hanging(mlflow_server, requests)
    environment = {"MLFLOW_TRACKING_URI": server.address, "DCVAE_MLFLOW_PATIENCE": "1"}
    sync = ("-m", "experiments.tracking", "sync", folder, folder)
    done = commands(tmp_path, *sync, **environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"tracking: {server.address} does not answer within 1 s\n"


def test_sync_ends_where_a_database_answers_and_then_hangs(
    postgres, hanging, folder, tmp_path, commands
):
    """It has no limit of its own, and would be waited for without end."""
    server = hanging(postgres, 12)
    environment = {"MLFLOW_TRACKING_URI": server.address, "DCVAE_MLFLOW_PATIENCE": "2"}
    done = commands(tmp_path, "-m", "experiments.tracking", "sync", folder, **environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("tracking: postgresql")
    assert done.stderr.endswith(" does not answer within 2 s\n"), done.stderr


def test_training_ends_where_a_server_answers_and_then_hangs(
    mlflow_server, hanging, folder, training, commands
):
    server = hanging(mlflow_server, 8)
    environment = {"MLFLOW_TRACKING_URI": server.address, "DCVAE_MLFLOW_PATIENCE": "1"}
    done = commands(folder, training, folder, "0", **environment)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1].endswith(f"tracking sync {folder}")
    assert len(points(folder)["train/loss"]) == 60


def test_the_analysis_goes_on_where_a_server_answers_and_then_hangs(
    mlflow_server, hanging, folder, monkeypatch, capfd
):
    server = hanging(mlflow_server, 1)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.address)
    monkeypatch.setenv("DCVAE_MLFLOW_PATIENCE", "1")
    sync_mlflow([folder, folder])
    assert capfd.readouterr().err == f"tracking: {server.address} does not answer within 1 s\n"


@pytest.fixture
def training(tmp_path: Path) -> Path:
    """A script of TRAINING, which takes a run's folder and the step that it goes on from."""
    (tmp_path / "training.py").write_text(TRAINING)
    return tmp_path / "training.py"


def test_a_run_that_is_killed_goes_on_as_the_same(mlflow_server, folder, training, commands):
    """kill -9 after step 30, of which step 20 was saved."""
    environment = {"MLFLOW_TRACKING_URI": mlflow_server}
    command = [sys.executable, str(training), str(folder), "0"]
    first = subprocess.Popen(command, env=os.environ | environment)
    until(lambda: (read_record(folder) or {})["mlflow"])
    until(lambda: len(points(folder).get("train/loss", [])) >= 30)
    first.send_signal(signal.SIGKILL)
    first.wait()
    known = (read_record(folder) or {})["mlflow"]
    again = commands(folder, training, folder, "20", **environment)
    assert again.returncode == 0, again.stderr
    assert (read_record(folder) or {})["mlflow"] == known
    assert [step for step, _ in points(folder)["train/loss"]] == [*range(1, 61)]
    assert_all_is_there_once(folder, mlflow_server)
    client, run = find_run(folder, mlflow_server)
    assert run.info.status == "FINISHED"
    same = f"tags.ablation = 'x' AND tags.`mlflow.parentRunId` = '{parent_of(run)}'"
    assert len(client.search_runs([run.info.experiment_id], same)) == 1


def parent_of(run: Any) -> str:
    return str(run.data.tags["mlflow.parentRunId"])


def test_what_a_dead_server_missed_is_sent_later(new_server, folder, tmp_path, training, commands):
    """The run ends while it is away; `sync` sends the rest, and then nothing."""
    server = new_server(tmp_path)
    environment = {"MLFLOW_TRACKING_URI": server.address, "DCVAE_MLFLOW_PATIENCE": "0.5"}

    def call(*command: str | Path) -> subprocess.CompletedProcess[str]:
        done = commands(tmp_path, *command, **environment)
        assert done.returncode == 0, done.stderr
        return done

    trained = call(training, folder, "0")
    assert trained.stdout == ""
    assert trained.stderr.splitlines()[-1].endswith(f"tracking sync {folder}")
    assert len(trained.stderr.splitlines()) == 2
    sync = ("-m", "experiments.tracking", "sync", str(folder))
    try:
        server.start()
        first, second = call(*sync), call(*sync)
        assert_all_is_there_once(folder, server.address)
    finally:
        server.stop()
    assert first.stdout.startswith(f"{folder}: sent 1 run, ")
    assert "66 rows" in first.stdout
    assert second.stdout == f"{folder}: nothing to send to {server.address}\n"
    assert first.stderr == second.stderr == ""
