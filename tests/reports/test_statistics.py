"""The bootstrap on data whose answer is known."""

import math

import numpy as np
import pandas as pd
import pytest

from reports.statistics import bootstrap_mean, estimate, paired_difference

COLUMNS = ["run", "ablation", "seed", "clip", "condition", "metric", "value"]


def test_the_interval_of_normal_data_is_the_textbooks() -> None:
    values = np.random.default_rng(1).normal(3.0, 2.0, 400)
    one = bootstrap_mean(values)
    half = 1.96 * values.std() / math.sqrt(len(values))
    assert one.mean == pytest.approx(values.mean())
    assert one.low == pytest.approx(values.mean() - half, abs=0.05 * half)
    assert one.high == pytest.approx(values.mean() + half, abs=0.05 * half)


def test_the_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(2)
    trials = [bootstrap_mean(generator.normal(0, 1, 48)) for _ in range(300)]
    covered = np.mean([one.low <= 0 <= one.high for one in trials])
    assert 0.91 <= covered <= 0.98


def test_it_repeats_and_handles_the_smallest_cases() -> None:
    values = np.array([1.0, 2.0, 4.0])
    assert bootstrap_mean(values) == bootstrap_mean(values.copy())
    constant = bootstrap_mean(np.full(5, 0.25))
    assert (constant.low, constant.high) == pytest.approx((0.25, 0.25))
    single = bootstrap_mean(np.array([2.0]))
    assert single.mean == 2.0
    assert math.isnan(single.low)
    assert not single.clear
    nothing = bootstrap_mean(np.array([]), n_failed=3)
    assert not nothing.known
    assert (nothing.n_scored, nothing.n_failed) == (0, 3)


def rows(ablation: str, seed: int, values: dict[str, float]) -> list[tuple[object, ...]]:
    return [
        (f"t/{ablation}/seed{seed}", ablation, seed, clip, "reconstruction", "stoi", value)
        for clip, value in values.items()
    ]


def test_seeds_are_averaged_by_clip_and_a_failure_is_counted() -> None:
    data = rows("x", 0, {"a": 0.2, "b": 0.4, "c": math.nan, "d": math.nan})
    data += rows("x", 1, {"a": 0.4, "b": 0.6, "c": math.nan, "d": 0.9})
    one = estimate(pd.DataFrame(data, columns=COLUMNS), "x", "reconstruction", "stoi")
    assert one.mean == pytest.approx((0.3 + 0.5 + 0.9) / 3)
    assert (one.n_scored, one.n_failed) == (3, 1)


def test_a_paired_difference_uses_the_clips_that_both_have() -> None:
    data = rows("x", 0, {"a": 0.5, "b": 0.9, "c": 0.1, "only": 9.0})
    data += rows("y", 0, {"a": 0.4, "b": 0.8, "c": math.nan, "other": 7.0})
    one = paired_difference(pd.DataFrame(data, columns=COLUMNS), "x", "y", "reconstruction", "stoi")
    assert one.mean == pytest.approx(0.1)
    assert one.n_scored == 2
    assert one.clear
