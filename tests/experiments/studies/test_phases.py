"""Factors, seeds, budgets and phases of a study, and what is written down before it runs."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dcvae.claims import Claim
from experiments.config import COMPOSING_ERRORS
from experiments.studies import plan
from experiments.studies.plan import make_plan
from experiments.studies.preflight import check_plan
from experiments.studies.registration import register
from experiments.studies.runner import describe, make_job


def test_a_factorial_is_all_compositions_beside_the_named_ablations():
    factors = "factors=[no_noise,no_layernorm]"
    made = make_plan(["study=smoke", factors, "ablations=[kl_vae_1e-3,[no_noise,no_layernorm]]"])
    assert len(made.ablations) == len(made.rows) == 5
    assert made.ablations == [
        "kl_vae_1e-3", "no_layernorm+no_noise", "baseline", "no_noise", "no_layernorm",
    ]  # fmt: skip
    alone = make_plan(["study=smoke", "factors=[no_noise,no_layernorm]", "ablations=null"])
    assert alone.ablations == ["baseline", "no_noise", "no_layernorm", "no_layernorm+no_noise"]
    row = next(row for row in made.rows if row.ablation == "no_layernorm+no_noise")
    model = row.composed.config["model"]
    assert (model["noise"], model["layernorm"]) == ("none", False)
    assert row.overrides[0] == "ablation=no_layernorm+no_noise"


def test_seeds_may_be_counts_by_ablation():
    made = make_plan(["study=smoke", "seeds={baseline: 3, default: 1}"])
    assert [row.name for row in made.rows] == [
        "baseline/seed0", "plain_ae/seed0", "baseline/seed1", "baseline/seed2",
    ]  # fmt: skip


def test_a_budget_is_part_of_a_runs_place_and_the_sizes_own_is_not():
    """Size debug has two steps of its own."""
    made = make_plan(["study=smoke", "budgets=[4,null,2]", "ablations=[baseline,no_noise]"])
    assert [(row.name, row.budget) for row in made.rows] == [
        ("baseline/seed0 (4 steps)", 4),
        ("no_noise/seed0 (4 steps)", 4),
        ("baseline/seed0", None),
        ("no_noise/seed0", None),
    ]
    longer, own = made.rows[0], made.rows[2]
    assert longer.run_dir == Path("runs/smoke/debug-4steps/baseline/seed0")
    assert own.run_dir == Path("runs/smoke/debug/baseline/seed0")
    assert longer.composed.config["trainer"]["steps"] == 4
    assert "trainer.steps=4" in longer.overrides
    assert make_job(made, longer).log != make_job(made, own).log
    (same, _) = make_plan(["study=smoke", "trainer.steps=4"]).rows
    assert same.composed == longer.composed


PHASES = """
phases:
  - {name: first, ablations: [baseline, no_noise], seeds: [0, 1]}
  - {name: second, factors: [no_noise, no_layernorm], seeds: {default: 1}}
  - {name: third, ablations: [baseline], seeds: {baseline: 3}, budgets: [null, 5]}
overrides: [size=debug]
"""


@pytest.fixture
def study_file(tmp_path, monkeypatch):
    """Writes a study file of that text, under the name "mine", beside the registry."""

    def write(text: str) -> str:
        conf = tmp_path / "conf"
        (conf / "study").mkdir(parents=True)
        (conf / "study" / "mine.yaml").write_text(text)
        monkeypatch.setattr(plan, "CONF", conf)
        return "study=mine"

    return write


def test_phases_follow_each_other_in_blocks_and_share_runs(study_file):
    made = make_plan([study_file(PHASES)])
    assert [(row.phase, row.name) for row in made.rows] == [
        ("first", "baseline/seed0"),
        ("first", "no_noise/seed0"),
        ("first", "baseline/seed1"),
        ("first", "no_noise/seed1"),
        ("second", "no_layernorm/seed0"),
        ("second", "no_layernorm+no_noise/seed0"),
        ("third", "baseline/seed0 (5 steps)"),
        ("third", "baseline/seed1 (5 steps)"),
        ("third", "baseline/seed2"),
        ("third", "baseline/seed2 (5 steps)"),
    ]
    heads = [line for line in describe(made) if line.startswith("# ")]
    assert heads[0] == "# phase first"
    assert heads.index("# phase second") == 5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (PHASES.replace("second", "first"), ["phase first", "twice"]),
        (PHASES + "seeds: [1]\n", ["seeds", "phases"]),
        (PHASES.replace("ablations: [baseline], seeds", "factors: [no_noise], seeds"),
         ["one factorial"]),
        (PHASES.replace("name: third", "nane: third"), ["nane"]),
    ],
)  # fmt: skip
def test_phases_that_cannot_be_planned_are_told(text, words, study_file):
    with pytest.raises((ValueError, *COMPOSING_ERRORS)) as error:
        make_plan([study_file(text)])
    assert all(word in str(error.value) for word in words), error.value


def test_a_study_writes_down_its_runs_and_claims_before_the_first(tmp_path):
    settings = ["study=smoke", f"runs_dir={tmp_path}", "factors=[no_noise,no_layernorm]",
                "budgets=[null,4]", "until=decided", "max_seeds=8"]  # fmt: skip
    made = make_plan([*settings, "family=[no_noise,plain_ae:latent_noise_area/mel_l1_rise]"])
    path = register(made)
    assert path == tmp_path / "studies" / "smoke" / "study.json"
    record = json.loads(path.read_text())
    assert (record["name"], record["size"]) == ("smoke", "debug")
    assert (record["until"], record["max_seeds"]) == ("decided", 8)
    assert record["factors"] == ["no_noise", "no_layernorm"]
    assert record["family"] == [
        "plain_ae:latent_noise_area/mel_l1_rise",
        "no_noise:latent_noise_area/mel_l1_rise",
        "no_noise:interface/stoi",
    ]
    claims = [Claim(**one) for one in record["claims"]]
    assert [claim.id for claim in claims] == [
        "plain_ae:latent_noise_area/mel_l1_rise",
        "plain_ae:interface/stoi",
        "no_noise:latent_noise_area/mel_l1_rise",
        "no_noise:interface/stoi",
        "no_layernorm:latent_noise_area/mel_l1_rise",
        "no_layernorm:latents/effective_rank",
        "no_layernorm:interface/stoi",
        "no_layernorm:modelability/standardising_gain",
    ]
    assert claims[5].margin_is_relative
    assert len(record["runs"]) == len(made.rows) == 10
    assert record["runs"][1] == {
        "ablation": "plain_ae",
        "parts": ["no_dispersive", "no_layernorm", "no_noise"],
        "seed": 0,
        "budget": None,
        "phase": "",
        "folder": "debug/plain_ae/seed0",
    }
    assert record["runs"][-1]["folder"] == "debug-4steps/no_layernorm+no_noise/seed0"
    for family, ids in ((None, [one.id for one in claims]), ([], [])):
        other = replace(made, name=f"of {len(ids)}", study=replace(made.study, family=family))
        assert json.loads(register(other).read_text())["family"] == ids


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["study=smoke", "seeds={default: 0}"], ["seeds of default", "from 1 on", "0"]),
        (["study=smoke", "seeds={baseline: 2}"], ["plain_ae", "default"]),
        (["study=smoke", "seeds={default: 1, kl_vae_1e-3: 2}"], ["kl_vae_1e-3", "not among"]),
        (["study=smoke", "seeds={default: 1, basline: 2}"], ["basline", "baseline"]),
        (["study=smoke", "seeds=[-1]"], ["a seed", "-1"]),
        (["study=smoke", "seeds=[0.5]"], ["a seed", "0.5"]),
        (["study=smoke", "seeds=3"], ["seeds", "list", "3"]),
        (["study=smoke", "ablations=[[no_noise,fixed_noise]]"], ["fixed_noise", "model.noise"]),
        (["study=smoke", "ablations=[no_adversary+no_band_critic]"], ["adversary", "contradict"]),
        (["study=smoke", "ablations=plain_ae"], ["list or all", "plain_ae"]),
        (["study=smoke", "ablations=[3]"], ["no ablation '3'"]),
        (["study=smoke", "ablations=[null]"], ["no ablation 'None'"]),
        (["study=smoke", "ablations=[]"], ["at least one"]),
        (["study=smoke", "ablations=[plain_ae,no_noise+no_layernorm+no_dispersive]"], ["twice"]),
        (["study=smoke", "factors=[no_noise,no_noise]"], ["factor no_noise", "twice"]),
        (["study=smoke", "factors=[plain_ae]"], ["plain_ae", "single"]),
        (["study=smoke", "factors=[no_noise,fixed_noise]"], ["fixed_noise", "model.noise"]),
        (["study=smoke", "factors=[no_nose]"], ["no_nose", "no_noise"]),
        (["study=smoke", "budgets=[0]"], ["budget", "0"]),
        (["study=smoke", "budgets=[]"], ["budgets", "left out"]),
        (["study=smoke", "budgets=[4,4]"], ["budget 4", "twice"]),
        (["study=smoke", "budgets=[many]"], ["many"]),
        (["study=smoke", "budgets=[4]", "trainer.steps=8"], ["trainer.steps=8", "budgets="]),
        (["study=reference", "seeds=[0]"], ["seeds", "phases"]),
        (["study=smoke", "phases=[{name: A}]"], ["ablations", "phases"]),
        (
            ["study=smoke", "family=[no_noise]"],
            ["no_noise", "plain_ae:latent_noise_area/mel_l1_rise"],
        ),
        (["study=smoke", "family=[plain_ae:reconstruction/stoi]"], ["plain_ae:reconstruction"]),
        (["study=smoke", "family=[baseline]"], ["family", "baseline"]),
        (["study=smoke", "ablations=[plain_ae]"], ["plain_ae:latent", "baseline", "family"]),
        (
            ["study=smoke", "ablations=[baseline,compression_8x_matched]"],
            ["compression_8x_matched:reconstruction/stoi", "compression_16x_matched"],
        ),
    ],
)
def test_what_cannot_be_planned_is_told_in_a_line(settings, words, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((ValueError, *COMPOSING_ERRORS)) as error:
        check_plan(make_plan(settings))
    assert all(word in str(error.value) for word in words), error.value
    assert not list(tmp_path.iterdir())
