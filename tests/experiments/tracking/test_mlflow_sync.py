"""What is sent, in a real MLflow store, and that it sends nothing twice."""

import hashlib
import json
import math
from pathlib import Path

import mlflow
import pytest

from dcvae.data.manifest import COLUMNS
from dcvae.runs import read_record, write_record
from dcvae.utils.jsonl import append_row, rewind
from experiments.tracking.mlflow_run import MLflowRun
from experiments.tracking.mlflow_sync import MlflowSync

MANIFEST = Path(__file__).parents[2] / "data" / "manifest.csv"


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"


@pytest.fixture(scope="module")
def client(store):
    return mlflow.MlflowClient(store)


@pytest.fixture
def folder(tmp_path, write_run) -> Path:
    write_run(tmp_path / "debug" / "x" / "seed0", tmp_path.name)
    return tmp_path / "debug" / "x" / "seed0"


def log(folder, step, **metrics):
    append_row(folder / "metrics.jsonl", step, step / 10, metrics)


def run_of(folder, client):
    return client.get_run(read_record(folder)["mlflow"]["run_id"])


def history(folder, client, key):
    run_id = run_of(folder, client).info.run_id
    return [(one.step, one.value) for one in client.get_metric_history(run_id, key)]


def test_a_store_gets_all_of_a_run_and_then_nothing(folder, store, client):
    many = {f"p{i}": i for i in range(150)}
    record = read_record(folder)
    write_record(folder, record | {"config": record["config"] | {"m": many}})
    log(folder, 1, loss=2.0)
    log(folder, 2, loss=1.0)
    append_row(folder / "machine.jsonl", 3, 3.5, {"system/cpu": 5.0})
    (folder / "validation").mkdir()
    (folder / "validation" / "a.png").write_bytes(b"png")
    (folder / "validation" / ".a.wav.1.part").write_bytes(b"half")
    sent = MlflowSync(folder, store).bring_up_to_date("RUNNING")
    assert (sent["run"], sent["rows"], sent["files"], sent["dataset"]) == (1, 3, 1, 1)
    run = run_of(folder, client)
    assert run.info.run_name == "debug/x/seed0"
    assert run.info.status == "RUNNING"
    assert run.data.params["m.p149"] == "149"
    names = ("ablation", "size", "seed", "commit", "corpus", "claim")
    tags = [run.data.tags[name] for name in names]
    assert tags == ["x", "debug", "0", "abc", "prompts", "Parts matter."]
    assert history(folder, client, "loss") == [(1, 2.0), (2, 1.0)]
    (point,) = client.get_metric_history(run.info.run_id, "system/cpu")
    assert point.timestamp == run.info.start_time + 3500
    assert [one.path for one in client.list_artifacts(run.info.run_id, "validation")] == [
        "validation/a.png"
    ]
    assert not MlflowSync(folder, store).bring_up_to_date("RUNNING")


def test_the_end_of_a_run(folder, store, client):
    """Its last checkpoint, which is sent again where it has changed, and when it ended."""
    sync = MlflowSync(folder, store)
    sync.bring_up_to_date("RUNNING")
    (folder / "last").mkdir()
    (folder / "last" / "config.json").write_text("{}")
    ended = {"status": "finished", "finished": "2026-01-02T03:04:05+00:00"}
    write_record(folder, read_record(folder) | ended)
    assert sync.bring_up_to_date("FINISHED") == {"status": 1, "files": 1}
    assert not MlflowSync(folder, store).bring_up_to_date("FINISHED")
    run = run_of(folder, client)
    assert (run.info.status, run.info.end_time) == ("FINISHED", 1767323045000)
    (folder / "last" / "config.json").write_text("{ }")
    assert MlflowSync(folder, store).bring_up_to_date("FINISHED") == {"files": 1}


def test_a_resumed_run_goes_on_and_no_step_is_there_twice(folder, store, client):
    sync = MlflowSync(folder, store)
    for step in (1, 2, 3):
        log(folder, step, loss=1 / step)
    sync.bring_up_to_date("RUNNING")
    rewind(folder / "metrics.jsonl", 1)
    assert not sync.bring_up_to_date("RUNNING")
    for step in (2, 3, 4):
        log(folder, step, loss=1 / step)
    log(folder, 4, other=5.0)  # as validation does
    assert sync.bring_up_to_date("RUNNING") == {"rows": 2}
    again = MlflowSync(folder, store)
    log(folder, 5, loss=0.2)
    assert again.bring_up_to_date("RUNNING") == {"rows": 1}
    assert history(folder, client, "loss") == [(step, 1 / step) for step in range(1, 6)]
    assert history(folder, client, "other") == [(4, 5.0)]


def test_a_resumed_run_keeps_its_params_and_its_tags_follow(folder, store, client):
    """MLflow refuses to change a param."""
    MlflowSync(folder, store).bring_up_to_date("RUNNING")
    write_record(folder, read_record(folder) | {"commit": "new", "mlflow": None})
    assert MlflowSync(folder, store).bring_up_to_date("RUNNING") == {"tags": 1}
    run = run_of(folder, client)
    assert (run.data.params["commit"], run.data.tags["commit"]) == ("abc", "new")
    assert len(run.inputs.dataset_inputs) == 1


def test_more_rows_than_mlflow_takes_at_once(folder, store, client):
    for step in range(1, 600):
        log(folder, step, loss=1 / step, other=step)
    assert MlflowSync(folder, store).bring_up_to_date("RUNNING")["rows"] == 599
    assert history(folder, client, "loss") == [(step, 1 / step) for step in range(1, 600)]


def test_a_run_whose_id_was_lost_is_found(folder, store, client):
    """Killed after the store had made it, and before run.json said so."""
    MlflowSync(folder, store).bring_up_to_date("RUNNING")
    known = read_record(folder)["mlflow"]
    text = (folder / "run.json").read_text().replace(known["run_id"], "0" * 32)
    (folder / "run.json").write_text(text)
    MlflowSync(folder, store).bring_up_to_date("RUNNING")
    assert read_record(folder)["mlflow"] == known


def test_another_store_gets_a_run_of_its_own(folder, store, tmp_path):
    MlflowSync(folder, store).bring_up_to_date("RUNNING")
    other = f"sqlite:///{tmp_path}/new/other.db"
    sent = MlflowSync(folder, other).bring_up_to_date("RUNNING")
    assert sent["run"] == 1
    assert read_record(folder)["mlflow"]["tracking_uri"] == other


def test_points_whose_answer_was_lost_are_not_there_twice(folder, store, client, monkeypatch):
    """The store took them, but what was asked before does not know: it drops them itself."""
    sync = MlflowSync(folder, store)
    log(folder, 1, loss=2.0)
    sync.bring_up_to_date("RUNNING")
    log(folder, 2, loss=float("nan"))
    log(folder, 3, loss=1.0)
    found = run_of(folder, client)
    late = MLflowRun(client, found, found.info.start_time / 1000)
    sync.bring_up_to_date("RUNNING")
    assert late.send_rows(json.loads(x) for x in (folder / "metrics.jsonl").open()) == 2
    values = history(folder, client, "loss")
    assert [step for step, _ in values] == [1, 2, 3]
    assert math.isnan(values[1][1])


def test_run_json_keeps_the_run_that_training_does_not_know_of(folder, store):
    record = read_record(folder)
    MlflowSync(folder, store).bring_up_to_date("RUNNING")
    known = read_record(folder)["mlflow"]
    write_record(folder, record | {"status": "finished"})
    assert read_record(folder) == record | {"status": "finished", "mlflow": known}


def test_a_store_that_lost_the_run_gets_it_again(folder, store):
    log(folder, 1, loss=2.0)
    MlflowSync(folder, store).bring_up_to_date("RUNNING")
    other = store.replace("mlflow.db", "emptied.db")
    text = (folder / "run.json").read_text().replace(store, other)
    (folder / "run.json").write_text(text)
    sent = MlflowSync(folder, other).bring_up_to_date("RUNNING")
    assert (sent["run"], sent["rows"]) == (1, 1)


def test_the_dataset_is_the_manifest(folder, store, client):
    """Its digest is the file's; MLflow's own reader of sources finds the file again."""
    MlflowSync(folder, store).bring_up_to_date("RUNNING")
    (used,) = run_of(folder, client).inputs.dataset_inputs
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


def test_links_are_not_followed(folder, store, client, tmp_path):
    """Neither to a file nor to a folder, wherever they lie in what is sent."""
    private = tmp_path / "private"
    private.mkdir()
    for name in ("key", "config.json", "model.safetensors", "a.png", "table.csv", "summary.csv"):
        (private / name).write_text("condition,metric,mean\nsecret,x,1\n")
    append_row(private / "metrics.jsonl", 1, 0.1, {"secret": 1.0})
    (folder / "validation").mkdir()
    (folder / "validation" / "own.png").write_bytes(b"a picture")
    (folder / "validation" / "key.png").symlink_to(private / "key")
    (folder / "validation" / "inner.png").symlink_to("own.png")
    (folder / "metrics.jsonl").symlink_to(private / "metrics.jsonl")
    for name in ("last", "best", "analysis"):
        (folder / name).symlink_to(private)
    sent = MlflowSync(folder, store).bring_up_to_date("FINISHED")
    assert (sent["files"], sent["rows"], sent["model"], sent["analysis"]) == (1, 0, 0, 0)
    run = run_of(folder, client)
    assert {one.path for one in client.list_artifacts(run.info.run_id)} == {"validation"}
    (artifact,) = client.list_artifacts(run.info.run_id, "validation")
    assert artifact.path == "validation/own.png"
    assert run.data.metrics == {}
