"""The statistics of a study of known numbers: what is written, and what is left out."""

import hashlib
import json
import math
import shutil
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
import pytest
from scipy import stats

from analysis.outputs.table import Row, make_table
from analysis.statistics.tables import LOCK, summarise_run, summarise_study
from dcvae.runs import STATISTICS_RECORD, STUDY_TABLES
from dcvae.utils.locks import folder_lock

NAN = math.nan


@pytest.fixture
def summarised(tmp_path, statistics):
    """The statistics of the study in the test's folder, of which nothing is left out."""

    def run():
        assert summarise_study(tmp_path / "tiny") == []
        return statistics(tmp_path / "tiny")

    return run


def test_values_and_differences_are_those_of_the_tables(tmp_path, tables, summarised):
    stoi = tables.stoi
    tables.write_run(tmp_path, "baseline", stoi(0.5))
    broken = [Row("clip0", "reconstruction", "stoi", NAN, "it is silent"), *stoi(0.6)[1:]]
    tables.write_run(tmp_path, "worse", broken)
    found = summarised()
    base, worse = (found.loc[name, "reconstruction", "stoi"] for name in ("baseline", "worse"))
    values = np.array([row.value for row in stoi(0.5)])
    others = np.array([row.value for row in stoi(0.6)])
    assert base["value"] == pytest.approx(values.mean())
    interval = tuple(stats.ttest_1samp(values, 0).confidence_interval())
    assert (base["low"], base["high"]) == pytest.approx(interval)
    assert math.isnan(base["difference"])
    assert (worse["n_scored"], worse["n_failed"], worse["n_paired"]) == (23, 1, 23)
    assert worse["reason"] == "it is silent"
    assert worse["value"] == pytest.approx(others[1:].mean())
    assert worse["difference"] == pytest.approx((others - values)[1:].mean())
    interval = tuple(stats.ttest_rel(others[1:], values[1:]).confidence_interval())
    assert (worse["difference_low"], worse["difference_high"]) == pytest.approx(interval)
    assert worse["seeds_paired"] == 1
    assert math.isnan(worse["p"])  # one seed tests nothing
    assert list(found.index.get_level_values(0)) == ["baseline", "worse"]


def test_rates_are_of_all_words(tmp_path, tables, summarised):
    def words(errors):
        counts = zip("abc", errors, (10, 20, 30), strict=True)
        return [
            Row(clip, "reconstruction", f"dwer_{part}", count)
            for clip, error, total in counts
            for part, count in (("errors", error), ("total", total))
        ]

    tables.write_run(tmp_path, "baseline", words([1, 0, 5]))
    tables.write_run(tmp_path, "x", words([4, 2, 12]))
    found = summarised()
    assert found.loc["baseline", "reconstruction", "dwer"]["value"] == pytest.approx(6 / 60)
    assert found.loc["x", "reconstruction", "dwer"]["difference"] == pytest.approx(12 / 60)
    assert ("x", "reconstruction", "dwer_errors") not in found.index


@pytest.mark.filterwarnings("error")
def test_a_rate_of_no_words_is_unknown(tmp_path, tables, summarised, verdicts):
    rows = [Row(clip, "ceiling", "wer_errors", 1) for clip in "abc"]
    rows += [Row(clip, "ceiling", "wer_total", 0) for clip in "abc"]
    tables.write_run(tmp_path, "baseline", rows)
    tables.write_run(tmp_path, "x", rows, claims=[tables.claim("ceiling/wer")])
    found = summarised().loc["x", "ceiling", "wer"]
    assert all(math.isnan(found[name]) for name in ("value", "low", "difference", "p"))
    assert verdicts(tmp_path / "tiny")["verdict"][0] == "not measured"


def test_a_seed_without_any_value_is_counted_and_takes_no_part(tmp_path, tables, summarised):
    failed = [Row(clip, "reconstruction", "stoi", NAN, "diverged") for clip in tables.clips]
    tables.write_run(tmp_path, "baseline", tables.stoi(0.5))
    tables.write_run(tmp_path, "x", tables.stoi(0.6), 0)
    tables.write_run(tmp_path, "x", failed, 1)
    found = summarised().loc["x", "reconstruction", "stoi"]
    assert (found["seeds"], found["n_scored"], found["n_failed"]) == (1, 24, 24)
    assert (found["n_paired"], found["reason"]) == (24, "diverged")


def test_runs_on_different_clips_are_paired_on_what_both_have(tmp_path, tables, summarised):
    clips = tables.clips
    tables.write_run(tmp_path, "baseline", tables.stoi(0.5, clips[:10]))
    tables.write_run(tmp_path, "x", tables.stoi(0.5, clips[5:], wobble=0))
    tables.write_run(tmp_path, "apart", tables.stoi(0.5, clips[20:]))
    found = summarised()
    assert found.loc["x", "reconstruction", "stoi"]["n_paired"] == 5
    apart = found.loc["apart", "reconstruction", "stoi"]
    assert apart["n_paired"] == 0
    assert math.isnan(apart["difference"])
    assert math.isfinite(apart["low"])


def test_a_number_of_the_whole_set_has_an_interval_from_several_seeds_alone(
    tmp_path, tables, summarised
):
    ranks, others = (9.0, 10.0, 12.0), (5.0, 6.5, 7.0)
    for seed in range(3):
        for name, values in (("baseline", ranks), ("x", others)):
            row = Row("", "latents", "effective_rank", values[seed])
            tables.write_run(tmp_path, name, [row], seed)
    tables.write_run(tmp_path, "lone", [Row("", "latents", "effective_rank", 5.0)], 0)
    found = summarised()
    base, x, lone = (
        found.loc[name, "latents", "effective_rank"] for name in ("baseline", "x", "lone")
    )
    interval = tuple(stats.ttest_1samp(ranks, 0).confidence_interval())
    assert (base["low"], base["high"]) == pytest.approx(interval)
    assert x["p"] == pytest.approx(stats.ttest_rel(others, ranks).pvalue, rel=1e-6)
    assert (lone["value"], lone["seeds_paired"]) == (5.0, 1)
    assert math.isnan(lone["low"])
    assert lone["difference"] == pytest.approx(5 - 9)  # the baseline's seed 0 alone


def test_clips_of_one_speaker_count_as_a_cluster(tmp_path, tables, summarised):
    folder = tables.write_run(tmp_path, "baseline", tables.stoi(0.5))
    names = ["a", "b", "c", "d"]
    lines = [f"{clip},{names[n % 4]}" for n, clip in enumerate(tables.clips)]
    (folder / "analysis" / "clips.csv").write_text("\n".join(["clip,speaker", *lines]) + "\n")
    found = summarised().loc["baseline", "reconstruction", "stoi"]
    values = np.array([row.value for row in tables.stoi(0.5)]).reshape(-1, 4).mean(0)
    interval = tuple(stats.ttest_1samp(values, 0).confidence_interval())
    assert (found["low"], found["high"]) == pytest.approx(interval)


def test_another_training_budget_is_compared_with_its_own_baseline(tmp_path, tables, statistics):
    runs = []
    for budget, level in ((None, 0.5), (350, 0.3)):
        for ablation, gain in (("baseline", 0.0), ("x", 0.1)):
            rows = tables.stoi(level + gain, wobble=0)
            folder = tables.write_run(tmp_path, ablation, rows, budget=budget)
            place = folder.relative_to(tmp_path).as_posix()
            planned = {"ablation": ablation, "parts": [ablation], "seed": 0, "budget": budget}
            runs.append({**planned, "folder": place})
    study = tmp_path / "studies" / "budgets"
    study.mkdir(parents=True)
    plan = {"name": "budgets", "claims": [], "family": [], "factors": [], "runs": runs}
    (study / "study.json").write_text(json.dumps(plan))
    assert summarise_study(study) == []
    found = statistics(study)
    assert list(dict.fromkeys(found.index.get_level_values(0))) == [
        "baseline", "x", "baseline@350", "x@350",
    ]  # fmt: skip
    for name in ("x", "x@350"):
        assert found.loc[name, "reconstruction", "stoi"]["difference"] == pytest.approx(0.1)


def test_the_same_tables_give_the_same_files_and_the_record_names_them(tmp_path, tables):
    folder = tables.write_run(tmp_path, "baseline", tables.stoi(0.5))
    tables.write_run(tmp_path, "x", tables.stoi(0.6), claims=[tables.claim()])
    summarise_study(tmp_path / "tiny")
    names = (*STUDY_TABLES, STATISTICS_RECORD)
    first = [(tmp_path / "tiny" / name).read_bytes() for name in names]
    summarise_study(tmp_path / "tiny")
    assert first == [(tmp_path / "tiny" / name).read_bytes() for name in names]
    record = json.loads(first[-1])
    table = (folder / "analysis" / "table.csv").read_bytes()
    assert record["tables"]["tiny/baseline/seed0"] == hashlib.sha256(table).hexdigest()
    assert record["files"]["claims.csv"] == hashlib.sha256(first[1]).hexdigest()
    assert record["open"] == ["x:reconstruction/stoi"]
    assert record["verdicts"] == {"one seed": 1}
    left = {path.name for path in (tmp_path / "tiny").iterdir()}
    assert left == {"baseline", "x", *names, LOCK}


def test_what_cannot_be_read_is_left_out_and_named(tmp_path, tables):
    tables.write_run(tmp_path, "baseline", tables.stoi(0.5))
    old = tables.write_run(tmp_path, "old", None) / "analysis"
    old.mkdir()
    (old / "table.csv").write_text("run,ablation,seed,clip,condition,metric,value\n")
    damaged = tables.write_run(tmp_path, "damaged", None)
    (damaged / "run.json").write_text("{")
    copied = tables.write_run(tmp_path, "copied", tables.stoi(0.5), seed=1)
    copied.rename(copied.with_name("seed1_backup"))
    left_out = summarise_study(tmp_path / "tiny")
    assert [line.partition(" is left out: ")[0] for line in left_out] == [
        str(copied.with_name("seed1_backup")), str(damaged), str(old.parent),
    ]  # fmt: skip
    assert "would count as another seed" in left_out[0]
    assert "is no analysis table" in left_out[2]
    assert json.loads((tmp_path / "tiny" / "statistics.json").read_text())["left_out"] == left_out


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"versions": {"quality": 2}, "manifest": "m"}, "its version of quality is 2, that of the"),
        ({"versions": {"quality": 3}, "manifest": "n"}, "its manifest is n, that of the others m"),
        ({"checkpoint": "best"}, "its checkpoint is best, that of the others last"),
        (
            {"evaluators": {"interface": {"settings": {"budget": "paper"}}}},
            "its budget of interface is paper, that of the others quick",
        ),
        (
            {"evaluators": {"interface": {"settings": {"network": {"width": 8}}}}},
            'its network of interface is {"width": 8}, that of the others {"width": 4}',
        ),
    ],
)
def test_tables_that_were_measured_otherwise_are_not_compared(
    tmp_path, tables, other, words, statistics
):
    settings = {"budget": "quick", "network": {"width": 4}}
    usual = {"versions": {"quality": 3, "pitch": 1}, "manifest": "m", "checkpoint": "last"}
    usual |= {"evaluators": {"interface": {"settings": settings}}}
    tables.write_run(tmp_path, "baseline", tables.stoi(0.5), analysis=usual)
    tables.write_run(tmp_path, "x", tables.stoi(0.5), analysis=usual)
    folder = tables.write_run(tmp_path, "unlike", tables.stoi(0.5), analysis=other)
    (line,) = summarise_study(tmp_path / "tiny")
    assert line.startswith(f"tiny/unlike/seed0 is left out: {words}")
    assert f"python -m analysis {folder}" in line
    assert set(statistics(tmp_path / "tiny").index.get_level_values(0)) == {"baseline", "x"}


def test_of_as_many_old_tables_as_new_ones_the_new_ones_count(tmp_path, tables, statistics):
    for ablation in ("baseline", "x"):
        for seed, version in enumerate(("9 (lib 2.0)", "10 (lib 2.0)", "9 (lib 2.0)")):
            analysis = {"versions": {"quality": version}}
            level = 0.5 + 0.1 * seed
            tables.write_run(tmp_path, ablation, tables.stoi(level), seed, analysis=analysis)
    (line,) = summarise_study(tmp_path / "tiny")  # four of version 9, two of version 10
    assert line.startswith("tiny/baseline/seed1, tiny/x/seed1 are left out: their version of")
    for ablation in ("baseline", "x"):
        shutil.rmtree(tmp_path / "tiny" / ablation / "seed2")
    (line,) = summarise_study(tmp_path / "tiny")
    assert line.startswith("tiny/baseline/seed0, tiny/x/seed0 are left out: their version of")
    assert set(statistics(tmp_path / "tiny")["seeds"]) == {1}


def test_a_folder_that_is_no_study_gets_no_statistics(tmp_path):
    (line,) = summarise_study(tmp_path)
    assert "holds no analysed run" in line
    assert list(tmp_path.iterdir()) == []


def test_the_summary_of_one_run_has_intervals_and_counts(tables):
    rows = [*tables.stoi(0.5), Row("odd", "reconstruction", "stoi", NAN, "it is silent")]
    rows += [Row("", "latents", "effective_rank", 7.0), Row("", "latents", "sec", NAN, "too few")]
    summary = summarise_run(make_table("r", "x", 0, rows), {}).set_index(["condition", "metric"])
    assert list(summary) == ["mean", "low", "high", "n_scored", "n_failed", "reason"]
    one = summary.loc["reconstruction", "stoi"]
    assert one["mean"] == pytest.approx(np.mean([row.value for row in tables.stoi(0.5)]))
    assert one["low"] < one["mean"] < one["high"]
    assert (one["n_scored"], one["n_failed"], one["reason"]) == (24, 1, "it is silent")
    rank = summary.loc["latents", "effective_rank"]
    assert rank["mean"] == 7.0
    assert math.isnan(rank["low"])
    assert math.isnan(summary.loc["latents", "sec"]["mean"])


def test_clips_of_one_speaker_are_a_cluster(tables):
    """Of two speakers the interval is that of a t-test with the two means."""
    levels = {clip: 0.4 + 0.2 * (number % 2) for number, clip in enumerate(tables.clips)}
    rows = [Row(clip, "reconstruction", "stoi", level) for clip, level in levels.items()]
    table = make_table("r", "x", 0, rows)
    speakers = {clip: f"speaker {number % 2}" for number, clip in enumerate(tables.clips)}
    (alone,) = summarise_run(table, {}).itertuples()
    (clustered,) = summarise_run(table, speakers).itertuples()
    of_means = stats.t.interval(0.95, 1, loc=0.5, scale=stats.sem([0.4, 0.6]))
    assert (clustered.low, clustered.high) == pytest.approx(of_means)
    assert clustered.high - clustered.low > 10 * (alone.high - alone.low)


def test_another_process_that_writes_the_same_statistics_is_waited_for(tmp_path, tables):
    tables.write_run(tmp_path, "baseline", tables.stoi(0.5))
    written = tmp_path / "tiny" / "statistics.json"
    with ThreadPoolExecutor(1) as threads:
        with folder_lock(tmp_path / "tiny", name=LOCK):
            work = threads.submit(summarise_study, tmp_path / "tiny")
            assert not wait([work], timeout=0.5).done
            assert not written.exists()
        assert work.result(timeout=60) == []
    assert written.exists()


def test_the_record_of_an_older_version_is_replaced(tmp_path, tables, summarised):
    """It knew no looks."""
    tables.write_run(tmp_path, "baseline", tables.stoi(0.5))
    (tmp_path / "tiny" / "statistics.json").write_text('{"version": 1, "draws": 10000}')
    assert len(summarised()) == 1
    assert json.loads((tmp_path / "tiny" / "statistics.json").read_text())["version"] == 2
