"""python -m experiments.tracking sync, as a user types it."""

import json
import sys

import pytest
from filelock import FileLock

from dcvae.runs import read_record
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


def test_the_store_is_the_variables_else_the_runs_own(folder, tmp_path, monkeypatch, capsys):
    other = f"sqlite:///{tmp_path}/other.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", other)
    assert call(monkeypatch, capsys, folder)[1].endswith(f"{other}\n")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert call(monkeypatch, capsys, folder)[1] == f"{folder}: nothing to send to {other}\n"


def test_a_studys_tables_go_to_the_parent_of_its_runs_once(folder, tmp_path, monkeypatch, capsys):
    study = tmp_path / "debug"
    (study / "statistics.csv").write_text("system,value\nx,1.5\n")
    call(monkeypatch, capsys, folder)
    assert call(monkeypatch, capsys, study) == (
        0,
        f"{study}: sent its tables to 1 parent run\n",
        "",
    )
    assert call(monkeypatch, capsys, study) == (0, f"{study}: nothing to send\n", "")
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
        (lambda folder: damage(folder, "{}"), "no usable entry 'status'"),
        (lambda folder: damage(folder, '{"status": "finished"}'), "no usable entry 'size'"),
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
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    assert "http://me:***@127.0.0.1:9 fails" in call(monkeypatch, capsys, folder)[2]


def test_a_store_that_is_not_here(folder, monkeypatch, capsys):
    call(monkeypatch, capsys, folder)
    monkeypatch.chdir(folder)
    status, _, error = call(monkeypatch, capsys, folder)
    assert status == 2
    assert "start in the folder of the training" in error
    assert not (folder / "mlflow.db").exists()
