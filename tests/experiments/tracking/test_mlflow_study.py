"""The parent run and the experiment's description, in a real MLflow store."""

import threading
from concurrent.futures import ThreadPoolExecutor

import mlflow
import pytest

from dcvae.runs import read_record
from experiments.tracking import mlflow_study
from experiments.tracking.mlflow_client import one_at_a_time
from experiments.tracking.mlflow_study import Study, describe_experiment, find_parent
from experiments.tracking.mlflow_sync import MlflowSync


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"


def children(client, parent) -> set[str]:
    experiment = client.get_run(parent).info.experiment_id
    runs = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent}'")
    return {run.info.run_id for run in runs}


def test_runs_of_a_study_have_one_parent(tmp_path, store, write_run):
    """A run that goes on keeps it; other sizes, steps and folders have parents of their own."""
    client = mlflow.MlflowClient(store)
    parents, runs = [], []
    for name in ("tiny/a", "tiny/b", "base/a", "tiny-350steps/a", "../other/tiny/a"):
        folder = (tmp_path / "runs" / name / "seed0").resolve()
        size, _, steps = folder.parts[-3].removesuffix("steps").partition("-")
        write_run(folder, "parents", size=size, budget=int(steps) if steps else None)
        MlflowSync(folder, store).bring_up_to_date("FAILED")
        runs.append(read_record(folder)["mlflow"]["run_id"])
        parents.append(client.get_run(runs[-1]).data.tags["mlflow.parentRunId"])
    MlflowSync(tmp_path / "runs" / "tiny" / "a" / "seed0", store).bring_up_to_date("RUNNING")
    assert parents[0] == parents[1]
    assert len(set(parents)) == 4
    assert children(client, parents[0]) == set(runs[:2])
    parent = client.get_run(parents[0])
    assert (parent.info.run_name, parent.info.status) == ("tiny", "FINISHED")
    assert parent.data.tags["dcvae.study"] == Study("tiny", tmp_path / "runs").id
    assert not parent.data.params
    assert mlflow.active_run() is None


def test_runs_that_start_together_agree_on_the_parent(store, tmp_path, monkeypatch):
    """Each looks before any has made one: the eldest stays, and the others are removed."""
    client = mlflow.MlflowClient(store)
    experiment, study = client.create_experiment("together"), Study("tiny", tmp_path)
    gate, look = threading.Barrier(3), mlflow_study.eldest_parent

    def look_together(*arguments):
        found = look(*arguments)
        gate.wait(20)
        return found if found is None else look(*arguments)

    monkeypatch.setattr(mlflow_study, "eldest_parent", look_together)
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: find_parent(client, experiment, study), range(3)))
    monkeypatch.undo()
    (left,) = client.search_runs([experiment])
    assert set(found) == {left.info.run_id}
    assert find_parent(client, experiment, study) == left.info.run_id


def test_the_description_is_written_until_the_user_writes_one(store, monkeypatch):
    client = mlflow.MlflowClient(store)

    def note(experiment: str) -> str | None:
        return client.get_experiment(experiment).tags.get("mlflow.note.content")

    ours, theirs = client.create_experiment("ours"), client.create_experiment("theirs")
    client.set_experiment_tag(theirs, "mlflow.note.content", "my own")
    for experiment in (ours, theirs):
        describe_experiment(client, experiment)
    assert "analysis/reconstruction/pesq_wb" in note(ours)
    assert note(theirs) == "my own"
    monkeypatch.setattr(mlflow_study, "NOTE", "a later text")
    describe_experiment(client, ours)
    assert note(ours) == "a later text"
    for text in ("edited", ""):
        client.set_experiment_tag(ours, "mlflow.note.content", text)
        describe_experiment(client, ours)
        assert note(ours) == text


def test_processes_open_a_store_on_disk_one_after_the_other(tmp_path):
    """MLflow's own tables are made by whoever comes first; a server's address locks nothing."""
    uri, entered = f"sqlite:///{tmp_path / 'mlflow.db'}", threading.Event()

    def enter():
        with one_at_a_time(uri):
            entered.set()

    second = threading.Thread(target=enter, daemon=True)
    with one_at_a_time(uri):
        second.start()
        assert not entered.wait(0.2)
        with one_at_a_time("http://127.0.0.1:5000"), one_at_a_time("sqlite:///nowhere/mlflow.db"):
            pass
    assert entered.wait(20)
    assert not list(tmp_path.iterdir())
