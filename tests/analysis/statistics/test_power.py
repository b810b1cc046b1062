"""Plans against what simulations then decide."""

import math

import numpy as np
import pytest
from scipy import stats

from analysis.statistics.differences import Estimate, Part, estimate
from analysis.statistics.power import (
    against_itself,
    needed_to_decide,
    plan,
    power_of_equivalence,
    power_of_test,
)
from analysis.statistics.verdicts import is_negligible


def pilot(value: float, sd_seeds: float, sd_clips: float, seeds: int = 3, clips: int = 40):
    """What a study with these deviations would have estimated."""
    parts = Part(sd_seeds**2 / seeds, seeds - 1), Part(sd_clips**2 / clips, clips - 1)
    return Estimate(value, *parts, seeds, clips)


def simulate(value: float, sd_seeds: float, sd_clips: float, seeds: int, clips: int, times: int):
    rng = np.random.default_rng(5)
    for _ in range(times):
        contrast = value + rng.normal(0, sd_seeds, (seeds, 1)) + rng.normal(0, sd_clips, clips)
        yield estimate(contrast, np.arange(clips))


def test_power_of_seeds_alone_is_that_of_the_noncentral_t():
    """Five paired seeds, effect one deviation: power of the t test by its textbook formula."""
    one = plan(pilot(1.0, 1.0, 0.0), 5)
    critical = stats.t.ppf(0.975, 4)
    expected = stats.nct.sf(critical, 4, math.sqrt(5)) + stats.nct.cdf(-critical, 4, math.sqrt(5))
    assert power_of_test(one) == pytest.approx(expected)


@pytest.mark.parametrize("value", [5.0, 15.0, 60.0])
@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_an_effect_of_many_deviations_is_seen(value, seeds):
    """Power against 20,000 simulated t tests, also where SciPy's own lower tail is NaN."""
    one = plan(pilot(value, 1.0, 0.0), seeds)
    draws = np.random.default_rng(3).normal(value, 1, (20_000, seeds))
    t = draws.mean(axis=1) / draws.std(axis=1, ddof=1) * math.sqrt(seeds)
    simulated = np.mean(np.abs(t) > stats.t.ppf(0.975, seeds - 1))
    assert power_of_test(one) == pytest.approx(simulated, abs=0.015)  # four standard errors


@pytest.mark.parametrize(
    ("value", "sd_seeds", "sd_clips", "alpha"),
    [(0.05, 0.02, 0.01, 0.05), (0.05, 0.01, 0.1, 0.05), (0.05, 0.01, 0.01, 0.05 / 15)],
)
def test_the_planned_seeds_show_the_effect_in_four_of_five_studies(
    value, sd_seeds, sd_clips, alpha
):
    needed = needed_to_decide(pilot(value, sd_seeds, sd_clips), 0.01, 0.05, alpha)
    found = list(
        simulate(value, sd_seeds, sd_clips, int(needed.seeds), int(needed.clips), times=500)
    )
    assert np.mean([one.p < alpha for one in found]) >= 0.8 - 0.054  # three standard errors


@pytest.mark.parametrize(("sd_seeds", "sd_clips"), [(0.004, 0.01), (0.005, 0.004), (0.003, 0.02)])
def test_a_difference_inside_the_margin_is_called_negligible_where_planned(sd_seeds, sd_clips):
    """Five seeds, as the analysis of power says: at least 80% of 500 studies."""
    one = plan(pilot(0.001, sd_seeds, sd_clips, clips=100), 5)
    assert power_of_equivalence(one, 0.01) >= 0.8
    found = [is_negligible(each, 0.01) for each in simulate(0.001, sd_seeds, sd_clips, 5, 100, 500)]
    assert np.mean(found) >= 0.8 - 0.054


def test_more_clips_are_asked_for_where_seeds_do_not_help():
    needed = needed_to_decide(pilot(0.03, 0.001, 0.15), 0.01, 0.05, 0.05)
    assert needed.clips > 40
    assert needed.seeds >= 3


def test_nothing_is_promised_for_an_effect_at_its_margin_or_of_one_seed():
    assert math.isnan(needed_to_decide(pilot(0.01, 0.5, 0.0), 0.01, 0.05, 0.05).seeds)
    assert math.isnan(needed_to_decide(pilot(0.1, 0.1, 0.1, seeds=1), 0.01, 0.05, 0.05).seeds)


def test_a_system_differs_from_itself_as_often_as_the_level_says():
    """Twelve seeds that differ a lot, three against three."""
    rng = np.random.default_rng(8)
    shares = [
        np.mean([p < 0.05 for p in against_itself(values, np.arange(10), 3)])
        for values in rng.normal(0, 1, (40, 12, 1)) + rng.normal(0, 0.1, (40, 12, 10))
    ]
    assert np.mean(shares) == pytest.approx(0.05, abs=0.03)
