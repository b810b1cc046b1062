"""Results, claims and sentences from a study whose numbers are known."""

from pathlib import Path

import pytest

from reports import tables
from reports.claims import Claim, claims
from reports.collect import Study, collect
from reports.statistics import Estimate


@pytest.fixture(scope="module")
def study(runs: Path) -> Study:
    return collect(runs)


def test_the_ceiling_is_row_0_and_the_baseline_row_1(study: Study) -> None:
    rows = tables.results(study)
    assert [row.name for row in rows] == ["ceiling", "baseline", "no_dispersive", "plain_ae"]
    assert rows[0].values["pesq_wb"].mean == pytest.approx(3.53)
    assert not rows[0].values["mel_l1"].known
    assert rows[1].values["mel_l1"].mean == pytest.approx(0.53)
    assert rows[1].untrained.mean == pytest.approx(2.5)
    assert [(row.n_scored, row.n_failed) for row in rows] == [(7, 1)] * 4
    assert rows[3].best == {"pesq_wb", "stoi", "mel_l1"}


def test_what_was_trained_is_printed(study: Study) -> None:
    facts = tables.results(study)[1].facts
    assert facts["floats/s"] == "431"
    assert facts["parameters"] == "1.23 M"
    assert facts["steps"] == "1,200"
    assert facts["speech heard"] == "60 min"
    assert facts["commit"] == "abcdef0123"


def test_claims_are_judged_by_their_interval_or_not_at_all(study: Study) -> None:
    unmeasured, fragile = claims(study)
    assert (unmeasured.ablation, unmeasured.verdict) == ("no_dispersive", "not measured yet")
    assert fragile.metric == "mel L1 at latent noise 1.0"
    assert fragile.difference.mean == pytest.approx(0.3)
    assert fragile.difference.n_scored == 7
    assert fragile.verdict == "as claimed"


@pytest.mark.parametrize(
    ("low", "high", "direction", "verdict"),
    [
        (0.1, 0.3, "up", "as claimed"),
        (0.1, 0.3, "down", "the opposite"),
        (-0.3, -0.1, "down", "as claimed"),
        (-0.1, 0.3, "up", "undecided"),
    ],
)
def test_verdicts(low: float, high: float, direction: str, verdict: str) -> None:
    difference = Estimate((low + high) / 2, low, high, 20)
    claim = Claim("x", "text", "STOI", direction, difference=difference)
    assert claim.verdict == verdict
    assert max(map(abs, claim.whisker)) == pytest.approx(1)


def test_sentences_say_who_is_better_at_each_noise(study: Study) -> None:
    clean, half, full = tables.robustness_sentences(study)
    assert clean.startswith(
        "Without noise plain_ae is better than baseline: mel L1 0.480 against 0.530"
    )
    assert half.startswith(
        "With latent noise of 0.5 baseline is better than plain_ae: mel L1 0.605 against 0.730"
    )
    assert full.startswith(
        "With latent noise of 1 baseline is better than plain_ae: mel L1 0.680 against 0.980"
    )
    best = tables.best_by_noise(tables.robustness(study))
    assert best[0.0] == "plain_ae"
    assert best[1.0] in ("baseline", "no_dispersive")


def test_the_headline_compares_with_no_training_and_with_the_ceiling(study: Study) -> None:
    training, ceiling = tables.headline(tables.results(study))
    assert "from 2.500 to 0.530, to 21% of" in training
    assert "PESQ-wb 1.37 of the ceiling's 3.53" in ceiling
