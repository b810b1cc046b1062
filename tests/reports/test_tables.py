"""Results, claims and sentences from a study whose numbers are known."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from reports import numbers, robustness, tables
from reports.claims import claim_of, claims
from reports.collect import collect
from reports.metrics import LATENT, QUALITY, ROBUST, describe
from reports.study import Study


def test_the_ceiling_stands_beside_the_ablations_and_the_baseline_is_first(study: Study) -> None:
    (ceiling,) = tables.references(study)
    rows = tables.models(study)
    assert ceiling.name == "ceiling"
    assert [row.name for row in rows] == ["baseline", "no_dispersive", "plain_ae"]
    assert ceiling.values["pesq_wb"].mean == pytest.approx(3.53)
    assert not ceiling.values["mel_l1"].known
    assert rows[0].values["mel_l1"].mean == pytest.approx(0.53)
    assert rows[0].untrained.mean == pytest.approx(2.5)
    assert [(row.n_scored, row.n_failed) for row in (ceiling, *rows)] == [(7, 1)] * 4
    assert rows[2].best >= {"pesq_wb", "stoi", "mel_l1"}


def test_unseen_voices_have_a_table_of_their_own(study: Study, by_hand: Callable) -> None:
    ceiling, *models = tables.unseen_voices(study)
    assert (ceiling.name, ceiling.values["stoi"].mean) == ("ceiling", pytest.approx(0.9))
    assert [row.name for row in models] == ["baseline", "no_dispersive", "plain_ae"]
    assert models[0].values["stoi"].mean == pytest.approx(0.47)
    assert [row.best for row in models] == [set(), set(), {"stoi"}]
    assert list(tables.measured([ceiling, *models], QUALITY)) == ["stoi"]
    assert tables.unseen_voices(by_hand(["x"], {("x", "reconstruction", "stoi"): 1.0})) == []
    assert describe("unseen", "mel_l1") == "mel L1, unseen voices"
    assert describe("unseen_ceiling", "stoi") == "STOI, ceiling, unseen voices"


def test_only_what_some_run_has_gets_a_column(study: Study) -> None:
    rows = [*tables.references(study), *tables.models(study)]
    assert list(tables.measured(rows, QUALITY)) == ["pesq_wb", "stoi", "mel_l1", "dwer"]
    space = tables.latent_space(study)
    assert list(tables.measured(space, LATENT)) == ["effective_rank", "dispersive"]
    assert space[0].values["effective_rank"].mean == 12.5


def test_a_rate_is_in_percent_and_says_that_it_has_fewer_clips(study: Study) -> None:
    first = tables.models(study)[0]
    assert first.values["dwer"].mean == pytest.approx(100 * (1 + 3 + 5) / (4 + 8 + 12))
    assert first.has_fewer("dwer")
    assert not first.has_fewer("stoi")


def test_failures_are_listed_with_their_reason(study: Study) -> None:
    found = {one.what: one for one in tables.failures(study)}
    one = found["mel L1 at latent noise 0.5"]
    assert (one.failed, one.asked, one.where) == (3, 24, "all ablations")
    assert one.reason == "the clip is broken"
    assert "effective rank" not in found


def test_what_was_trained_is_printed(study: Study) -> None:
    facts = tables.models(study)[0].facts
    assert facts["floats/s"] == "431"
    assert facts["parameters"] == "1.23 M"
    assert facts["steps"] == "1,200"
    assert facts["speech heard"] == "60 min"
    assert facts["commit"] == "abcdef0123"


def test_claims_are_judged_as_the_analysis_judged_them_or_not_at_all(study: Study) -> None:
    unmeasured, fragile = claims(study)
    assert (unmeasured.system, unmeasured.verdict) == ("no_dispersive", "not measured")
    assert "latents/speaker_probe: run `python -m analysis" in unmeasured.reason
    assert fragile.what == "mel L1 at latent noise 1.0"
    assert fragile.difference.mean == pytest.approx(0.3)
    assert fragile.difference.n_scored == 7
    assert fragile.verdict == "supported"
    assert fragile.p_holm < 0.001
    assert fragile.whisker is not None
    assert max(map(abs, fragile.whisker)) == pytest.approx(1)


def test_a_claim_about_a_rate_is_in_percent_and_may_have_no_interval() -> None:
    texts = dict.fromkeys(("system", "text", "direction", "verdict", "reason"), "x")
    row = {**texts, "condition": "reconstruction", "metric": "dwer", "baseline": 0.1, "value": 0.3}
    unknown = dict.fromkeys(("low", "high", "effect", "p", "p_holm"), math.nan)
    one = claim_of({**row, **unknown, "difference": 0.2, "n_paired": 1.0})
    assert (one.value, one.difference.mean, one.what) == (30.0, 20.0, "dWER")
    assert one.whisker is None
    assert not one.has_effect


def test_sentences_say_who_is_better_at_each_noise(study: Study) -> None:
    clean, half, full = robustness.sentences(study)
    assert clean.startswith(
        "Without noise plain_ae is better than baseline: mel L1 0.480 against 0.530"
    )
    assert half.startswith(
        "With latent noise of 0.5 baseline is better than plain_ae: mel L1 0.605 against 0.730"
    )
    assert full.startswith(
        "With latent noise of 1 baseline is better than plain_ae: mel L1 0.680 against 0.980"
    )
    best = robustness.best_by_noise(robustness.curves(study))
    assert best[0.0] == "plain_ae"
    assert best[1.0] in ("baseline", "no_dispersive")


def test_curves_have_every_sigma_and_the_area_is_no_sigma(study: Study) -> None:
    assert [metric for metric in ROBUST if robustness.curves(study, metric)] == ["mel_l1"]
    assert list(robustness.curves(study)["baseline"]) == [0.0, 0.5, 1.0]
    assert robustness.areas(study)["plain_ae"].mean == pytest.approx(0.68)
    assert robustness.curves(study, "visqol") == {}


def test_noise_of_zero_has_its_own_condition_where_it_was_measured(
    tmp_path: Path, make_run: Callable[..., Path]
) -> None:
    from analysis.statistics.tables import summarise_study

    table = make_run(tmp_path, "baseline") / "analysis" / "table.csv"
    table.write_text(table.read_text().replace("latent_noise_0.5", "latent_noise_0.0"))
    summarise_study(tmp_path / "tiny")
    conditions = robustness.noise_conditions(collect(tmp_path))
    assert conditions == {0.0: "latent_noise_0.0", 1.0: "latent_noise_1.0"}


def test_the_headline_compares_with_no_training_and_with_the_ceiling(study: Study) -> None:
    references, models = tables.references(study), tables.models(study)
    training, ceiling = tables.headline(references[-1], models[0])
    assert "from 2.500 to 0.530, to 21% of" in training
    assert "PESQ-wb 1.37 of the ceiling's 3.53" in ceiling


def test_numbers_and_conditions_are_written_for_readers() -> None:
    assert numbers.chance(0.0234) == "p = 0.023"
    assert numbers.chance(0.0002) == "p < 0.001"
    assert numbers.chance(math.nan) == numbers.UNKNOWN
    assert numbers.plain(-0.5, 1) == f"{numbers.MINUS}0.5"
    assert describe("input_white_20", "stoi") == "STOI, input white 20"
    assert describe("latents", "speaker_probe") == "speaker probe"
