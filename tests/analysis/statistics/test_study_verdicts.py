"""Verdicts of whole studies whose answers are known, and what is said where none can be given."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.statistics.comparisons import stratum_name
from analysis.statistics.sequential import Look, look_again
from analysis.statistics.study_runs import StudyRun, read_study
from analysis.statistics.study_verdicts import find_verdicts
from analysis.statistics.tables import summarise_study
from analysis.statistics.verdicts import bonferroni
from dcvae.claims import read_claims

FACTORS = ("no_noise", "no_layernorm")
UNTOLD = ("latents", "speaker_probe")


def write_seeds(tables, root: Path, levels: Mapping[str, Sequence[float]], claims) -> None:
    """A run for each system and seed, with STOI about these levels."""
    for ablation, each in levels.items():
        for seed, level in enumerate(each):
            stated = claims.get(ablation, ())
            rows = tables.stoi(level, wobble=0.002, draw=seed)
            tables.write_run(root, ablation, rows, seed, stated)


def test_every_verdict_of_a_study(tmp_path, tables, verdicts):
    """Three paired seeds whose blocks differ by .1, and whose differences are told by hand."""
    base = (0.5, 0.6, 0.45)
    shift = {
        "lower": (-0.100, -0.102, -0.099),
        "higher": (0.100, 0.102, 0.099),
        "same": (0.001, -0.001, 0.0),
        "wild": (0.09, 0.0, 0.06),
    }
    levels = {"baseline": base}
    for name, each in shift.items():
        levels[name] = tuple(b + s for b, s in zip(base, each, strict=True))
    claims = {name: [tables.claim(direction="down")] for name in shift}
    write_seeds(tables, tmp_path, levels, claims)
    tables.write_run(tmp_path, "untold", tables.stoi(0.5), claims=[tables.claim("/".join(UNTOLD))])
    tables.write_run(tmp_path, "unscored", None, claims=[tables.claim()])
    summarise_study(tmp_path / "tiny")
    found = verdicts(tmp_path / "tiny").set_index("system")
    assert dict(found["verdict"]) == {
        "lower": "supported",
        "higher": "contradicted",
        "same": "negligible",
        "wild": "undecided",
        "untold": "not measured",
        "unscored": "not measured",
    }
    assert (found["seeds"]["lower"], found["clips"]["lower"]) == (3, 24)
    assert found["difference"]["lower"] == pytest.approx(-0.1003, abs=0.003)
    assert found["p_holm"]["lower"] == pytest.approx(4 * found["p"]["lower"], rel=0.5)
    assert found["seeds_needed"]["wild"] > 3
    assert math.isnan(found["seeds_needed"]["lower"])
    assert set(found["family"]) == {"study"}
    assert f"python -m analysis {tmp_path / 'tiny/unscored/seed0'}" in found["reason"]["unscored"]


def test_one_seed_gives_no_p_and_no_verdict(tmp_path, tables, verdicts):
    """However far apart the two are."""
    tables.write_run(tmp_path, "baseline", tables.stoi(0.5))
    tables.write_run(tmp_path, "x", tables.stoi(0.9), claims=[tables.claim()])
    summarise_study(tmp_path / "tiny")
    (row,) = verdicts(tmp_path / "tiny").itertuples()
    assert row.verdict == "one seed"
    assert math.isnan(row.p)
    assert math.isnan(row.p_holm)
    assert row.low < row.difference < row.high
    assert "second seed" in row.reason


def test_seeds_that_are_not_paired_are_told_and_left_out(tmp_path, tables, verdicts):
    for seed in (0, 1, 4):
        tables.write_run(tmp_path, "baseline", tables.stoi(0.5, draw=seed), seed)
    for seed in (0, 1, 2, 3):
        rows = tables.stoi(0.6, draw=seed)
        tables.write_run(tmp_path, "x", rows, seed, [tables.claim()])
    summarise_study(tmp_path / "tiny")
    (row,) = verdicts(tmp_path / "tiny").itertuples()
    assert row.seeds == 2
    assert row.reason == "seeds without a partner are left out: 2, 3, 4; 2 are paired"


def test_seeds_without_any_partner_give_no_verdict(tmp_path, tables, verdicts):
    tables.write_run(tmp_path, "baseline", tables.stoi(0.5), 0)
    tables.write_run(tmp_path, "x", tables.stoi(0.6), 1, [tables.claim()])
    summarise_study(tmp_path / "tiny")
    (row,) = verdicts(tmp_path / "tiny").itertuples()
    assert row.verdict == "not measured"
    assert row.reason == "its systems have no seed or no clip in common"


def test_a_claim_may_compare_with_another_system_and_state_a_share(tmp_path, tables, verdicts):
    """x against y, not against the baseline; 10% of y's .5 is .05."""
    claims = {"x": [tables.claim(against="y", margin="10%")]}
    levels = {"baseline": (0.9, 0.8), "x": (0.61, 0.53), "y": (0.6, 0.5)}
    write_seeds(tables, tmp_path, levels, claims)
    summarise_study(tmp_path / "tiny")
    (row,) = verdicts(tmp_path / "tiny").itertuples()
    assert row.against == "y"
    assert row.baseline == pytest.approx(0.55, abs=0.05)
    assert row.margin == pytest.approx(0.1 * row.baseline)
    assert row.difference == pytest.approx(0.02, abs=0.005)


def test_against_a_system_that_is_not_there(tmp_path, tables, verdicts):
    tables.write_run(tmp_path, "baseline", tables.stoi(0.5))
    tables.write_run(tmp_path, "x", tables.stoi(0.6), claims=[tables.claim(against="y")])
    summarise_study(tmp_path / "tiny")
    (row,) = verdicts(tmp_path / "tiny").itertuples()
    assert (row.verdict, row.reason) == ("not measured", "no run of y is there")


def test_a_damaged_claim_names_its_run(tmp_path, tables):
    tables.write_run(tmp_path, "x", tables.stoi(0.6), claims=[tables.claim(margin="0.1 dB")])
    with pytest.raises(ValueError, match=r"margin '0\.1 dB'"):
        summarise_study(tmp_path / "tiny")


def write_factorial(tables, root: Path, effects: Mapping[str, float], twist: float, seeds: int):
    """All cells of FACTORS, and a study that claims both; returns the study's folder."""
    rng, runs, claims = np.random.default_rng(0), [], []
    for factor in FACTORS:
        claims += read_claims(factor, [tables.claim(direction="down")])
    for seed in range(seeds):
        for size in range(len(FACTORS) + 1):
            for taken in combinations(FACTORS, size):
                level = 0.5 + 0.05 * seed + sum(effects[one] for one in taken)
                level += twist * (size == 2) + rng.normal(0, 0.0005)
                name = "both" if size == 2 else "".join(taken) or "baseline"
                rows = tables.stoi(level, wobble=0.001, draw=seed)
                folder = tables.write_run(root, name, rows, seed)
                place = folder.relative_to(root).as_posix()
                planned = {"ablation": name, "parts": list(taken), "seed": seed, "budget": None}
                runs.append({**planned, "folder": place})
    study = root / "studies" / "factorial"
    study.mkdir(parents=True)
    plan = {
        "name": "factorial",
        "factors": list(FACTORS),
        "claims": [asdict(one) for one in claims],
        "family": [one.id for one in claims],
        "runs": runs,
    }
    (study / "study.json").write_text(json.dumps(plan))
    return study


def test_a_factor_is_judged_by_its_main_effect(tmp_path, tables, verdicts):
    """Effects -.06 and 0 over both cells of the other factor, without interaction."""
    effects = {"no_noise": -0.06, "no_layernorm": 0.0}
    study = write_factorial(tables, tmp_path, effects, 0.0, seeds=3)
    assert summarise_study(study) == []
    found = verdicts(study).set_index("system")
    assert list(found["contrast"]) == ["main effect"] * 2
    assert list(found["stratum"]) == [""] * 2
    assert found["difference"]["no_noise"] == pytest.approx(-0.06, abs=0.003)
    assert dict(found["verdict"]) == {"no_noise": "supported", "no_layernorm": "negligible"}


def test_a_clear_interaction_gives_the_claim_within_its_strata(tmp_path, tables, verdicts):
    """Taking both away costs .1 more: -.02 with LayerNorm in place, -.12 with it taken away."""
    effects = {"no_noise": -0.02, "no_layernorm": 0.0}
    study = write_factorial(tables, tmp_path, effects, -0.1, seeds=4)
    summarise_study(study)
    found = verdicts(study)
    rows = found[found["system"] == "no_noise"].set_index("stratum")
    assert list(rows.index) == ["", "layernorm in place", "layernorm taken away"]
    assert stratum_name("compression_8x", False) == "without compression_8x"
    assert rows["difference"].tolist() == pytest.approx([-0.07, -0.02, -0.12], abs=0.003)
    assert rows["p_holm"].iloc[1] == pytest.approx(4 * rows["p"].iloc[1])  # two claims, two strata
    assert bonferroni(0.4, 4) == 1.0
    assert math.isnan(bonferroni(math.nan, 4))
    (interaction,) = find_verdicts(read_study(study)).interactions
    assert interaction.clear
    assert interaction.difference == pytest.approx(-0.1, abs=0.003)


def test_a_main_effect_has_a_verdict_in_the_full_design(tmp_path, tables, verdicts):
    """It costs .1, and nothing as long as the other part is in place; in both the average .05."""
    effects = {"no_noise": 0.0, "no_layernorm": -0.06}
    study = write_factorial(tables, tmp_path, effects, -0.1, seeds=4)
    summarise_study(study)
    found = verdicts(study)
    main = found[found["stratum"] == ""].set_index("system")
    assert dict(main["verdict"]) == {"no_noise": "supported", "no_layernorm": "supported"}
    simple = dict(main["full_design_verdict"])
    assert simple == {"no_noise": "negligible", "no_layernorm": "supported"}
    assert set(found.loc[found["stratum"] != "", "full_design_verdict"]) == {""}
    assert list(main["full_design_seeds"]) == [4, 4]
    table = pd.read_csv(study / "statistics.csv").set_index(["system", "condition", "metric"])
    p = table["p"]["no_layernorm", "reconstruction", "stoi"]
    assert main["full_design_p"]["no_layernorm"] == pytest.approx(2 * p)  # of two claims


def test_what_an_earlier_look_decided_in_the_full_design_stays(tmp_path, tables):
    study = write_factorial(tables, tmp_path, {"no_noise": 0.0, "no_layernorm": -0.06}, 0.0, 3)
    plan = json.loads((study / "study.json").read_text()) | {"max_seeds": 5}
    (study / "study.json").write_text(json.dumps(plan))
    name = "no_noise:reconstruction/stoi in the full design"
    earlier = Look(2, 0.01, {name: "contradicted"})
    _, (found, _, _), looks = look_again(read_study(study), [earlier])
    said = {one.system: one.full_design_verdict for one in found}
    assert said == {"no_noise": "contradicted", "no_layernorm": "supported"}
    assert set(looks[-1].decided) == {
        "no_noise:reconstruction/stoi",
        "no_layernorm:reconstruction/stoi",
        "no_layernorm:reconstruction/stoi in the full design",
    }


def test_a_relative_margin_is_a_share_of_each_effect_s_own_other_side(tmp_path, tables, verdicts):
    """.5 in the full design; .47 on average, where the other part costs .06."""
    study = write_factorial(tables, tmp_path, {"no_noise": 0.0, "no_layernorm": -0.06}, 0.0, 3)
    plan = json.loads((study / "study.json").read_text())
    for claim in plan["claims"]:
        claim |= {"margin": 0.1, "margin_is_relative": True}
    (study / "study.json").write_text(json.dumps(plan))
    summarise_study(study)
    row = verdicts(study).set_index("system").loc["no_noise"]
    level = row["baseline"] + 0.03
    assert row["margin"] == pytest.approx(0.1 * row["baseline"])
    assert row["full_design_margin"] == pytest.approx(0.1 * level, abs=0.0003)


def test_without_all_cells_a_factor_is_compared_with_the_baseline(tmp_path, tables, verdicts):
    effects = {"no_noise": -0.06, "no_layernorm": 0.0}
    study = write_factorial(tables, tmp_path, effects, 0.0, seeds=2)
    for path in tmp_path.glob("tiny/both/*/run.json"):
        path.unlink()
    summarise_study(study)
    found = verdicts(study)
    assert set(found["contrast"]) == {"difference"}
    assert set(found["full_design_verdict"]) == {""}


def test_claims_outside_the_family_are_exploratory_and_not_corrected(tmp_path, tables, verdicts):
    study = write_factorial(tables, tmp_path, {"no_noise": -0.06, "no_layernorm": 0.0}, 0.0, 3)
    plan = json.loads((study / "study.json").read_text())
    plan["family"] = plan["family"][:1]
    (study / "study.json").write_text(json.dumps(plan))
    summarise_study(study)
    found = verdicts(study).set_index("system")
    assert dict(found["family"]) == {"no_noise": "study", "no_layernorm": "exploratory"}
    assert found["p_holm"]["no_noise"] == pytest.approx(found["p"]["no_noise"])  # a family of one
    assert math.isnan(found["p_holm"]["no_layernorm"])


def test_a_family_that_names_an_unknown_claim_is_refused(tmp_path, tables):
    study = write_factorial(tables, tmp_path, {"no_noise": 0.0, "no_layernorm": 0.0}, 0.0, 1)
    plan = json.loads((study / "study.json").read_text())
    (study / "study.json").write_text(json.dumps({**plan, "family": ["x:y/z"]}))
    with pytest.raises(ValueError, match="the family names a claim that is not there: x:y/z"):
        summarise_study(study)


def write_looks(tables, root: Path, seeds: int, max_seeds: int = 8) -> Path:
    """A study that goes on until decided: "far" is found at once, "wild" never."""
    claims, runs = [], []
    for name in ("far", "wild"):
        claims += read_claims(name, [tables.claim()])
    shifts = {"baseline": [0.0] * 8, "far": [0.2, 0.2001] * 4, "wild": [0.05, -0.04] * 4}
    for seed in range(seeds):
        for name, each in shifts.items():
            rows = tables.stoi(0.5 + each[seed], wobble=0.0, draw=seed)
            place = f"tiny/{name}/seed{seed}"
            if not (root / place).exists():
                tables.write_run(root, name, rows, seed)
            planned = {"ablation": name, "parts": [name], "seed": seed, "budget": None}
            runs.append({**planned, "folder": place})
    study = root / "studies" / "looks"
    study.mkdir(parents=True, exist_ok=True)
    plan = {
        "name": "looks", "factors": [], "claims": [asdict(one) for one in claims],
        "family": [one.id for one in claims], "runs": runs,
        "until": "decided", "max_seeds": max_seeds,
    }  # fmt: skip
    (study / "study.json").write_text(json.dumps(plan))
    return study


def test_a_look_spends_its_share_and_what_it_decided_stays(tmp_path, tables, verdicts):
    study = write_looks(tables, tmp_path, 2)
    summarise_study(study)
    record = json.loads((study / "statistics.json").read_text())
    assert record["looks"] == [
        {"seeds": 2, "alpha": 0.0125, "decided": {"far:reconstruction/stoi": "supported"}}
    ]
    assert record["open"] == ["wild:reconstruction/stoi"]
    summarise_study(write_looks(tables, tmp_path, 3))
    record = json.loads((study / "statistics.json").read_text())
    assert [look["seeds"] for look in record["looks"]] == [2, 3]
    assert record["looks"][1]["alpha"] == pytest.approx(0.05 / 8)
    found = verdicts(study).set_index("system")
    assert found["verdict"]["far"] == "supported"
    assert found["look"]["far"] == 1
    assert math.isnan(found["look"]["wild"])


def test_a_study_stopped_in_the_middle_of_a_look_has_not_looked(tmp_path, tables, verdicts):
    """A third block of which one run is missing: the second look's verdicts, no new spending."""
    study = write_looks(tables, tmp_path, 3)
    (tmp_path / "tiny/wild/seed2/analysis/table.csv").unlink()
    for _ in range(2):
        summarise_study(study)
        record = json.loads((study / "statistics.json").read_text())
        assert [look["seeds"] for look in record["looks"]] == [2]
        assert set(verdicts(study)["seeds"]) == {2}


def test_a_study_whose_first_block_is_not_whole_decides_nothing(tmp_path, tables, verdicts):
    study = write_looks(tables, tmp_path, 2)
    (tmp_path / "tiny/wild/seed0/analysis/table.csv").unlink()
    summarise_study(study)
    record = json.loads((study / "statistics.json").read_text())
    assert record["looks"] == []
    assert set(verdicts(study)["verdict"]) == {"not measured"}


def test_one_seed_is_no_look_and_spends_nothing(tmp_path, tables):
    summarise_study(write_looks(tables, tmp_path, 1))
    study = write_looks(tables, tmp_path, 2)
    summarise_study(study)
    (look,) = json.loads((study / "statistics.json").read_text())["looks"]
    assert look["alpha"] == pytest.approx(0.05 * 2 / 8)


def test_a_command_is_as_short_as_the_working_folder_allows(tmp_path, monkeypatch):
    described = {"ablation": "a", "size": "tiny", "seed": 0, "status": "finished"}
    lone = StudyRun(tmp_path / "runs" / "tiny" / "a" / "seed0", described)
    assert lone.command == f"python -m analysis {lone.folder}"
    monkeypatch.chdir(tmp_path)
    assert lone.command == "python -m analysis runs/tiny/a/seed0"


def test_a_run_that_is_not_finished_is_trained_first():
    described = {"ablation": "a+b", "size": "tiny", "seed": 1, "status": "running", "budget": 350}
    run = StudyRun(Path("runs/tiny-350steps/a+b/seed1"), described)
    assert run.command == (
        "accelerate launch experiments/run.py ablation=[a,b] size=tiny seed=1 trainer.steps=350"
    )
