"""Which runs make the study: all of a size, or those that a plan names."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.statistics.tables import summarise_study
from dcvae.runs import RunError
from reports.build import main
from reports.study.claims import looks_taken
from reports.study.collect import collect, grouped
from reports.study.study import Study

MakeRun = Callable[..., Path]


@pytest.fixture
def make_study(make_run: MakeRun, make_plan: MakeRun) -> Callable[..., Path]:
    """What plans a study of one seed and computes its statistics."""

    def make(root: Path, name: str, *ablations: str) -> Path:
        folder = make_plan(root, name, {ablation: [0] for ablation in ablations})
        assert summarise_study(folder) == []
        return folder

    return make


def test_a_study_has_the_runs_of_its_plan_alone(
    tmp_path: Path, make_run: MakeRun, make_study: Callable[..., Path]
) -> None:
    for ablation in ("baseline", "plain_ae", "no_dispersive"):
        make_run(tmp_path, ablation)
    make_study(tmp_path, "small", "baseline", "plain_ae")
    small = collect(tmp_path, name="small")
    assert (small.name, small.size, small.systems) == ("small", "tiny", ["baseline", "plain_ae"])
    assert small.missing == []
    everything = collect(tmp_path)
    assert (everything.name, len(everything.systems)) == ("", 3)


def test_without_statistics_of_the_size_the_only_study_is_read_and_several_are_named(
    planned_runs: Path, tmp_path: Path, make_study: Callable[..., Path]
) -> None:
    assert collect(planned_runs).name == "parts"
    root = tmp_path / "runs"
    shutil.copytree(planned_runs, root)
    make_study(root, "second", "baseline", "no_noise")
    with pytest.raises(RunError, match="choose with --study parts or second"):
        collect(root)
    assert collect(root, name="second").systems == ["baseline", "no_noise"]


def test_a_study_that_is_not_there_or_has_no_run_is_one_line(
    tmp_path: Path, make_run: MakeRun, make_plan: MakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(tmp_path, "baseline")
    (make_plan(tmp_path, "later", {"plain_ae": [0]}) / "study.json").rename(tmp_path / "plan")
    with pytest.raises(RunError, match="holds no study 'later': none is there"):
        collect(tmp_path, name="later")
    (tmp_path / "plan").rename(tmp_path / "studies" / "later" / "study.json")
    with pytest.raises(SystemExit) as stop:
        main([str(tmp_path), "--study", "latr", "--out", str(tmp_path / "out")])
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert stop.value.code == 2
    assert "holds no study 'latr': choose from later" in line
    with pytest.raises(RunError, match="study study=later"):
        collect(tmp_path, name="later")
    (tmp_path / "studies" / "later" / "study.json").write_text('{"runs": [3]}')
    with pytest.raises(RunError, match=r"study\.json is damaged"):
        collect(tmp_path, name="later")


def test_what_a_plan_still_lacks_and_what_recomputes_it_are_told(
    tmp_path: Path, make_run: MakeRun, make_study: Callable[..., Path]
) -> None:
    folder = make_run(tmp_path, "baseline")
    plan = make_study(tmp_path, "small", "baseline", "plain_ae")
    (note,) = collect(tmp_path, name="small").missing
    assert note.startswith("1 of the 2 runs of the study are not there yet (seed 0): `python -m")
    table = folder / "analysis" / "table.csv"
    table.write_text(table.read_text().replace("0.53", "0.54"))
    assert f"run `python -m analysis --study {plan}`" in collect(tmp_path, name="small").missing[1]


def test_phases_that_lack_runs_and_claims_that_were_changed_are_told(
    tmp_path: Path, make_run: MakeRun, make_plan: MakeRun
) -> None:
    for ablation in ("baseline", "plain_ae"):
        for seed in range(2):
            make_run(tmp_path, ablation, seed)
    path = make_plan(tmp_path, "s", {"baseline": range(4), "plain_ae": range(2)}) / "study.json"
    said = json.loads(path.read_text())
    for run in said["runs"]:
        run["phase"] = "A" if run["ablation"] == "baseline" else "B"
    path.write_text(json.dumps(said))
    summarise_study(path.parent)
    (note,) = collect(tmp_path, name="s").missing
    start = "2 of the 4 runs of phase A of the study are not there yet (seeds 2, 3): `python -m"
    assert note.startswith(start)
    record = tmp_path / "tiny" / "plain_ae" / "seed1" / "run.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"claims": []}))
    other = collect(tmp_path, name="s").missing[1]
    assert other.startswith("Runs of seed 1 were trained when their ablations claimed something")


def test_the_command_for_more_seeds_is_of_the_study(planned: Study) -> None:
    assert planned.more_seeds == (
        "train the seeds that are missing: `python -m experiments.study study=parts`"
    )
    one = replace(planned, runs=[run for run in planned.runs if run.seed == 0])
    assert one.more_seeds.endswith("study=parts seeds=[0,1,2]`")
    assert one.intervals == "95% intervals over clips, of these weights"
    mixed = replace(planned, runs=[*one.runs, *planned.of("baseline")[1:]])
    assert "(of one seed: over clips, of these weights)" in mixed.intervals
    unnamed = replace(mixed, name="")
    assert "study=paper size=tiny ablations=[baseline,no_adversary," in unnamed.more_seeds
    assert unnamed.more_seeds.endswith("seeds=[0,1,2]`")


def test_a_study_that_goes_on_tells_its_looks_and_what_waits_for_one(
    tmp_path: Path, make_run: MakeRun, make_plan: MakeRun
) -> None:
    for seed in range(3):
        for ablation in ("baseline", "plain_ae"):
            if (seed, ablation) != (2, "plain_ae"):
                make_run(tmp_path, ablation, seed)
    seeds = {"baseline": range(3), "plain_ae": range(3)}
    summarise_study(make_plan(tmp_path, "open", seeds, max_seeds=8))
    study = collect(tmp_path, name="open")
    assert "tiny/baseline/seed2 waits until all runs of its seed are scored." in study.missing
    assert looks_taken(study).endswith("with 2 seeds of at most 8, and the looks share the 5%.")
    assert looks_taken(collect(tmp_path)) == ""


def test_many_runs_that_are_left_out_are_told_by_seed() -> None:
    names = [f"tiny/{name}/seed{seed}" for name in ("baseline", "a+b", "c") for seed in (0, 1)]
    why = " are left out: their version of words is 1: run `x, y`"
    line = f"{', '.join(names[:5])}{why}"
    assert grouped(line) == f"5 runs (seed 0 of 3 systems, seed 1 of 2 systems){why}"
    assert grouped(f"{', '.join(names[:4])}{why}") == f"{', '.join(names[:4])}{why}"
    assert grouped("a, b, c, d, e") == "a, b, c, d, e"
