"""Results, claims and sentences from a study whose numbers are known."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from reports import formatting
from reports.metric_registry import LATENT, PER_DIM, QUALITY, ROBUST, describe
from reports.study.claims import claim_of, claims
from reports.study.collect import collect
from reports.study.results import CLAIMS_COLUMNS, TEXTS
from reports.study.study import Study
from reports.tables import page_rows, robustness
from reports.tables.claims import interactions, page_interactions


def test_the_ceiling_stands_beside_the_ablations_and_the_baseline_is_first(study: Study) -> None:
    (ceiling,) = page_rows.references(study)
    rows = page_rows.models(study)
    assert ceiling.name == "ceiling"
    assert [row.name for row in rows] == ["baseline", "no_dispersive", "plain_ae"]
    assert ceiling.values["pesq_wb"].mean == pytest.approx(3.53)
    assert not ceiling.values["mel_l1"].known
    assert rows[0].values["mel_l1"].mean == pytest.approx(0.53)
    assert rows[0].untrained.mean == pytest.approx(2.5)
    assert [(row.n_scored, row.n_failed) for row in (ceiling, *rows)] == [(7, 1)] * 4
    assert rows[2].best >= {"pesq_wb", "stoi", "mel_l1"}


def test_unseen_voices_have_a_table_of_their_own(study: Study, by_hand: Callable) -> None:
    ceiling, *models = page_rows.unseen_voices(study)
    assert (ceiling.name, ceiling.values["stoi"].mean) == ("ceiling", pytest.approx(0.9))
    assert [row.name for row in models] == ["baseline", "no_dispersive", "plain_ae"]
    assert models[0].values["stoi"].mean == pytest.approx(0.47)
    assert [row.best for row in models] == [set(), set(), {"stoi"}]
    assert list(page_rows.measured([ceiling, *models], QUALITY)) == ["stoi"]
    assert page_rows.unseen_voices(by_hand(["x"], {("x", "reconstruction", "stoi"): 1.0})) == []
    assert describe("unseen", "mel_l1") == "mel L1, unseen voices"
    assert describe("bands_4000_11025hz", "mel_l1") == "mel L1, 4 to 11 kHz"
    assert describe("unseen_ceiling", "stoi") == "STOI, ceiling, unseen voices"


def test_only_what_some_run_has_gets_a_column(study: Study) -> None:
    rows = [*page_rows.references(study), *page_rows.models(study)]
    assert list(page_rows.measured(rows, QUALITY)) == ["pesq_wb", "stoi", "mel_l1", "dwer"]
    space = page_rows.latent_space(study)
    assert list(page_rows.measured(space, LATENT)) == ["effective_rank", "dispersive"]
    assert space[0].values["effective_rank"].mean == 12.5


def test_a_rate_is_in_percent_and_says_that_it_has_fewer_clips(study: Study) -> None:
    first = page_rows.models(study)[0]
    assert first.values["dwer"].mean == pytest.approx(100 * (1 + 3 + 5) / (4 + 8 + 12))
    assert first.has_fewer("dwer")
    assert not first.has_fewer("stoi")


def test_failures_are_listed_with_their_reason(study: Study) -> None:
    found = {one.what: one for one in page_rows.failures(study)}
    one = found["mel L1 at latent noise 0.5"]
    assert (one.failed, one.asked, one.where) == (3, 24, "all systems")
    assert one.reason == "the clip is broken"
    assert "effective rank" not in found


def test_what_was_trained_is_printed(study: Study) -> None:
    facts = page_rows.models(study)[0].facts
    assert facts["floats/s"] == "431"
    assert [row.facts["free floats/s"] for row in page_rows.models(study)] == [
        "377",
        "377",
        formatting.UNKNOWN,
    ]
    assert "budget" not in facts
    assert facts["parameters"] == "1.23 M"
    assert facts["steps"] == "1,200"
    assert facts["speech heard"] == "60 min"
    assert facts["commit"] == "abcdef0123"


def test_a_run_of_another_training_budget_is_a_system_of_its_own(
    tmp_path: Path, make_run: Callable[..., Path], make_plan: Callable[..., Path]
) -> None:
    from analysis.statistics.tables import summarise_study

    for budget in (None, 350):
        for ablation in ("baseline", "plain_ae"):
            make_run(tmp_path, ablation, budget=budget)
    assert collect(tmp_path).systems == ["baseline", "plain_ae"]
    plan = make_plan(tmp_path, "grown", {"baseline": [0], "plain_ae": [0]}, budgets=(None, 350))
    assert summarise_study(plan) == []
    study = collect(tmp_path, name="grown")
    assert study.systems == ["baseline", "plain_ae", "baseline@350", "plain_ae@350"]
    assert [row.facts["budget"] for row in page_rows.models(study)] == [
        *["the size's own"] * 2,
        *["350 steps"] * 2,
    ]
    late = study.results.difference("plain_ae@350", "latent_noise_1.0", "mel_l1")
    assert late.mean == pytest.approx(0.3)


def test_claims_of_one_seed_have_a_difference_and_no_verdict(study: Study) -> None:
    unmeasured, kept, fragile = claims(study)
    assert (unmeasured.system, unmeasured.verdict) == ("no_dispersive", "not measured")
    assert "latents/speaker_probe: run `python -m analysis" in unmeasured.remark
    assert fragile.what == "mel L1 at latent noise 1.0"
    assert fragile.difference.mean == pytest.approx(0.3)
    assert (fragile.seeds, fragile.difference.n_scored) == (1, 7)
    assert [one.verdict for one in (kept, fragile)] == ["one seed", "one seed"]
    assert not fragile.is_tested
    assert fragile.remark == ""
    assert fragile.whisker is not None
    assert max(map(abs, fragile.whisker.values())) == pytest.approx(1)


def test_claims_are_judged_as_the_analysis_judged_them(planned: Study) -> None:
    found = {(one.system, one.metric.label): one for one in claims(planned)}
    noise = found["no_noise", "mel L1"]
    assert (noise.verdict, noise.seeds, noise.is_main_effect) == ("supported", 3, True)
    assert noise.difference.mean == pytest.approx(0.45, abs=0.005)  # .3 alone, .6 together
    assert [one.stratum for one in noise.strata] == [
        "layernorm in place",
        "layernorm taken away",
    ]
    alone, together = (one.difference.mean for one in noise.strata)
    assert (alone, together) == pytest.approx((0.3, 0.6), abs=0.005)
    assert found["no_dispersive", "STOI"].verdict == "negligible"
    assert found["no_dispersive", "STOI"].outlook == ""
    critics = found["no_adversary", "PESQ-wb"]
    assert critics.verdict == "undecided"
    assert critics.seeds_needed > 3
    some = replace(critics, seeds_needed=5.0, clips_needed=100.0)
    assert some.remark == "about 5 seeds on 100 clips would decide it"
    assert replace(some, clips_needed=1.0).remark == "about 5 seeds would decide it"
    never = replace(critics, seeds_needed=math.nan)
    assert never.outlook == "no affordable number of seeds and clips would decide it"
    plain = found["plain_ae", "mel L1"]
    assert plain.is_exploratory
    assert math.isnan(plain.p_holm)
    assert plain.difference.p < 0.001
    assert [one.system for one in claims(planned) if one.is_exploratory] == ["plain_ae"]


def test_a_claim_about_a_rate_is_in_percent_and_may_have_no_interval(planned: Study) -> None:
    row = {name: "x" if name in TEXTS else math.nan for name in CLAIMS_COLUMNS}
    known = {"condition": "reconstruction", "metric": "dwer", "baseline": 0.1, "value": 0.3}
    counts = {"seeds": 1.0, "clips": 1.0, "margin": 0.01, "full_design_verdict": ""}
    one = claim_of({**row, **known, **counts, "difference": 0.2}, planned.results)
    assert (one.value, one.difference.mean, one.margin, one.what) == (30.0, 20.0, 1.0, "dWER")
    assert one.whisker is None


def test_beside_a_main_effect_stands_what_the_part_is_worth_in_the_full_design(
    planned: Study,
) -> None:
    results = planned.results
    row = results.claims[0] | {"contrast": "main effect", "stratum": ""}
    one = claim_of(row, results)
    values = results.values.set_index(["system", "condition", "metric"])
    full, without = (
        values.loc[(name, row["condition"], row["metric"]), "value"]
        for name in ("baseline", row["system"])
    )
    assert one.in_full_design.difference.mean == pytest.approx(one.metric.unit * (without - full))
    assert one.in_full_design.margin == pytest.approx(row["full_design_margin"])
    assert claim_of(row | {"full_design_verdict": ""}, results).in_full_design is None


@pytest.mark.parametrize(
    ("against", "name"),
    [("baseline", "the baseline"), ("baseline@350", "the baseline"), ("other", "other")],
)
def test_the_baseline_needs_no_name(against: str, name: str, planned: Study) -> None:
    assert replace(claims(planned)[0], against=against).compared_with == name


def test_the_best_is_sought_among_those_that_have_most_seeds(study: Study) -> None:
    rows = page_rows.models(study)
    rows[2].values["stoi"] = replace(rows[2].values["stoi"], seeds=rows[0].values["stoi"].seeds - 1)
    for row in rows:
        row.best.clear()
    page_rows.mark_best(rows, QUALITY)
    assert "stoi" not in rows[2].best
    assert "mel_l1" in rows[2].best


def test_who_is_better_is_what_the_paired_difference_says(study: Study) -> None:
    """The baseline has more seeds, whose mean is lower; of equal seeds plain_ae is better."""
    values = study.results.values.set_index(["system", "condition", "metric"])
    values.loc[("baseline", "reconstruction", "mel_l1"), "value"] = 0.1
    paired = {"difference": -0.01, "difference_low": -0.02, "difference_high": -0.005, "p": 0.01}
    for name, value in paired.items():
        values.loc[("plain_ae", "reconstruction", "mel_l1"), name] = value
    results = replace(study.results, values=values.reset_index())
    clean = robustness.sentences(replace(study, results=results))[0]
    assert clean.startswith("Without noise plain_ae is better than baseline")


def test_sentences_of_one_seed_speak_of_these_weights(study: Study) -> None:
    clean, half, full = robustness.sentences(study)
    assert clean.startswith(
        "Without noise plain_ae's mel L1 is lower, of these weights: 0.480 against 0.530"
    )
    assert full.startswith("With latent noise of 1 baseline's mel L1 is lower, of these weights:")
    assert "better" not in f"{clean} {half} {full}"


def test_sentences_say_who_is_better_at_each_noise(planned: Study) -> None:
    clean, half, full = robustness.sentences(planned)
    assert clean.startswith(
        "Without noise plain_ae is better than baseline: mel L1 0.480 against 0.529"
    )
    assert half.startswith(
        "With latent noise of 0.5 baseline is better than plain_ae: mel L1 0.604 against 0.730"
    )
    assert full.startswith(
        "With latent noise of 1 baseline is better than plain_ae: mel L1 0.679 against 0.980"
    )
    best = robustness.best_by_noise(robustness.curves(planned))
    assert best[0.0] == "plain_ae"
    assert best[1.0] == "no_adversary"


def test_curves_have_every_sigma_and_the_area_is_no_sigma(study: Study) -> None:
    assert [metric for metric in ROBUST if robustness.curves(study, metric)] == ["mel_l1"]
    assert list(robustness.curves(study)["baseline"]) == [0.0, 0.5, 1.0]
    assert list(robustness.curves(study, scaling=PER_DIM)["baseline"]) == [0.0, 0.5]
    assert robustness.areas(study)["plain_ae"].mean == pytest.approx(0.2)
    assert robustness.areas(study, scaling=PER_DIM)["plain_ae"].mean == pytest.approx(0.15)
    assert robustness.areas(study, "stoi") == {}
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
    references, models = page_rows.references(study), page_rows.models(study)
    training, ceiling = page_rows.headline(references[-1], models[0], seeds=1)
    assert "from 2.500 to 0.530, to 21% of the untrained model's, of these weights." in training
    repeated, _ = page_rows.headline(references[-1], models[0], seeds=3)
    assert "weights" not in repeated
    assert "PESQ-wb 1.37 of the ceiling's 3.53" in ceiling


def test_numbers_and_conditions_are_written_for_readers() -> None:
    assert formatting.chance(0.0234) == "p = 0.023"
    assert formatting.chance(0.0002) == "p < 0.001"
    assert formatting.chance(math.nan) == formatting.UNKNOWN
    assert formatting.plain(-0.5, 1) == f"{formatting.MINUS}0.5"
    assert describe("input_white_20", "stoi") == "STOI, input white 20"
    assert describe("latent_noise_1.0", "mel_l1") == "mel L1 at latent noise 1.0"
    assert describe("latent_noise_per_dim_0.5", "mel_l1_rise") == (
        "rise of mel L1 at latent noise per dim 0.5"
    )
    assert describe("latent_noise_area", "mel_l1_rise") == (
        "rise of mel L1, mean up to latent noise 0.5"
    )
    assert describe("latents", "speaker_probe") == "speaker probe"


def test_interactions_that_say_something_come_first_and_the_others_are_folded(
    by_hand: Callable[..., Study],
) -> None:
    ps = [0.9, 0.04, math.nan, 0.5, 0.06, 0.7, 0.2, 0.3, 0.01]
    rows = [
        {
            "condition": "reconstruction", "metric": "stoi" if not math.isnan(p) else "pesq_wb",
            "factor": f"no_{number}", "other": "no_x", "difference": 0.1 * p, "low": p, "high": p,
            "p": p, "p_holm": p, "clear": str(number == 1), "seeds": 2, "clips": 5,
        }
        for number, p in enumerate(ps)
    ]  # fmt: skip
    study = by_hand(["baseline"], {})
    study = replace(study, results=replace(study.results, interactions=rows))
    found = page_interactions(study)
    first, folded = ([row[1].text for row in one.rows] for one in (found.first, found.folded))
    assert first == ["no_1", "no_8", "no_4", "no_6", "no_7", "no_3"]  # the clear one, then by p
    assert folded == ["no_5", "no_0"]
    assert found.unmeasured == ["PESQ-wb"]
    assert [row[1].text for row in interactions(study).rows] == [*first, *folded, "no_2"]
