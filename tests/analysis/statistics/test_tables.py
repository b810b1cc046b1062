"""The statistics of a study of known numbers: what is written, and what is left out."""

import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.statistics import summarise_run, summarise_study
from analysis.table import Row, make_table, write_table

NAN = math.nan
CLIPS = [f"clip{number}" for number in range(24)]
NOISE = dict(zip(CLIPS, np.random.default_rng(0).normal(0, 0.1, len(CLIPS)), strict=True))


def stoi(level: float = 0.5, clips=CLIPS, wobble: float = 0.01) -> list[Row]:
    """Every clip at its own difficulty, which all systems share, and a little of the system's."""
    drawn = np.random.default_rng(int(1000 * level)).normal(0, wobble, len(clips))
    values = [level + NOISE[clip] + extra for clip, extra in zip(clips, drawn, strict=True)]
    return [Row(c, "reconstruction", "stoi", v) for c, v in zip(clips, values, strict=True)]


def write_run(root: Path, ablation: str, rows, seed: int = 0, claim: str = "", **more) -> Path:
    """A run in `root`/tiny with a table of these rows; without a table where they are None."""
    folder = root / "tiny" / ablation / f"seed{seed}"
    folder.mkdir(parents=True)
    metric, _, direction = claim.partition(" ")
    described = {
        "ablation": ablation,
        "size": "tiny",
        "seed": seed,
        "status": "finished",
        "claim": {"text": "So it is.", "metric": metric, "direction": direction} if claim else None,
    }
    (folder / "run.json").write_text(json.dumps({**described, **more}))
    if rows is not None:
        table = make_table(f"tiny/{ablation}/seed{seed}", ablation, seed, rows)
        write_table(folder / "analysis" / "table.csv", table)
    return folder


def summarised(root: Path) -> pd.DataFrame:
    """statistics.csv by ablation, condition and metric."""
    assert summarise_study(root / "tiny") == []
    table = pd.read_csv(root / "tiny" / "statistics.csv", keep_default_na=False, na_values=["nan"])
    return table.set_index(["ablation", "condition", "metric"])


def verdicts(root: Path) -> pd.DataFrame:
    return pd.read_csv(root / "tiny" / "claims.csv", keep_default_na=False, na_values=["nan"])


def test_values_and_differences_are_those_of_the_tables(tmp_path):
    write_run(tmp_path, "baseline", stoi(0.5))
    broken = [Row("clip0", "reconstruction", "stoi", NAN, "it is silent"), *stoi(0.6)[1:]]
    write_run(tmp_path, "worse", broken)
    found = summarised(tmp_path)
    base, worse = (found.loc[name, "reconstruction", "stoi"] for name in ("baseline", "worse"))
    values = np.array([row.value for row in stoi(0.5)])
    others = np.array([row.value for row in stoi(0.6)])
    assert base["value"] == pytest.approx(values.mean())
    assert base["low"] < base["value"] < base["high"]
    assert math.isnan(base["difference"])
    assert (worse["n_scored"], worse["n_failed"], worse["n_paired"]) == (23, 1, 23)
    assert worse["reason"] == "it is silent"
    assert worse["value"] == pytest.approx(others[1:].mean())
    assert worse["difference"] == pytest.approx((others - values)[1:].mean())
    assert worse["difference_low"] < worse["difference"] < worse["difference_high"]
    spread = (others - values)[1:].std(ddof=1)
    assert worse["effect"] == pytest.approx(worse["difference"] / spread)
    assert worse["p"] < 0.001
    assert list(found.index.get_level_values(0)) == ["baseline", "worse"]


def test_rates_are_of_all_words(tmp_path):
    def words(errors):
        counts = zip("abc", errors, (10, 20, 30), strict=True)
        return [
            Row(clip, "reconstruction", f"dwer_{part}", count)
            for clip, error, total in counts
            for part, count in (("errors", error), ("total", total))
        ]

    write_run(tmp_path, "baseline", words([1, 0, 5]))
    write_run(tmp_path, "x", words([4, 2, 12]))
    found = summarised(tmp_path)
    assert found.loc["baseline", "reconstruction", "dwer"]["value"] == pytest.approx(6 / 60)
    assert found.loc["x", "reconstruction", "dwer"]["difference"] == pytest.approx(12 / 60)
    assert ("x", "reconstruction", "dwer_errors") not in found.index


@pytest.mark.filterwarnings("error")
def test_a_rate_of_no_words_is_unknown(tmp_path):
    rows = [Row(clip, "ceiling", "wer_errors", 1) for clip in "abc"]
    rows += [Row(clip, "ceiling", "wer_total", 0) for clip in "abc"]
    write_run(tmp_path, "baseline", rows)
    write_run(tmp_path, "x", rows, claim="ceiling/wer up")
    found = summarised(tmp_path).loc["x", "ceiling", "wer"]
    assert all(math.isnan(found[name]) for name in ("value", "low", "difference", "p"))
    assert verdicts(tmp_path)["verdict"][0] == "not measured"


def test_a_study_gives_its_verdicts(tmp_path):
    write_run(tmp_path, "baseline", stoi(0.5))
    write_run(tmp_path, "lower", stoi(0.4), claim="stoi down")
    write_run(tmp_path, "higher", stoi(0.6), claim="reconstruction/stoi down")
    write_run(tmp_path, "same", stoi(0.501, wobble=0.1), claim="stoi up")
    write_run(tmp_path, "untold", stoi(0.5), claim="latents/speaker_probe up")
    write_run(tmp_path, "unscored", None, claim="stoi up")
    summarise_study(tmp_path / "tiny")
    found = verdicts(tmp_path).set_index("ablation")
    assert dict(found["verdict"]) == {
        "lower": "supported",
        "higher": "contradicted",
        "same": "undecided",
        "untold": "not measured",
        "unscored": "not measured",
    }
    assert found.loc["lower", "p_holm"] == pytest.approx(3 * found.loc["lower", "p"])
    assert found.loc["lower", "difference"] == pytest.approx(
        found.loc["lower", "value"] - found.loc["lower", "baseline"]
    )
    assert (
        f"python -m analysis {tmp_path / 'tiny/unscored/seed0'}" in found.loc["unscored", "reason"]
    )


def test_seeds_that_differ_widen_what_one_seed_makes_narrow(tmp_path):
    for seed, level in enumerate((0.45, 0.50, 0.55)):
        write_run(tmp_path, "baseline", stoi(level), seed)
        write_run(tmp_path, "x", stoi(level + 0.02), seed, claim="stoi up")
    several = summarised(tmp_path).loc["x", "reconstruction", "stoi"]
    assert several["seeds"] == 3
    assert several["n_scored"] == 3 * len(CLIPS)
    assert several["n_paired"] == len(CLIPS)
    assert verdicts(tmp_path)["verdict"][0] == "undecided"
    for seed in (0, 2):
        for ablation in ("baseline", "x"):
            (tmp_path / f"tiny/{ablation}/seed{seed}/run.json").unlink()
    one = summarised(tmp_path).loc["x", "reconstruction", "stoi"]
    assert one["seeds"] == 1
    assert several["difference"] == pytest.approx(one["difference"], abs=0.01)
    width = several["difference_high"] - several["difference_low"]
    assert width > 3 * (one["difference_high"] - one["difference_low"])
    assert verdicts(tmp_path)["verdict"][0] == "supported"


def test_a_seed_without_any_value_is_counted_and_takes_no_part(tmp_path):
    failed = [Row(clip, "reconstruction", "stoi", NAN, "diverged") for clip in CLIPS]
    write_run(tmp_path, "baseline", stoi())
    write_run(tmp_path, "x", stoi(0.6), 0)
    write_run(tmp_path, "x", failed, 1)
    found = summarised(tmp_path).loc["x", "reconstruction", "stoi"]
    assert (found["seeds"], found["n_scored"], found["n_failed"]) == (1, 24, 24)
    assert (found["n_paired"], found["reason"]) == (24, "diverged")


def test_runs_on_different_clips_are_paired_on_what_both_have(tmp_path):
    write_run(tmp_path, "baseline", stoi(0.5, CLIPS[:10]))
    write_run(tmp_path, "x", stoi(0.5, CLIPS[5:], wobble=0))
    write_run(tmp_path, "apart", stoi(0.5, CLIPS[20:]))
    found = summarised(tmp_path)
    assert found.loc["x", "reconstruction", "stoi"]["n_paired"] == 5
    apart = found.loc["apart", "reconstruction", "stoi"]
    assert apart["n_paired"] == 0
    assert math.isnan(apart["difference"])
    assert math.isfinite(apart["low"])


def test_a_number_of_the_whole_set_has_an_interval_from_several_seeds_alone(tmp_path):
    for seed, rank in enumerate((9.0, 10.0, 12.0)):
        write_run(tmp_path, "baseline", [Row("", "latents", "effective_rank", rank)], seed)
    write_run(tmp_path, "x", [Row("", "latents", "effective_rank", 5.0)], 0)
    found = summarised(tmp_path)
    base, x = (found.loc[name, "latents", "effective_rank"] for name in ("baseline", "x"))
    assert base["value"] == pytest.approx(31 / 3)
    assert (base["low"], base["high"]) == (9.0, 12.0)
    assert x["value"] == 5.0
    assert math.isnan(x["low"])
    assert x["difference"] == pytest.approx(5 - 31 / 3)
    assert x["p"] == pytest.approx(2 / 9)


def test_without_a_baseline_values_stand_alone(tmp_path):
    write_run(tmp_path, "x", stoi(), claim="stoi up")
    found = summarised(tmp_path).loc["x", "reconstruction", "stoi"]
    assert math.isfinite(found["low"])
    assert math.isnan(found["difference"])
    assert verdicts(tmp_path)["reason"][0] == "no run of baseline is there"


def test_the_same_tables_give_the_same_files_and_the_record_names_them(tmp_path):
    folder = write_run(tmp_path, "baseline", stoi())
    write_run(tmp_path, "x", stoi(0.6), claim="stoi up")
    summarise_study(tmp_path / "tiny")
    names = ("statistics.csv", "claims.csv", "statistics.json")
    first = [(tmp_path / "tiny" / name).read_bytes() for name in names]
    summarise_study(tmp_path / "tiny")
    assert first == [(tmp_path / "tiny" / name).read_bytes() for name in names]
    record = json.loads(first[2])
    table = (folder / "analysis" / "table.csv").read_bytes()
    assert record["tables"]["tiny/baseline/seed0"] == hashlib.sha256(table).hexdigest()
    assert record["files"]["claims.csv"] == hashlib.sha256(first[1]).hexdigest()
    assert record["draws"] == 10_000
    assert {path.name for path in (tmp_path / "tiny").iterdir()} == {"baseline", "x", *names}


def test_what_cannot_be_read_is_left_out_and_named(tmp_path):
    write_run(tmp_path, "baseline", stoi())
    old = write_run(tmp_path, "old", None) / "analysis"
    old.mkdir()
    (old / "table.csv").write_text("run,ablation,seed,clip,condition,metric,value\n")
    damaged = write_run(tmp_path, "damaged", None)
    (damaged / "run.json").write_text("{")
    copied = write_run(tmp_path, "copied", stoi(), seed=1)
    copied.rename(copied.with_name("seed1_backup"))
    left_out = summarise_study(tmp_path / "tiny")
    assert [line.partition(" is left out: ")[0] for line in left_out] == [
        str(copied.with_name("seed1_backup")), str(damaged), str(old.parent),
    ]  # fmt: skip
    assert "would count as another seed" in left_out[0]
    assert "is no analysis table" in left_out[2]
    assert json.loads((tmp_path / "tiny" / "statistics.json").read_text())["left_out"] == left_out


def test_a_folder_that_is_no_study_gets_no_statistics(tmp_path):
    (line,) = summarise_study(tmp_path)
    assert "holds no analysed run" in line
    assert list(tmp_path.iterdir()) == []


def test_the_summary_of_one_run_has_intervals_and_counts():
    rows = [*stoi(), Row("odd", "reconstruction", "stoi", NAN, "it is silent")]
    rows += [Row("", "latents", "effective_rank", 7.0), Row("", "latents", "sec", NAN, "too few")]
    summary = summarise_run(make_table("r", "x", 0, rows)).set_index(["condition", "metric"])
    assert list(summary) == ["mean", "low", "high", "n_scored", "n_failed", "reason"]
    one = summary.loc["reconstruction", "stoi"]
    assert one["mean"] == pytest.approx(np.mean([row.value for row in stoi()]))
    assert one["low"] < one["mean"] < one["high"]
    assert (one["n_scored"], one["n_failed"], one["reason"]) == (24, 1, "it is silent")
    rank = summary.loc["latents", "effective_rank"]
    assert rank["mean"] == 7.0
    assert math.isnan(rank["low"])
    assert math.isnan(summary.loc["latents", "sec"]["mean"])
