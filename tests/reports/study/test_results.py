"""The analysis' statistics as the report reads them: whole and of the tables that are there."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from analysis.statistics.tables import summarise_study
from dcvae.runs import STATISTICS_RECORD, STUDY_TABLES, RunError
from dcvae.utils.files import files_sha256
from reports.study.collect import collect
from reports.study.results import NOTHING, Estimate
from reports.study.study import Study

MakeRun = Callable[..., Path]


def test_an_estimate_is_the_row_of_the_table(runs: Path, planned: Study) -> None:
    found = collect(runs).results
    one = found.estimate("baseline", "reconstruction", "mel_l1")
    assert one.mean == pytest.approx(0.53)
    assert one.low < one.mean < one.high
    assert (one.n_scored, one.n_failed, one.reason) == (7, 1, "the clip is broken")
    difference = found.difference("plain_ae", "reconstruction", "mel_l1")
    assert difference.mean == pytest.approx(-0.05)
    assert difference.n_scored == 7
    assert difference.has_interval
    assert not difference.clear  # one seed tests nothing
    repeated = planned.results.difference("plain_ae", "latent_noise_1.0", "mel_l1")
    assert repeated.p < 0.001
    assert repeated.clear
    assert not planned.results.difference("no_adversary", "reconstruction", "mel_l1").clear
    assert not found.difference("baseline", "reconstruction", "mel_l1").known
    assert found.estimate("baseline", "reconstruction", "visqol") is NOTHING
    (dwer,) = found.select("dwer", "reconstruction|original", ["baseline"]).to_dict("records")
    assert dwer["mean"] == found.estimate("baseline", "reconstruction", "dwer").mean
    rank = found.estimate("baseline", "latents", "effective_rank")
    assert rank.known
    assert not rank.has_interval


def test_another_unit_changes_values_and_no_counts() -> None:
    one = Estimate(0.5, 0.25, 0.75, 20, 1, "odd").scaled(100)
    assert one == Estimate(50.0, 25.0, 75.0, 20, 1, "odd")


@pytest.mark.parametrize("name", [*STUDY_TABLES, STATISTICS_RECORD])
def test_missing_or_half_written_statistics_name_the_command(
    tmp_path: Path, make_run: MakeRun, name: str
) -> None:
    folder = make_run(tmp_path, "baseline")
    path = tmp_path / "tiny" / name
    content = path.read_text()
    if path.suffix == ".csv":
        path.write_text(content + "x")
        with pytest.raises(RunError, match="is not what was computed: run `python -m analysis"):
            collect(tmp_path)
    path.unlink()
    with pytest.raises(RunError, match=f"{name} is missing: run `python -m analysis {folder}`"):
        collect(tmp_path)


def test_numbers_of_an_older_table_are_told(tmp_path: Path, make_run: MakeRun) -> None:
    folder = make_run(tmp_path, "baseline")
    make_run(tmp_path, "plain_ae")
    assert not collect(tmp_path).missing
    table = folder / "analysis" / "table.csv"
    table.write_text(table.read_text().replace("0.53", "0.54"))
    (note,) = collect(tmp_path).missing
    assert "older table of tiny/baseline/seed0" in note
    assert f"python -m analysis {folder}" in note
    summarise_study(tmp_path / "tiny")
    assert not collect(tmp_path).missing


def test_a_run_that_came_or_went_since_is_told(tmp_path: Path, make_run: MakeRun) -> None:
    make_run(tmp_path, "baseline")
    gone = make_run(tmp_path, "plain_ae")
    names = (*STUDY_TABLES, STATISTICS_RECORD)
    kept = {name: (tmp_path / "tiny" / name).read_text() for name in names}
    make_run(tmp_path, "no_dispersive")
    for name, text in kept.items():
        (tmp_path / "tiny" / name).write_text(text)
    study = collect(tmp_path)
    assert study.systems == ["baseline", "plain_ae"]
    assert "tiny/no_dispersive/seed0 is not in the statistics" in study.missing[0]
    (gone / "run.json").unlink()
    assert "no longer there (tiny/plain_ae/seed0)" in collect(tmp_path).missing[-1]


def test_what_the_statistics_left_out_is_told(tmp_path: Path, make_run: MakeRun) -> None:
    make_run(tmp_path, "baseline")
    old = make_run(tmp_path, "plain_ae")
    (old / "analysis" / "table.csv").write_text("run,clip,value\n")
    summarise_study(tmp_path / "tiny")
    notes = " ".join(collect(tmp_path).missing)
    assert "is left out" in notes
    assert "is no analysis table" in notes


def test_a_table_of_other_columns_is_refused(tmp_path: Path, make_run: MakeRun) -> None:
    make_run(tmp_path, "baseline")
    path = tmp_path / "tiny" / "statistics.csv"
    path.write_text("system,condition,metric,value\n")
    record = tmp_path / "tiny" / "statistics.json"
    import hashlib

    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    written = json.loads(record.read_text())
    written["files"]["statistics.csv"] = digest
    record.write_text(json.dumps(written))
    with pytest.raises(RunError, match="has no column difference"):
        collect(tmp_path)


def rewritten(root: Path, name: str, change: Callable[[pd.DataFrame], object]) -> Path:
    """A table of a study's statistics with another content, as if it had been computed so."""
    path, record = root / "tiny" / name, root / "tiny" / "statistics.json"
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    change(table)
    table.to_csv(path, index=False)
    said = json.loads(record.read_text())
    said["files"][name] = files_sha256(path)
    record.write_text(json.dumps(said))
    return path


@pytest.mark.parametrize(
    ("name", "column", "value", "why"),
    [
        ("claims.csv", "verdict", "maybe", "unknown verdict 'maybe'"),
        ("claims.csv", "clips", "inf", "column clips is not finite"),
        ("statistics.csv", "n_scored", "inf", "column n_scored is not finite"),
        ("statistics.csv", "n_paired", "nan", "column n_paired is not finite"),
        ("statistics.csv", "value", "much", "could not convert string to float: 'much'"),
    ],
)
def test_statistics_of_impossible_values_are_one_line_that_names_the_file(
    tmp_path: Path, make_run: MakeRun, name: str, column: str, value: str, why: str
) -> None:
    for ablation in ("baseline", "plain_ae"):
        make_run(tmp_path, ablation)

    def change(table: pd.DataFrame) -> None:
        table.loc[0, column] = value

    path = rewritten(tmp_path, name, change)
    with pytest.raises(RunError, match=re.escape(why)) as stop:
        collect(tmp_path)
    assert str(stop.value).startswith(f"{path} is damaged: ")


@pytest.mark.parametrize("line", ['{"train/reconstruction": 1.0}', '{"step": "ten"}', "3"])
def test_a_row_of_the_metrics_without_a_step_names_the_file(
    tmp_path: Path, make_run: MakeRun, line: str
) -> None:
    path = make_run(tmp_path, "baseline") / "metrics.jsonl"
    path.write_text(path.read_text() + f"\n{line}\n")
    with pytest.raises(RunError) as stop:
        _ = collect(tmp_path).curves
    assert str(stop.value) == f"{path} is damaged: its row 20 has no step"
