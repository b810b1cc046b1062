"""The bootstrap against scipy's, closed forms, hand-worked cases and its own promise of 95%."""

import math
import tracemalloc

import numpy as np
import pytest
from scipy import stats

from analysis.metrics.bootstrap import (
    DRAWS,
    Resampler,
    System,
    compare,
    effect_size,
    holm,
    interval,
    two_sided_p,
)

RNG = np.random.default_rng(7)


def mean_of(*seeds, stream: int = 0) -> System:
    """A mean over clips; NaN is a clip that was not scored."""
    values = np.array(seeds, float)
    return System(np.nan_to_num(values), np.isfinite(values).astype(float), stream)


def span(one: System):
    (draws,) = Resampler(one.numerators.shape[1]).replicates([one])
    return interval(draws, one.clips, one.seeds)


def comparison(first: System, second: System):
    draws = Resampler(first.numerators.shape[1]).replicates([first, second])
    return compare(first, second, (draws[0], draws[1]))


def coverage(numerators, denominators, truth: float) -> float:
    """How many of the simulations [K, N] have the truth in their interval."""
    systems = [
        System(above[None], below[None])
        for above, below in zip(numerators, denominators, strict=True)
    ]
    drawn = Resampler(numerators.shape[1]).replicates(systems)
    spans = [interval(draws, numerators.shape[1], 1) for draws in drawn]
    return float(np.mean([one.low <= truth <= one.high for one in spans]))


def test_the_interval_covers_the_mean_of_normal_data_in_95_percent_of_simulations():
    values = np.random.default_rng(1).normal(3.0, 2.0, (1000, 80))
    assert 0.93 <= coverage(values, np.ones_like(values), 3.0) <= 0.97


def test_the_interval_covers_the_mean_of_skewed_data_in_95_percent_of_simulations():
    values = np.random.default_rng(2).exponential(1.0, (1000, 160))
    assert 0.93 <= coverage(values, np.ones_like(values), 1.0) <= 0.97


def test_the_interval_covers_a_rate_in_95_percent_of_simulations():
    generator = np.random.default_rng(3)
    words = generator.integers(2, 20, (1000, 120)).astype(float)
    assert 0.93 <= coverage(generator.binomial(words.astype(int), 0.2), words, 0.2) <= 0.97


def scipy_interval(data, statistic):
    found = stats.bootstrap(
        data,
        statistic,
        method="percentile",
        n_resamples=DRAWS,
        paired=True,
        vectorized=True,
        rng=np.random.default_rng(5),
    )
    return found.confidence_interval, found.standard_error


def test_mean_difference_and_rate_have_the_intervals_of_scipys_bootstrap():
    first, second = RNG.gamma(2, 1, 60), RNG.gamma(2, 1, 60) + 0.3
    words = RNG.integers(1, 30, 60).astype(float)
    errors = RNG.binomial(words.astype(int), 0.3).astype(float)
    rate = System(errors[None], words[None])
    cases = [
        (span(mean_of(first)), (first,), lambda x, axis: x.mean(axis)),
        (
            comparison(mean_of(first), mean_of(second))[2:4],
            (first, second),
            lambda x, y, axis: x.mean(axis) - y.mean(axis),
        ),
        (span(rate), (errors, words), lambda x, y, axis: x.sum(axis) / y.sum(axis)),
    ]
    for ours, data, statistic in cases:
        theirs, error = scipy_interval(data, statistic)
        assert ours == pytest.approx((theirs.low, theirs.high), abs=0.12 * error)


def test_a_rate_is_that_of_all_words_and_not_the_mean_of_clips():
    one = System(np.array([[1.0, 0.0, 9.0]]), np.array([[2.0, 8.0, 10.0]]))
    assert one.value == pytest.approx(10 / 20)
    assert one.influence(np.ones(3, bool)) == pytest.approx(
        [0.0 / (20 / 3), (0 - 4) / (20 / 3), (9 - 5) / (20 / 3)]
    )


def test_a_clip_without_a_score_enters_nothing():
    full, holed = mean_of([1.0, 2.0, 4.0, 5.0]), mean_of([1.0, 2.0, math.nan, 4.0, 5.0])
    assert holed.value == full.value == 3.0
    assert holed.clips == 4
    low, high = span(holed)
    assert 1.0 <= low < 3.0 < high <= 5.0
    lone = mean_of([math.nan] * 30 + [2.0, 3.0])  # many draws hold neither
    low, high = span(lone)
    assert (low, high) == (2.0, 3.0)


def test_pairing_narrows_the_interval_of_a_difference():
    hard = RNG.normal(0, 1, 50)  # what a clip does to every system
    first, second = hard + RNG.normal(0.1, 0.05, 50), hard + RNG.normal(0, 0.05, 50)
    paired = comparison(mean_of(first), mean_of(second))
    apart = stats.bootstrap(
        (first, second),
        lambda x, y, axis: x.mean(axis) - y.mean(axis),
        vectorized=True,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    assert paired.high - paired.low < 0.2 * (apart.high - apart.low)
    assert paired.p < 0.001


def test_seeds_that_differ_widen_the_interval_and_equal_seeds_do_not():
    clips = RNG.normal(0, 0.1, 50)
    same = span(mean_of(clips, clips, clips))
    assert same == pytest.approx(span(mean_of(clips)))
    low, high = span(mean_of(clips - 0.3, clips, clips + 0.3))
    assert high - low > 3 * (same.high - same.low)


def test_seeds_alone_have_the_unbiased_variance_of_their_mean():
    """One number a seed: the draws' variance is s^2 / S (Rao and Wu), not (S - 1) / S of it."""
    values = np.array([1.0, 2.0, 4.0, 7.0])
    one = mean_of(*values[:, None])
    (draws,) = Resampler(1).replicates([one])
    assert draws.var() == pytest.approx(values.var(ddof=1) / 4, rel=0.05)


def test_systems_draw_their_seeds_on_their_own_unless_they_are_the_same():
    seeds = ([1.0, 1.0], [2.0, 2.0])
    one, same, other = mean_of(*seeds), mean_of(*seeds), mean_of(*seeds, stream=1)
    first, second, third = Resampler(2).replicates([one, same, other])
    assert (first == second).all()
    assert abs(np.corrcoef(first, third)[0, 1]) < 0.05


def test_p_agrees_with_the_t_test_where_that_holds():
    difference = RNG.normal(0.25, 1, 100)
    ours = comparison(mean_of(difference), mean_of(np.zeros(100)))
    theirs = stats.ttest_1samp(difference, 0)
    assert ours.p == pytest.approx(theirs.pvalue, rel=0.25)
    assert (ours.p < 0.05) == (ours.low > 0)


def test_equal_systems_cannot_be_told_apart_and_ties_count_for_both_sides():
    values = RNG.normal(0, 1, 40)
    same = comparison(mean_of(values), mean_of(values))
    assert (same.difference, same.low, same.high, same.p) == (0, 0, 0, 1)
    assert math.isnan(same.effect)
    right = np.zeros(41)
    right[:29] = 1
    other = right[::-1]
    counts = Resampler(41).counts.astype(int)
    below, above = ((sign * (counts @ (right - other)) <= 0).sum() for sign in (1, -1))
    assert below + above > DRAWS + 500
    expected = min(1.0, 2 * (min(below, above) + 1) / (DRAWS + 1))
    assert comparison(mean_of(right), mean_of(other)).p == pytest.approx(expected)


def test_few_clips_or_seeds_prove_nothing_however_far_apart():
    assert comparison(mean_of([1.0, 2.0]), mean_of([11.0, 12.0])).p == pytest.approx(2 / 4)
    two, other = mean_of([1.0], [2.0]), mean_of([11.0], [12.0], stream=1)
    found = comparison(two, other)
    assert found.p == pytest.approx(2 * (1 / 2) * (1 / 2))
    assert found.low == -11.0


def test_a_single_number_has_no_interval_and_no_test():
    one = comparison(mean_of([2.0]), mean_of([1.5]))
    assert one.difference == 0.5
    assert all(map(math.isnan, (one.low, one.high, one.p, one.effect)))
    assert all(map(math.isnan, span(mean_of([math.nan, 3.0]))))
    nothing = mean_of([math.nan, math.nan])
    assert math.isnan(nothing.value)
    assert math.isnan(two_sided_p(np.full(10, math.nan), nothing, nothing))


def test_the_effect_size_is_cohens_d_of_the_differences():
    first, second = np.array([1.0, 2.0, 4.0, 8.0]), np.array([0.0, 2.5, 3.0, 5.0])
    difference = first - second
    expected = difference.mean() / difference.std(ddof=1)
    assert effect_size(mean_of(first), mean_of(second)) == pytest.approx(expected)
    holed = effect_size(mean_of([*first, math.nan]), mean_of([*second, math.nan]))
    assert holed == pytest.approx(expected)


def test_the_effect_size_of_rates_is_that_of_the_jackknife():
    """The influence values agree with leaving out one clip at a time."""
    words = RNG.integers(5, 30, (2, 400)).astype(float)
    errors = np.array(
        [RNG.binomial(words[0].astype(int), 0.3), RNG.binomial(words[1].astype(int), 0.2)]
    )
    first, second = (System(errors[i : i + 1], words[i : i + 1]) for i in range(2))
    full = first.value - second.value
    left_out = [
        (errors[0].sum() - errors[0, i]) / (words[0].sum() - words[0, i])
        - (errors[1].sum() - errors[1, i]) / (words[1].sum() - words[1, i])
        for i in range(400)
    ]
    pseudo_values = 400 * full - 399 * np.array(left_out)
    expected = full / pseudo_values.std(ddof=1)
    assert effect_size(first, second) == pytest.approx(expected, rel=0.02)


def test_holm_by_hand():
    """Sorted .005, .01, .03, .04 times 4, 3, 2, 1, never below the one before."""
    corrected = holm([0.01, 0.04, math.nan, 0.03, 0.005])
    assert corrected[:2] == pytest.approx([0.03, 0.06])
    assert math.isnan(corrected[2])
    assert corrected[3:] == pytest.approx([0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_same_data_give_the_same_numbers():
    values = RNG.normal(0, 1, (2, 30))
    assert comparison(mean_of(values[0]), mean_of(values[1])) == comparison(
        mean_of(values[0]), mean_of(values[1])
    )


def test_every_draw_has_as_many_clips_as_there_are():
    counts = Resampler(300).counts
    assert (counts.sum(axis=1, dtype=int) == 300).all()
    assert counts.mean(axis=0, dtype=float) == pytest.approx(np.ones(300), abs=0.06)


def test_ten_thousand_clips_need_little_memory():
    tracemalloc.start()
    try:
        Resampler(10_000).sums(np.ones((20, 10_000)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 300e6
