"""The contract of run and study folders."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from dcvae.claims import read_claims
from dcvae.runs import (
    Run,
    RunError,
    read_record,
    read_run,
    read_statistics,
    require_record,
    train_command,
    write_mlflow,
    write_record,
)
from dcvae.study_plan import read_plan

RECORD = {"ablation": "a+b", "size": "tiny", "seed": 1, "status": "running"}
CLAIM = {"text": "x", "metric": "c/m", "direction": "up", "margin": 0.1, "component": "noise"}


def test_a_record_comes_back_with_what_mlflow_noted(tmp_path):
    assert read_record(tmp_path) is None
    write_mlflow(tmp_path, {"run_id": "1"})
    write_record(tmp_path, {"steps": 3})
    assert read_record(tmp_path) == {"steps": 3, "mlflow": {"run_id": "1"}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"steps"', r"run\.json is damaged"),
        ("[1]", "holds no object"),
        ('{"ablation": "a", "size": "tiny"}', "has no 'seed'"),
        ('{"ablation": "a", "size": "tiny", "seed": "1"}', "its seed is '1', no whole number"),
        ('{"ablation": "a", "size": "tiny", "seed": true}', "its seed is True, no whole number"),
        ('{"ablation": ["a"], "size": "tiny", "seed": 0}', "its ablation is .*, no text"),
        (f'{{"steps": 1{"0" * 400}}}', "its steps is 1000.*, no whole number"),
        ('{"parameters": "many"}', "its parameters is 'many', no finite number"),
        ('{"status": ["x"]}', r"its status is \['x'\], no text"),
        ('{"config": []}', r"its config is \[\], no mapping"),
        ('{"config": {"vocoder": "x"}}', "its config.vocoder is 'x', no mapping"),
        ('{"corpus": "x"}', "its corpus is 'x', no mapping"),
        ('{"mlflow": {"tracking_uri": 1}}', "its mlflow.tracking_uri is 1, no text"),
        ('{"started": "yesterday"}', "its started is 'yesterday', no time"),
        ('{"config": ' + "[" * 100_000 + "]" * 100_000 + "}", r"run\.json is damaged"),
        ('{"config": ' + "[" * 200 + "]" * 200 + "}", "nested more than 100 deep"),
        (None, r"is no run folder: it has no run\.json"),
    ],
)
def test_what_is_no_run_is_told_in_a_line(tmp_path, text, said):
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    with pytest.raises(RunError, match=said):
        read_run(tmp_path)
    with pytest.raises(RunError, match="there is no such run folder"):
        require_record(tmp_path / "nowhere")


def test_a_run_says_how_to_train_or_score_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = Run(tmp_path / "runs" / "tiny" / "a+b" / "seed1", RECORD)
    assert run.name == "tiny/a+b/seed1"
    train = "accelerate launch experiments/run.py ablation=[a,b] size=tiny seed=1"
    assert run.command == train
    assert Run(run.folder, {**RECORD, "budget": 350}).command == f"{train} trainer.steps=350"
    finished = Run(run.folder, {**RECORD, "status": "finished"})
    assert finished.command == "python -m analysis runs/tiny/a+b/seed1"
    assert Run(run.folder, {**finished.record, "archived": True}).command == train
    assert train_command("baseline", "demo").endswith("ablation=baseline size=demo")


def test_a_run_is_analysed_once_table_and_summary_are_there(tmp_path):
    (tmp_path / "analysis").mkdir()
    (tmp_path / "analysis" / "analysis.json").write_text('{"clips": ["a"]}')
    assert Run(tmp_path, RECORD).summary is None
    (tmp_path / "analysis" / "table.csv").touch()
    assert Run(tmp_path, RECORD).summary == {"clips": ["a"]}


def plan(root: Path, **changes: object) -> Path:
    """A study's folder below RUNS, with one planned run at two budgets."""
    claims = [asdict(claim) for claim in read_claims("a", [CLAIM])]
    said = {
        "name": "s",
        "claims": claims,
        "family": ["a:c/m"],
        "factors": [],
        "runs": [
            {
                "ablation": "a",
                "parts": ["b", "c"],
                "seed": 0,
                "budget": budget,
                "folder": f"tiny{budget or ''}/a/seed0",
            }
            for budget in (None, 350)
        ],
    }
    folder = root / "studies" / "s"
    folder.mkdir(parents=True)
    (folder / "study.json").write_text(json.dumps(said | changes))
    return folder


def test_a_plan_names_its_runs_and_their_folders(tmp_path):
    assert read_plan(tmp_path) is None
    found = read_plan(plan(tmp_path))
    assert found is not None
    assert found.runs == [("a", 0), ("a@350", 0)]
    assert found.budgets == [None, 350]
    assert found.parts == {"a": {"b", "c"}, "a@350": {"b", "c"}}
    assert found.present == []
    (tmp_path / "tiny350" / "a" / "seed0").mkdir(parents=True)
    (tmp_path / "tiny350" / "a" / "seed0" / "run.json").write_text("{}")
    assert found.present == [tmp_path / "tiny350" / "a" / "seed0"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"family": ["b:c/m"]}, "names a claim that is not there: b:c/m"),
        ({"runs": [{}]}, r"study\.json is damaged"),
        ({"claims": [{"text": "x"}]}, r"study\.json is damaged"),
    ],
)
def test_a_damaged_plan_is_told(tmp_path, changes, said):
    with pytest.raises(RunError, match=said):
        read_plan(plan(tmp_path, **changes))


@pytest.mark.parametrize(
    ("look", "said"),
    [
        ({}, "it has no 'seeds'"),
        ({"seeds": 10**400}, r"its looks\[\].seeds is 1000.*, no whole number"),
        ({"seeds": 2, "alpha": 0.01, "decided": {}}, "it has no 'max_seeds'"),
    ],
)
def test_a_damaged_look_at_a_study_is_told(tmp_path, look, said):
    record = {"files": {}, "tables": {}, "factors": [], "looks": [look]}
    if "alpha" not in look:
        record["max_seeds"] = 5
    (tmp_path / "statistics.json").write_text(json.dumps(record))
    with pytest.raises(RunError, match=rf"statistics\.json is damaged: {said}"):
        read_statistics(tmp_path)
