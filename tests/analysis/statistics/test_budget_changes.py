"""How effects change with the training budget: seeds whose effects are set, against SciPy's t."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import pandas as pd
import pytest
from scipy import stats

from analysis.statistics.tables import summarise_study
from dcvae.claims import read_claims

OWN, BASE = 700, (0.5, 0.6, 0.45)  # steps of the size itself; the baseline by seed
Effects = Mapping[str, Mapping[int, Sequence[float]]]  # by ablation, budget and seed


@pytest.fixture
def changes(tmp_path, tables):
    """budget_changes.csv by ablation, of a study in which every clip has the effect of its seed."""

    def write_run(ablation: str, budget: int | None, seed: int, level: float) -> dict:
        rows = tables.stoi(level, wobble=0)
        more = {"budget": budget, "steps": budget or OWN}
        folder = tables.write_run(tmp_path, ablation, rows, seed, **more)
        parts = ablation.split("+") if ablation != "baseline" else []
        place = folder.relative_to(tmp_path).as_posix()
        return {"ablation": ablation, "parts": parts, "seed": seed, "budget": budget} | {
            "folder": place
        }

    def compute(
        effects: Effects,
        family: Sequence[str] | None = None,
        factors: Sequence[str] = (),
        margin: float | str = 0.01,
        baseline: Mapping[int, float] | None = None,
        unmeasured: Sequence[str] = (),
    ) -> pd.DataFrame:
        seeds = {
            budget: max(len(each[budget]) for each in effects.values() if budget in each)
            for budget in sorted({budget for each in effects.values() for budget in each})
        }
        everything = {"baseline": {n: [0.0] * most for n, most in seeds.items()}, **effects}
        level = baseline or {}
        runs = [
            write_run(
                name, None if steps == OWN else steps, seed,
                BASE[seed] + level.get(steps, 0.0) + effect,
            )
            for name, each in everything.items()
            for steps, found in each.items()
            for seed, effect in enumerate(found)
            if not math.isnan(effect)
        ]  # fmt: skip
        names = [name for name in effects if "+" not in name]
        stated = [tables.claim(margin=margin), *(tables.claim(one) for one in unmeasured)]
        claims = [one for name in names for one in read_claims(name, stated)]
        ids = [one.id for one in claims if family is None or one.ablation in family]
        study = tmp_path / "studies" / "budgets"
        study.mkdir(parents=True)
        plan = {
            "name": "budgets", "factors": list(factors), "family": ids, "runs": runs,
            "claims": [asdict(one) for one in claims],
        }  # fmt: skip
        (study / "study.json").write_text(json.dumps(plan))
        assert summarise_study(study) == []
        found = pd.read_csv(study / "budget_changes.csv")
        found = found[found["metric"] == "stoi"]
        return found.set_index(found["claim"].str.partition(":")[0])

    return compute


def test_the_change_is_tested_on_seeds_paired_with_themselves(changes):
    """Of x .05, .07, .06 from the shortest to the longest budget; of y the seeds disagree."""
    found = changes(
        {
            "x": {175: (0.05, 0.06, 0.04), 350: (0.3, 0.3, 0.3), OWN: (0.10, 0.13, 0.10)},
            "y": {175: (0.0, 0.0, 0.0), OWN: (0.03, -0.01, 0.02)},
        }
    )
    x, y = found.loc["x"], found.loc["y"]
    assert (x["shorter"], x["longer"], x["seeds"], x["clips"]) == (175, OWN, 3, 24)
    for one, by_seed in ((x, (0.05, 0.07, 0.06)), (y, (0.03, -0.01, 0.02))):
        test = stats.ttest_1samp(by_seed, 0)
        assert one["difference"] == pytest.approx(sum(by_seed) / 3)
        assert one["p"] == pytest.approx(test.pvalue)
        assert (one["low"], one["high"]) == pytest.approx(tuple(test.confidence_interval()))
    assert x["p_holm"] == pytest.approx(2 * x["p"])
    assert y["p_holm"] == pytest.approx(y["p"])
    assert (x["clear"], y["clear"]) == (True, False)


@pytest.mark.parametrize(("last", "clear"), [(0.102, False), (0.107, True)])
def test_a_change_is_clear_beyond_the_smaller_of_the_margins(changes, last, clear):
    """1% of about .52 and .92: .002 is within both, .007 between them; both are sure."""
    effects = {"x": {175: (0.10, 0.10, 0.10), OWN: (last, last + 0.0001, last - 0.0001)}}
    found = changes(effects, margin="1%", baseline={OWN: 0.4})
    assert found["p_holm"].item() < 0.05
    assert found["clear"].item() == clear


def test_the_budgets_are_the_furthest_that_have_two_seeds_in_common(changes):
    """Seed 1 alone is at 175 and 700 steps; 350 shares two with both."""
    found = changes(
        {
            "x": {
                175: (0.05, 0.06, math.nan),
                350: (0.06, 0.07, 0.08),
                OWN: (math.nan, 0.2, 0.2),
            },
            "y": {175: (0.05,), OWN: (0.2,)},
        }
    )
    x, y = found.loc["x"], found.loc["y"]
    assert (x["shorter"], x["longer"], x["seeds"]) == (350, OWN, 2)
    assert (y["longer"], y["seeds"]) == (0, 0)
    assert math.isnan(y["p_holm"])


def test_claims_that_cannot_be_tested_yet_count_in_the_family(changes):
    found = changes({"x": {175: (0.05, 0.06), OWN: (0.1, 0.13)}}, unmeasured=["latents/rank"])
    assert found["p_holm"].item() == pytest.approx(2 * found["p"].item())


def test_claims_outside_the_family_are_left_out(changes):
    each = {175: (0.05, 0.06), OWN: (0.2, 0.21)}
    assert list(changes({"x": each, "y": each}, family=["y"]).index) == ["y"]


def test_a_factor_s_effect_is_that_in_the_full_design(changes):
    """Its main effect over both cells would be .15 at the longer budget."""
    found = changes(
        {
            "no_noise": {175: (0.05, 0.06), OWN: (0.10, 0.11)},
            "no_norm": {OWN: (0.0, 0.0)},
            "no_noise+no_norm": {OWN: (0.2, 0.2)},
        },
        factors=["no_noise", "no_norm"],
    )
    assert list(found.index) == ["no_noise"]  # no_norm has one budget
    assert found["difference"].item() == pytest.approx(0.05)
