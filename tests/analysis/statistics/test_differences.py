"""The model of a difference against closed forms, scipy and simulations with known truth."""

import math

import numpy as np
import pytest
from scipy import stats

from analysis.statistics.differences import (
    SMALLEST_P,
    Estimate,
    Part,
    cluster_part,
    estimate,
    satterthwaite,
)

RNG = np.random.default_rng


def alone(clips: int) -> np.ndarray:
    """Every clip its own speaker."""
    return np.arange(clips)


def test_seeds_alone_are_a_paired_t_test():
    """A number of the whole set at four seeds: scipy's test of the paired differences."""
    first, second = np.array([9.1, 10.3, 8.7, 11.0]), np.array([8.8, 9.1, 8.9, 10.1])
    one = estimate((first - second)[:, None], alone(1))
    expected = stats.ttest_rel(first, second)
    assert one.p == pytest.approx(expected.pvalue, rel=1e-6)
    assert one.interval() == pytest.approx(tuple(expected.confidence_interval()), rel=1e-9)
    assert (one.n_seeds, one.n_clips) == (4, 1)


def test_one_seed_is_a_t_interval_over_clips_and_no_test():
    values = RNG(0).normal(0.2, 1, 30)
    one = estimate(values[None], alone(30))
    expected = stats.ttest_1samp(values, 0).confidence_interval()
    assert one.interval() == pytest.approx(tuple(expected), rel=1e-9)
    assert not one.is_repeated
    assert math.isnan(one.p)


def test_the_parts_are_those_of_the_two_way_analysis_of_variance():
    """Hand-worked: seeds 0 and 1, clips a, b, c.

    d = [[1, 2, 6], [3, 2, 10]]: means by seed 3 and 5, by clip 2, 2, 8, in all 4. Seeds: the
    variance of 3 and 5 is 2, over 2 seeds 1. Residuals [[0, 1, -1], [0, -1, 1]], mean square
    4 / 2 = 2, of the mean 2 / 6. Clips: the variance of 2, 2, 8 is 12, over 3 clips 4, less the
    residual's 1 / 3.
    """
    one = estimate(np.array([[1.0, 2, 6], [3, 2, 10]]), alone(3))
    assert one.value == 4
    assert one.seeds == Part(1, 1)
    assert one.clips.variance == pytest.approx(4 - 1 / 3)
    assert one.clips.df == pytest.approx(2)
    quantiles = stats.t.ppf(0.975, [1, 2])
    half = math.sqrt(quantiles[0] ** 2 * 1 + quantiles[1] ** 2 * (4 - 1 / 3))
    assert one.interval() == pytest.approx((4 - half, 4 + half))


def test_the_interval_of_level_1_minus_p_ends_at_zero():
    one = estimate(RNG(1).normal(0.4, 1, (3, 20)), alone(20))
    assert 0 < one.p < 1
    assert min(map(abs, one.interval(one.p))) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("value", "p"), [(0.0, 1.0), (1e9, SMALLEST_P)])
def test_p_ends_where_it_can_be_written(value, p):
    one = Estimate(value, Part(1e-4, 2), Part(1e-4, 30), 3, 31)
    assert one.p == p


def test_equal_differences_of_all_seeds_and_clips_have_no_width():
    one = estimate(np.full((2, 3), 0.5), alone(3))
    assert one.interval() == (0.5, 0.5)
    assert one.p == SMALLEST_P
    assert estimate(np.zeros((2, 3)), alone(3)).p == 1.0


def test_satterthwaite_is_that_of_welch():
    """Two means of unlike variance: scipy's Welch test has the same degrees of freedom."""
    first, second = RNG(2).normal(0, 1, 5), RNG(3).normal(0, 3, 9)
    parts = [Part(x.var(ddof=1) / len(x), len(x) - 1) for x in (first, second)]
    assert satterthwaite(parts) == pytest.approx(stats.ttest_ind(first, second, equal_var=False).df)


def test_clusters_of_equal_size_are_a_t_test_of_their_means():
    """Six speakers of four clips: the standard error and df of the six means."""
    values = RNG(4).normal(0, 1, (6, 4)) + RNG(5).normal(0, 2, (6, 1))
    part = cluster_part(values.ravel(), np.repeat(np.arange(6), 4))
    assert part.variance == pytest.approx(values.mean(1).var(ddof=1) / 6)
    assert part.df == pytest.approx(5)


def test_clips_of_one_speaker_are_the_draws():
    values = RNG(6).normal(0, 1, 12)
    part = cluster_part(values, np.zeros(12, int))
    assert part == cluster_part(values, alone(12))
    assert part.variance == pytest.approx(values.var(ddof=1) / 12)


def test_unequal_clusters_count_by_their_effective_number():
    """Clips of speakers 3, 1, 1, 1: G = 36 / 12 = 3; unbiased for clips that are independent."""
    speakers = np.array([0, 0, 0, 1, 2, 3])
    assert cluster_part(np.arange(6.0), speakers).df == pytest.approx(2)
    found = [cluster_part(x, speakers).variance for x in RNG(7).normal(0, 1, (20_000, 6))]
    error = np.std(found) / math.sqrt(len(found))
    assert np.mean(found) == pytest.approx(1 / 6, abs=4 * error)


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_coverage_where_seeds_differ_ten_times_more_than_clips(seeds):
    """At least 93% and at most 97.5%: not bought by width. 4,000 studies, standard error .34%."""
    rng, clips, held = RNG(seeds), 40, 0
    for _ in range(4000):
        contrast = rng.normal(0.3, 1, (seeds, 1)) + rng.normal(0, 0.1, clips)
        low, high = estimate(contrast + rng.normal(0, 0.1, contrast.shape), alone(clips)).interval()
        held += low <= 0.3 <= high
    assert 0.93 <= held / 4000 <= 0.975


@pytest.mark.parametrize(("between_seeds", "between_clips"), [(0, 1), (0.1, 1), (0.2, 0), (0, 0)])
def test_coverage_elsewhere_is_no_lower(between_seeds, between_clips):
    """Clips that matter more than seeds, both, or neither: it may only be wider."""
    rng, clips, held = RNG(11), 40, 0
    for _ in range(2000):
        contrast = rng.normal(0, between_seeds, (3, 1)) + rng.normal(0, between_clips, clips)
        low, high = estimate(contrast + rng.normal(0, 1, contrast.shape), alone(clips)).interval()
        held += low <= 0 <= high
    assert held / 2000 >= 0.935  # .95 less three standard errors


def test_speakers_widen_an_interval_that_takes_clips_for_independent():
    """Twelve voices that differ: by clips coverage would be far too low."""
    rng, speakers = RNG(12), np.repeat(np.arange(12), 5)
    held = naive = 0
    for _ in range(1000):
        contrast = rng.normal(0, 1, 12)[speakers] + rng.normal(0, 1, (2, 60))
        low, high = estimate(contrast, speakers).interval()
        held += low <= 0 <= high
        low, high = estimate(contrast[:1], alone(60)).interval()
        naive += low <= 0 <= high
    assert held / 1000 >= 0.93
    assert naive / 1000 < 0.8
