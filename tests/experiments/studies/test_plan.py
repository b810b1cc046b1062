"""What a study is made of, and every mistake that is told before anything starts."""

import json
import subprocess
import sys
from dataclasses import fields
from functools import cache
from pathlib import Path

import pytest

from analysis.cli import CLIP_COUNTS, parser
from analysis.latent_lm.presets import PRESETS
from analysis.registry import EVALUATORS as ASKED
from experiments.config import CONF, read_registry
from experiments.studies import hardware, options, preflight
from experiments.studies.commands import (
    environment,
    report_commands,
    statistics_commands,
    train_command,
)
from experiments.studies.plan import Plan, make_plan
from experiments.studies.preflight import check_plan
from experiments.studies.registration import described
from experiments.studies.runner import describe, make_shares

ROOT = Path(__file__).parents[3]


def names() -> list[str]:
    return sorted(path.stem for path in (CONF / "study").glob("*.yaml"))


@cache
def plan_of(name: str) -> Plan:
    """Composed once: it takes seconds for a hundred runs."""
    return make_plan([f"study={name}"])


@pytest.mark.parametrize("name", names())
def test_every_study_composes(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    made = plan_of(name)
    check_plan(made)
    assert len({row.run_dir for row in made.rows}) == len(made.rows)
    for row in made.rows:
        steps = f"-{row.budget}steps" if row.budget else ""
        place = Path(made.runs_dir, f"{made.size}{steps}")
        assert row.run_dir == place / row.ablation / f"seed{row.seed}"
        assert row.composed.config["seed"] == row.seed


def test_the_reference_study_is_what_its_kept_record_says():
    """Claims that change after the scores are seen would be others than those that were asked."""
    kept = json.loads((ROOT / "reports" / "reference" / "study.json").read_text())
    assert kept == described(plan_of("reference"), read_registry())


def test_paper_is_every_ablation_three_times_in_blocks():
    rows = plan_of("paper").rows
    registry = {path.stem for path in (CONF / "ablation").glob("*.yaml")}
    assert {(row.ablation, row.seed) for row in rows} == {
        (n, s) for n in registry for s in range(3)
    }
    assert [row.seed for row in rows] == [seed for seed in range(3) for _ in registry]
    assert next(row.ablation for row in rows if row.seed == 1) == "baseline"


def test_keys_of_the_schema_change_the_study_and_others_go_to_the_runs():
    plan = make_plan(
        ["study=smoke", "seeds=[3,4]", "analysis.only=[pitch]", "model.noise_std=0.25", "jobs=2"]
    )
    assert [row.name for row in plan.rows] == [
        "baseline/seed3", "plain_ae/seed3", "baseline/seed4", "plain_ae/seed4",
    ]  # fmt: skip
    assert plan.study.jobs == 2
    assert plan.study.analysis.arguments() == ["--clips", "2", "--only", "pitch"]
    assert plan.rows[0].composed.config["model"]["noise_std"] == 0.25
    assert train_command(plan.study, plan.rows[0])[2:4] == ["ablation=baseline", "seed=3"]
    assert make_plan(["study=smoke", "analysis=null"]).study.analysis is None


def test_the_reference_study_is_that_of_the_design():
    rows = plan_of("reference").rows
    by_phase = {phase: [row for row in rows if row.phase == phase] for phase in "BCAD"}
    assert list(dict.fromkeys(row.phase for row in rows)) == list("BCAD")
    assert [len(by_phase[phase]) for phase in "BCAD"] == [48, 42, 9, 32]
    assert len({row.ablation for row in by_phase["B"][:16]}) == 16
    assert {row.seed for row in by_phase["B"][:16]} == {0}
    assert "plain_ae" in {row.ablation for row in by_phase["B"]}
    seeds = {row.seed for row in rows if row.ablation == "baseline" and row.budget is None}
    assert seeds == set(range(10))
    registry = {path.stem for path in (CONF / "ablation").glob("*.yaml")}
    assert registry <= {row.ablation for row in rows}
    assert {row.budget for row in by_phase["D"]} == {175, 350, 1400, 2800}


def test_the_end_of_a_study_is_of_its_own_runs():
    made = make_plan(["study=smoke"])
    (analyse,), (report,) = statistics_commands(made), report_commands(made)
    assert analyse[1:] == [
        "-m", "analysis", "--study", "runs/smoke/studies/smoke", "--clips", "2",
        "--only", "quality",
    ]  # fmt: skip
    assert report[1:] == ["-m", "reports.build", "runs/smoke", "--study", "smoke"]


def test_several_processes_go_through_the_launcher_at_a_free_port(monkeypatch):
    plan = make_plan(["study=smoke", "processes=2", "gpus=[0,1,2,3]", "jobs=2"])
    command = train_command(plan.study, plan.rows[0])
    assert command[command.index("--num_processes") + 1] == "2"
    assert command[command.index("--main_process_port") + 1] == "0"
    assert make_shares(plan) == [["0", "1"], ["2", "3"]]
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(16))
    monkeypatch.setattr("os.environ", {"OMP_NUM_THREADS": "1"})  # the user's own word counts
    assert environment(plan.study, ["2", "3"]) == {
        "CUDA_VISIBLE_DEVICES": "2,3", "DCVAE_THREADS": "4",
    }  # fmt: skip
    monkeypatch.setattr("experiments.studies.commands.find_gpus", list)
    alone = make_plan(["study=smoke", "processes=2", "port=29501"])
    assert environment(alone.study) == {"ACCELERATE_USE_CPU": "true"}
    assert "29501" in train_command(alone.study, alone.rows[0])


def test_the_analysis_has_these_options_evaluators_and_budgets():
    own = {"help", "runs", "no_study", "study", "systems", "out"}  # of the command line alone
    there = {action.dest for action in parser()._actions} - own
    assert {option.name for option in fields(options.Analysis)} == there
    assert tuple(ASKED) == options.EVALUATORS
    assert CLIP_COUNTS == options.CLIP_COUNTS
    assert tuple(PRESETS) == options.BUDGETS


def test_a_dry_run_prints_commands_for_a_shell_without_torch(tmp_path):
    """Beside how each run stands; a finished one has no commands."""
    done = tmp_path / "debug" / "plain_ae" / "seed0"
    done.mkdir(parents=True)
    settings = ["study=smoke", f"runs_dir={tmp_path}", "analysis=null", "data.train='a b.csv'"]
    config = make_plan(settings).rows[1].composed.config
    (done / "run.json").write_text(json.dumps({"status": "finished", "config": config}))
    script = f"""
import sys
from experiments.study import main
main({[*settings, "--dry-run"]})
assert "torch" not in sys.modules
"""
    said = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr
    first, command, second, *rest = said.stdout.splitlines()
    assert (first, second) == ("# baseline/seed0: new", "# plain_ae/seed0: finished")
    assert "'data.train='\"'\"'a b.csv'\"'\"''" in command
    report = f"{sys.executable} -m reports.build {tmp_path} --study smoke"
    assert rest == ["# of all runs", report]
    record = {"status": "interrupted", "config": config}
    (done / "run.json").write_text(json.dumps(record))
    assert "# plain_ae/seed0: half-finished" in describe(make_plan(settings))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["study=papre"], ["papre", "paper", "demo"]),
        (["size=debug"], ["study=NAME", "paper"]),
        (["study=smoke", "ablations=[no_dispersve]"], ["no_dispersve", "no_dispersive"]),
        (["study=smoke", "ablations=[baseline,baseline]"], ["baseline", "twice"]),
        (["study=smoke", "seeds=[1,2,1]"], ["seed 1", "twice"]),
        (["study=smoke", "seeds=[]"], ["at least one"]),
        (["study=smoke", "until=tomorrow"], ["tomorrow", "decided"]),
        (["study=smoke", "max_seeds=8"], ["max_seeds=8", "until=decided"]),
        (["study=smoke", "until=decided", "max_seeds=0"], ["max_seeds=0", "begins with 1"]),
        (["study=smoke", "until=decided"], ["until=decided", "needs max_seeds"]),
        (["study=smoke", "until=decided", "max_seeds=4", "analysis=null"], ["needs an analysis"]),
        (
            ["study=smoke", "until=decided", "max_seeds=4", "seeds={baseline: 2, default: 1}"],
            ["every system needs the same seeds"],
        ),
        (["study=smoke", "seed=1"], ["seeds="]),
        (["study=smoke", "ablation=no_noise"], ["ablations="]),
        (["study=smoke", "model.noize=1"], ["noize", "ablation=baseline"]),
        (["study=smoke", "size=huge"], ["huge", "tiny"]),
        (["study=smoke", "trainer.steps=many"], ["trainer.steps", "many"]),
        (["study=smoke", "model.noise_std=0.1,0.2"], ["0.1,0.2"]),
        (["study=smoke", "fast"], ["fast", "key=value"]),
        (["study=smoke", "jobs=0"], ["jobs", "0"]),
        (["study=smoke", "processes=0"], ["processes", "0"]),
        (["study=smoke", "jobs=many"], ["jobs", "many"]),
        (["study=smoke", "executor=pbs"], ["pbs", "slurm"]),
        (["study=smoke", "analysis.clisp=3"], ["clisp", "clips"]),
        (["study=smoke", "analysis.only=[qualty]"], ["qualty", "quality"]),
        (["study=smoke", "analysis.budget=huge"], ["huge", "paper"]),
        (["study=smoke", "analysis.clips=0"], ["clips", "0"]),
        (["study=smoke", "runs_dir=/dev/null/runs"], ["/dev/null"]),
        (["study=smoke", "gpus=[7]"], ["GPU 7", "0, 1"]),
        (["study=smoke", "gpus=[0]", "jobs=2"], ["need 2 GPUs", "names 1"]),
        (["study=smoke", "port=29500", "jobs=2", "processes=2"], ["29500", "one run"]),
        (["study=smoke", "executor=slurm"], ["sbatch"]),
    ],
)
def test_a_mistake_is_told_before_anything_starts(settings, words, monkeypatch, tmp_path, capsys):
    from experiments.study import main

    pytest.importorskip("submitit", reason="submitit is not installed")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(preflight, "find_gpus", lambda: ["0", "GPU-aa", "1", "GPU-bb"])
    monkeypatch.setattr(preflight.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit) as ended:
        main(settings)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert all(word in line for word in words), line
    assert not list(tmp_path.iterdir())


def test_a_taken_port_and_a_missing_submitit_are_told(monkeypatch):
    import socket

    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match=f"port={port} is taken"):
            check_plan(make_plan(["study=smoke", "processes=2", f"port={port}"]))
    monkeypatch.setattr(preflight.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'dcvae\[slurm\]'"):
        check_plan(make_plan(["study=smoke", "executor=submitit_local"]))


def test_a_folder_with_another_configuration_is_told(tmp_path):
    settings = ["study=smoke", f"runs_dir={tmp_path}"]
    row = make_plan(settings).rows[1]
    row.run_dir.mkdir(parents=True)
    record = {"status": "finished", "config": row.composed.config}
    (row.run_dir / "run.json").write_text(json.dumps(record))
    check_plan(make_plan(settings))
    with pytest.raises(ValueError, match=r"plain_ae.*trainer\.warmup_steps=1, not 3"):
        check_plan(make_plan([*settings, "trainer.warmup_steps=3"]))


def test_gpus_are_those_that_nvidia_smi_lists(monkeypatch, tmp_path):
    fake = tmp_path / "nvidia-smi"
    fake.write_text("#!/bin/sh\necho 'GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-1a2b)'\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert hardware.find_gpus() == ["0", "GPU-1a2b"]
    monkeypatch.setenv("PATH", "")
    assert hardware.find_gpus() == []
