"""What a measure can see: against known variances, and by hand for two seeds."""

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from analysis.outputs.table import Row
from analysis.power import main
from analysis.statistics.differences import Part, estimate
from analysis.statistics.sensitivity import find_sensitivities, pool
from analysis.statistics.study_runs import read_study

MARGIN = 0.2


@pytest.mark.parametrize(("clips", "planned"), [(40, 100), (100, 100), (250, 250)])
def test_the_pooled_variances_are_those_that_made_the_differences(clips: int, planned: int):
    """400 systems of 3 seeds. A variance of n degrees of freedom is known to sqrt(2 / n)."""
    rng, shape = np.random.default_rng(0), (400, 3, clips)
    seeds, own, residual = 0.02, 0.1, 0.05
    differences = rng.normal(0, seeds, (400, 3, 1)) + rng.normal(0, own, (400, 1, clips))
    differences += rng.normal(0, residual, shape)
    found = pool([estimate(one, np.arange(clips)) for one in differences])
    by_seed = (seeds**2 + residual**2 / clips) / 5
    assert found.seeds.variance == pytest.approx(by_seed, rel=3 * math.sqrt(2 / 800))
    assert found.clips.variance == pytest.approx(own**2 / planned, rel=3 * math.sqrt(2 / 400 / 39))
    assert (found.n_seeds, found.n_clips, found.seeds.df) == (5, planned, 4)
    assert found.clips.df == pytest.approx(planned - 1)


def by_hand(tables, root: Path, differences: dict[str, list[list[float]]]) -> None:
    """Runs whose differences to the baseline are these, by seed and clip."""
    clips, baseline = ["a", "b", "c", "d"], [0.1, 0.5, 0.2, 0.4]
    claims = [tables.claim(margin=MARGIN), tables.claim("latents/rank", margin="5%")]
    for name, by_seed in {"baseline": [[0.0] * 4] * 2, **differences}.items():
        for seed, values in enumerate(by_seed):
            rows = [Row("", "latents", "rank", 8.0 + seed * values[0] / 0.1)]
            for clip, level, value in zip(clips, baseline, values, strict=True):
                rows.append(Row(clip, "reconstruction", "stoi", level + seed / 10 + value))
                rows.append(Row(clip, "reconstruction", "pesq_wb", level + value))
                rows.append(Row(clip, "ceiling", "stoi", level))
            mine = claims if name == "one" else []
            tables.write_run(root, name, rows, seed, claims=mine)


def test_two_seeds_by_hand(tables, tmp_path: Path):
    """The means of `one` by seed are .1 and .3, of variance .02; those of `other` alike, of 0.

    Their mean is .01 a seed. Clips differ in `other` alone, by -.1, .1, -.1, .1: their variance
    of .04 / 3 is halved too.
    """
    by_hand(tables, tmp_path, {"one": [[0.1] * 4, [0.3] * 4], "other": [[0.1, 0.3] * 2] * 2})
    study = read_study(tmp_path / "tiny")
    stoi, rank = find_sensitivities(study)
    assert (stoi.cell, stoi.margin, stoi.systems) == (("reconstruction", "stoi"), MARGIN, 2)
    assert stoi.sd_seeds == pytest.approx(0.1)
    assert stoi.sd_baseline == pytest.approx(0.1 / math.sqrt(2))  # its seeds are .1 apart
    assert stoi.sd_clips == pytest.approx(math.sqrt(0.02 / 3))
    parts = 0.01 / 5, 0.02 / 3 / 100
    width = sum(stats.t.ppf(0.975, df) ** 2 * part for df, part in zip((4, 99), parts, strict=True))
    assert stoi.half_width == pytest.approx(math.sqrt(width))
    assert stoi.is_seen
    assert stoi.seeds_needed == seeds_by_simulation(0.1, 0.02 / 3 / 100)
    # of the set: 8 at the first seed, 8 + 3 and 8 + 1 at the second, against 8
    assert (rank.cell, rank.margin) == (("latents", "rank"), pytest.approx(0.4))
    assert rank.pooled.seeds == Part(pytest.approx((3**2 + 1**2) / 2 / 2 / 5), 4)
    assert rank.pooled.clips.variance == 0
    assert not rank.is_seen
    assert math.isnan(rank.seeds_needed)


def seeds_by_simulation(sd_seeds: float, clips_variance: float) -> int:
    """The fewest seeds at which 80% of 40,000 studies of a true difference of MARGIN find it."""
    rng = np.random.default_rng(1)
    for seeds in range(2, 20):
        means = rng.normal(MARGIN, sd_seeds, (40_000, seeds))
        value = means.mean(axis=1) + rng.normal(0, math.sqrt(clips_variance), 40_000)
        part = means.var(axis=1, ddof=1) / seeds
        width = np.sqrt(
            stats.t.ppf(0.975, seeds - 1) ** 2 * part + stats.t.ppf(0.975, 99) ** 2 * clips_variance
        )
        if np.mean(np.abs(value) > width) >= 0.8:
            return seeds
    raise AssertionError


def test_one_seed_says_nothing(tables, tmp_path: Path, capsys):
    by_hand(tables, tmp_path, {"one": [[0.1, 0.2, 0.3, 0.4]]})
    for one in find_sensitivities(read_study(tmp_path / "tiny")):
        assert one.systems == 0
        assert math.isnan(one.half_width)
        assert math.isnan(one.seeds_needed)
        assert not one.is_seen
    main([str(tmp_path / "tiny"), "--measures", "claims"])
    row = capsys.readouterr().out.splitlines()[2]
    assert row == "| reconstruction/stoi | 0.2 | - | 0.0707 | - | - | - | - | - | 0 |"


def test_the_command_writes_markdown(tables, tmp_path: Path, capsys):
    by_hand(tables, tmp_path, {"one": [[0.1] * 4, [0.3] * 4], "other": [[0.1, 0.3] * 2] * 2})
    main([str(tmp_path / "tiny"), "--measures", "claims"])
    head, rule, *rows = capsys.readouterr().out.splitlines()
    assert head.startswith("| measure | margin |")
    assert rule.count("|") == head.count("|")
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert cells == [
        ["reconstruction/stoi", "0.2", "0.1", "0.0707", "0.0816", "100", "0.125", "yes", "5", "2"],
        ["latents/rank", "0.4", "1.58", "0", "-", "the set", "1.96", "no", "over 50", "2"],
    ]
    main([str(tmp_path / "tiny"), "--measures", "all"])
    more = capsys.readouterr().out.splitlines()[4:]
    assert [row.split(" | ")[:2] for row in more] == [["| reconstruction/pesq_wb", "-"]]
