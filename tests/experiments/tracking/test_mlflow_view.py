"""The saved view of a study's runs, and the command that prints its address."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow
import pytest

from dcvae.runs import RunError, read_record
from experiments.tracking import mlflow_ui
from experiments.tracking.address import Store
from experiments.tracking.mlflow_sync import MlflowSync
from experiments.tracking.mlflow_view import metrics, page_state, save_views


def run(claimed: str, *names: str) -> Any:
    data = SimpleNamespace(tags={"claimed": claimed}, metrics=dict.fromkeys(names, 0.5))
    return SimpleNamespace(data=data)


def test_columns_are_what_is_claimed_and_measured_the_most_claimed_first() -> None:
    found = ("analysis/a/x", "analysis/b/y", "validation/reconstruction", "train/loss")
    runs = [run("a/x interface/stoi"), run("b/y", *found), run("b/y", *found)]
    assert metrics(runs) == ["analysis/b/y", "analysis/a/x", "validation/reconstruction"]
    assert metrics([run("")]) == []


def test_the_state_is_what_mlflow_3_17_s_page_reads() -> None:
    state = page_state("tags.x = '1'", [run("a/x", "analysis/a/x")])
    shown = ["tags.`ablation`", "tags.`seed`", "tags.`verdict`", "metrics.`analysis/a/x`"]
    assert state["selectedColumns"] == shown
    assert state["columnOrder"] == ["attributes.`Run Name`", "runDateAndNestInfo", *shown]
    assert set(state["columnWidths"]) == set(state["columnOrder"])
    assert state["groupBy"] == {
        "aggregateFunction": "average",
        "groupByKeys": [{"mode": "tag", "groupByData": "ablation"}],
    }
    facets = ("searchFilter", "orderByKey", "orderByAsc")
    assert [state[name] for name in facets] == ["tags.x = '1'", "tags.`mlflow.runName`", True]


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory, write_run: Callable[..., None]) -> str:
    """A store with a study of one run."""
    folder = tmp_path_factory.mktemp("viewed")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    run_dir = folder / "runs" / "tiny" / "plain_ae" / "seed0"
    write_run(run_dir, "viewed")
    MlflowSync(run_dir, uri).bring_up_to_date("FINISHED")
    record = read_record(run_dir)
    assert record
    tags = mlflow.MlflowClient(uri).get_run(record["mlflow"]["run_id"]).data.tags
    assert tags["claimed"] == "reconstruction/stoi"
    return uri


def test_a_view_is_saved_once_and_kept_where_the_user_saved_it_over(tracked: str) -> None:
    client = mlflow.MlflowClient(tracked)
    ((name, place),) = save_views(client)
    assert name == "runs/tiny"
    experiment = client.get_experiment_by_name("viewed")
    assert experiment
    ((tag, text),) = [one for one in experiment.tags.items() if "sharedViewState" in one[0]]
    key = tag.removeprefix("mlflow.sharedViewState.")
    page = f"#/experiments/{experiment.experiment_id}/runs?viewStateShareKey={key}"
    assert place == f"{page}&workflowType=machine_learning"
    saved = json.loads(text)
    assert saved["createdAt"] == saved["updatedAt"] == client.get_run(key).info.start_time
    chosen = json.loads(saved["state"])["searchFilter"]
    (child,) = client.search_runs([experiment.experiment_id], chosen)
    assert child.info.run_name == "tiny/plain_ae/seed0"
    for updated, kept in ((saved["createdAt"], False), (saved["createdAt"] + 1, True)):
        other = json.dumps(saved | {"state": "{}", "updatedAt": updated})
        client.set_experiment_tag(experiment.experiment_id, tag, other)
        assert save_views(client) == [(name, place)]
        assert client.get_experiment(experiment.experiment_id).tags[tag] == (
            other if kept else text
        )


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str], dict[str, str]]]:
    """What the command would become."""
    calls: list[tuple[str, list[str], dict[str, str]]] = []
    monkeypatch.setattr(mlflow_ui.os, "execve", lambda *given: calls.append(given))
    return calls


def test_the_command_prints_the_address_and_serves(
    tracked: str, served: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    mlflow_ui.show(Store(tracked, named=True), 5123)
    name, _, address = capsys.readouterr().out.partition(": ")
    assert name == "runs/tiny"
    assert address.startswith("http://127.0.0.1:5123/#/experiments/")
    ((program, command, environment),) = served
    assert program == command[0] == sys.executable
    assert command[1:4] == ["-m", "mlflow", "ui"]
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert command[command.index("--port") + 1] == "5123"
    assert tracked not in command
    assert environment["MLFLOW_BACKEND_STORE_URI"] == tracked


def test_a_store_that_fails_is_served_all_the_same(
    tmp_path: Path, served: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mlflow.db").write_text("this is no database, whatever it is called")
    mlflow_ui.show(Store(f"sqlite:///{tmp_path / 'mlflow.db'}", named=True), 5123)
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert "mlflow.db has no views: " in said.err
    assert "mlflow.db holds no study yet: http://127.0.0.1:5123/\n" in said.out
    assert len(served) == 1


def test_a_server_that_fails_is_the_user_s_error(served: list[Any]) -> None:
    with pytest.raises(RunError, match=r"http://127\.0\.0\.1:9 has no views: "):
        mlflow_ui.show(Store("http://127.0.0.1:9", named=True), 5123)
    assert served == []
