"""python -m experiments.tracking sync, as a user types it."""

import json
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from filelock import FileLock

from dcvae.runs import read_record, write_mlflow
from dcvae.utils.jsonl import append_row
from experiments.tracking import __main__ as sync


@pytest.fixture
def folder(tmp_path, write_run, monkeypatch):
    folder = tmp_path / "debug" / "x" / "seed0"
    write_run(folder, status="finished", finished="2026-01-02T03:04:05+00:00")
    append_row(folder / "metrics.jsonl", 1, 0.1, {"train/loss": 1.0})
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return folder


def call(monkeypatch, capsys, *runs):
    """Status, standard output and the one line of standard error."""
    monkeypatch.setattr(sys, "argv", ["tracking", "sync", *map(str, runs)])
    status = 0
    try:
        sync.main()
    except SystemExit as end:
        status = end.code
    captured = capsys.readouterr()
    assert captured.err.count("\n") <= 1
    return status, captured.out, captured.err


def test_a_run_that_no_store_has_seen_is_sent_once(folder, tmp_path, monkeypatch, capsys):
    status, out, _ = call(monkeypatch, capsys, folder)
    assert status == 0
    assert out.startswith(f"{folder}: sent 1 run, ")
    assert out.endswith("1 rows, 1 status to sqlite:///mlflow.db\n")
    assert (tmp_path / "mlflow.db").is_file()
    again = f"{folder}: nothing to send to sqlite:///mlflow.db\n"
    assert call(monkeypatch, capsys, folder, folder) == (0, again * 2, "")


def test_a_run_that_was_tracked_elsewhere_goes_where_the_user_says(
    folder, tmp_path, monkeypatch, capsys
):
    other = f"sqlite:///{tmp_path}/other.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", other)
    assert call(monkeypatch, capsys, folder)[1].endswith(f"{other}\n")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    status, out, error = call(monkeypatch, capsys, folder)
    assert (status, out) == (2, "")
    assert f"{folder} was tracked in {other}: nothing is sent unless MLFLOW_TRACKING_URI" in error
    named = call(monkeypatch, capsys, folder, "--tracking-uri", other)
    assert named == (0, f"{folder}: nothing to send to {other}\n", "")


class Watched(ThreadingHTTPServer):
    """A server that keeps what it is asked, and answers `answer` to all of it."""

    def __init__(self, answer: dict[str, object]) -> None:
        self.asked: list[tuple[str, str | None]] = []
        watched = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                self.rfile.read(length)
                watched.asked.append((self.path, self.headers.get("Authorization")))
                body = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


@pytest.fixture
def watched():
    servers: list[Watched] = []

    def start(answer):
        servers.append(Watched(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_server_that_a_foreign_run_names_hears_nothing(folder, watched, monkeypatch, capsys):
    """Neither by the run nor by its study; the token is for the environment's server."""
    server = watched({})
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "token-of-mine")
    known = {"tracking_uri": server.address, "run_id": "0" * 32}
    write_mlflow(folder, known)
    study = folder.parents[1]
    (study / "statistics.csv").write_text("system,value\nx,1.5\n")
    for asked in (folder, study):
        status, _, error = call(monkeypatch, capsys, asked)
        assert status == 2
        assert f"was tracked in {server.address}" in error
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mine.db")
    assert call(monkeypatch, capsys, folder)[0] == 0
    assert server.asked == []


def test_a_server_cannot_have_files_written_here(folder, tmp_path, watched, monkeypatch, capsys):
    info = {"run_id": "0" * 32, "experiment_id": "1", "status": "RUNNING"}
    info["artifact_uri"] = f"file://{tmp_path}/mine"
    data = {"tags": [], "params": [], "metrics": []}
    server = watched({"run": {"info": info, "data": data, "inputs": {}}, "experiments": []})
    write_mlflow(folder, {"tracking_uri": server.address, "run_id": "0" * 32})
    (folder / "validation").mkdir()
    (folder / "validation" / "a.png").write_bytes(b"a picture")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.address)
    status, _, error = call(monkeypatch, capsys, folder)
    assert status == 2
    assert f"would have files written to file://{tmp_path}/mine on this machine" in error
    assert not (tmp_path / "mine").exists()


def test_one_folder_that_fails_does_not_keep_the_others(folder, tmp_path, monkeypatch, capsys):
    status, out, error = call(monkeypatch, capsys, tmp_path / "none", folder)
    assert status == 2
    assert "there is no such run folder" in error
    assert out.startswith(f"{folder}: sent 1 run")


def test_a_server_that_accepts_and_never_answers(folder, monkeypatch, capsys):
    """One line for all folders, after the patience of training."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        monkeypatch.setenv("DCVAE_MLFLOW_PATIENCE", "0.2")
        status, out, error = call(monkeypatch, capsys, folder, folder)
    assert (status, out) == (2, "")
    assert error == f"tracking: {address} does not answer within 0.2 s\n"


@pytest.mark.parametrize("patience", ["soon", "nan", "-1"])
def test_a_patience_that_is_no_time(folder, monkeypatch, capsys, patience):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("DCVAE_MLFLOW_PATIENCE", patience)
    status, _, error = call(monkeypatch, capsys, folder)
    assert status == 2
    assert f"DCVAE_MLFLOW_PATIENCE is a number of seconds, not {patience!r}" in error


def test_a_studys_tables_go_to_the_parent_of_its_runs_once(folder, tmp_path, monkeypatch, capsys):
    study = tmp_path / "debug"
    (study / "statistics.csv").write_text("system,value\nx,1.5\n")
    call(monkeypatch, capsys, folder)
    sent = f"{study}: sent 1 tables to sqlite:///mlflow.db\n"
    assert call(monkeypatch, capsys, study) == (0, sent, "")
    again = f"{study}: nothing to send to sqlite:///mlflow.db\n"
    assert call(monkeypatch, capsys, study) == (0, again, "")
    (tmp_path / "mlflow.db").unlink()
    status, _, error = call(monkeypatch, capsys, study)
    assert status == 2
    assert "debug was tracked in mlflow.db, which is not here" in error


@pytest.mark.parametrize(
    ("status", "word"), [("running", "KILLED"), ("interrupted", "KILLED"), ("failed", "FAILED")]
)
def test_how_the_run_ended(folder, monkeypatch, capsys, status, word):
    import mlflow

    record = read_record(folder) | {"status": status, "finished": None}
    (folder / "run.json").write_text(json.dumps(record))
    call(monkeypatch, capsys, folder)
    known = read_record(folder)["mlflow"]
    run = mlflow.MlflowClient(known["tracking_uri"]).get_run(known["run_id"])
    assert run.info.status == word


def test_a_run_that_is_being_trained_is_left_alone(folder, monkeypatch, capsys):
    with FileLock(folder / ".lock"):
        status, out, error = call(monkeypatch, capsys, folder)
    assert (status, out) == (2, "")
    assert "is being trained" in error
    assert read_record(folder)["mlflow"] is None


def damage(folder, text):
    (folder / "run.json").write_text(text)
    return folder


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (lambda folder: folder / "nowhere", "there is no such run folder"),
        (lambda folder: damage(folder, '{"status"'), "is damaged"),
        (lambda folder: damage(folder, "[]"), "is damaged"),
        (lambda folder: damage(folder, "{}"), "run.json is damaged: it has no 'ablation'"),
        (lambda folder: damage(folder, '{"status": "finished"}'), "it has no 'ablation'"),
        (lambda folder: damage(folder, '{"status": ["finished"]}'), "its status is ['finished']"),
    ],
)
def test_what_is_no_run_is_one_line_and_status_2(folder, monkeypatch, capsys, bad, words):
    status, out, error = call(monkeypatch, capsys, bad(folder))
    assert (status, out) == (2, "")
    assert words in error
    assert str(folder) in error


def test_a_server_that_does_not_answer(folder, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    status, _, error = call(monkeypatch, capsys, folder)
    assert status == 2
    assert "http://127.0.0.1:9 fails: " in error
    assert "Connection refused" in error
    assert len(error) < 300 + len(str(folder))


def test_a_password_is_not_shown(folder, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9/?password=secret")
    error = call(monkeypatch, capsys, folder)[2]
    assert "http://127.0.0.1:9/ fails" in error
    assert "secret" not in error


def test_a_password_is_not_kept(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/x.db?password=secret")
    assert call(monkeypatch, capsys, folder)[0] == 0
    assert read_record(folder)["mlflow"]["tracking_uri"] == f"sqlite:///{tmp_path}/x.db"
    assert call(monkeypatch, capsys, folder)[1].startswith(f"{folder}: nothing to send")


def test_a_store_that_is_not_here(folder, monkeypatch, capsys):
    call(monkeypatch, capsys, folder)
    monkeypatch.chdir(folder)
    status, _, error = call(monkeypatch, capsys, folder)
    assert status == 2
    assert "start in the folder of the training" in error
    assert not (folder / "mlflow.db").exists()
