"""The design's promises: which ablation tells of each, with which verdict, and what is missing."""

from pathlib import Path
from typing import Any

import pytest

from reports.claims import claims
from reports.collect import collect
from reports.design_claims import DESIGN, findings, others, summary
from reports.statistics import Statistics
from reports.study import Run, Study

NAN = float("nan")
FOLDER = Path("runs/tiny")


def statistic(ablation: str, metric: str, value: float, *difference: float) -> dict[str, Any]:
    """A row of statistics.csv, with the difference to the baseline and its interval."""
    mean, low, high = difference or (NAN, NAN, NAN)
    return {
        "ablation": ablation, "condition": "latents", "metric": metric, "value": value,
        "low": NAN, "high": NAN, "n_scored": 2.0, "n_failed": 0.0, "seeds": 2.0,
        "difference": mean, "difference_low": low, "difference_high": high,
        "effect": NAN, "p": NAN, "n_paired": 0.0, "reason": "",
    }  # fmt: skip


def claim_row(ablation: str, direction: str, verdict: str) -> dict[str, Any]:
    """A row of claims.csv about STOI."""
    return {
        "ablation": ablation, "text": f"the file of {ablation}", "condition": "reconstruction",
        "metric": "stoi", "direction": direction, "baseline": 0.8, "value": 0.9,
        "difference": 0.1, "low": 0.05, "high": 0.15, "effect": 1.0, "p": 0.001,
        "p_holm": 0.002, "verdict": verdict, "n_paired": 40.0, "reason": "",
    }  # fmt: skip


def study_of(rows: list[dict[str, Any]], stated: list[dict[str, Any]] | None = None) -> Study:
    names = ["baseline", *(row["ablation"] for row in [*rows, *(stated or [])])]
    runs = [
        Run(FOLDER / name / "seed0", {"ablation": name, "size": "tiny", "seed": 0})
        for name in dict.fromkeys(names)
    ]
    by_key = {(row["ablation"], row["condition"], row["metric"]): row for row in rows}
    return Study("tiny", runs, Statistics(by_key, stated or [], {}))


def test_each_promise_is_there_with_its_ablation_its_figure_or_the_command(runs: Path) -> None:
    study = collect(runs)
    found = findings(study, ["quality-stoi", "latent-noise-mel-l1"])
    assert [one.text for one in found] == [one.text for one in DESIGN]
    noise, norm, dispersive, critics, compression = found
    (evidence,) = noise.evidence
    assert (evidence.ablation, evidence.text) == ("plain_ae", "It does not bear noise.")
    assert evidence.difference.mean == pytest.approx(0.3)
    assert (noise.verdict, evidence.verdict) == ("not isolated", "supported")
    assert "without LayerNorm and repulsion too" in evidence.reason
    assert noise.figure == "latent-noise-mel-l1"
    assert noise.unrun == [
        "accelerate launch experiments/run.py ablation=no_noise size=tiny"
        f" && python -m analysis {runs / 'tiny' / 'no_noise' / 'seed0'}"
    ]
    assert (norm.verdict, norm.evidence, norm.figure) == ("not measured", [], "")
    assert "ablation=no_layernorm size=tiny" in norm.unrun[0]
    assert dispersive.verdict == "not measured"
    assert "run `python -m analysis" in dispersive.evidence[0].reason
    assert "ablation=no_adversary size=tiny" in critics.unrun[0]
    names = [line.split("ablation=")[1].split()[0] for line in compression.unrun]
    assert names == ["compression_32x", "compression_8x"]


def test_an_ablation_of_the_part_alone_decides() -> None:
    rows = [
        {**claim_row(name, "up", verdict), "condition": "latent_noise_1.0", "metric": "mel_l1"}
        for name, verdict in (("plain_ae", "supported"), ("no_noise", "undecided"))
    ]
    assert findings(study_of([], rows), [])[0].verdict == "undecided"


def test_an_ablations_claim_is_not_said_twice(runs: Path) -> None:
    study = collect(runs)
    assert len(claims(study)) == 2
    assert others(claims(study), findings(study, [])) == []


def test_a_claim_that_expects_the_opposite_turns_the_verdict_and_stays_in_the_list() -> None:
    """Where 8x keeps words better than 16x, as its file expects, 16x has lost some."""
    study = study_of([], [claim_row("compression_8x", "up", "supported")])
    last = findings(study, [])[-1]
    assert last.verdict == "contradicted"
    assert last.evidence[0].text == "At 8x words are kept no better."
    (own,) = others(claims(study), [last])
    assert (own.text, own.verdict) == ("the file of compression_8x", "supported")
    mixed = study_of(
        [],
        [
            claim_row("compression_8x", "up", "supported"),
            claim_row("compression_32x", "down", "supported"),
        ],
    )
    assert findings(mixed, [])[-1].verdict == "mixed"


@pytest.mark.parametrize(
    ("difference", "verdict", "reason"),
    [
        ((-4.0, -6.0, -2.0), "supported", "interval alone"),
        ((4.0, 2.0, 6.0), "contradicted", "interval alone"),
        ((-4.0, -9.0, 1.0), "undecided", "interval alone"),
        ((-4.0, NAN, NAN), "undecided", "train several seeds"),
        ((), "not measured", "run `python -m analysis runs/tiny/no_layernorm/seed0`"),
    ],
)
def test_what_no_file_claims_is_judged_by_its_interval(
    difference: tuple[float, ...], verdict: str, reason: str
) -> None:
    rows = [
        statistic("baseline", "effective_rank", 20.0),
        statistic("no_layernorm", "effective_rank", 16.0, *difference),
    ]
    norm = findings(study_of(rows), [])[1]
    rank, dead = norm.evidence
    assert rank.verdict == norm.verdict == verdict
    assert reason in rank.reason
    assert (rank.baseline, rank.value) == (20.0, 16.0)
    assert dead.verdict == "not measured"


def test_a_summary_is_what_the_clear_verdicts_agree_on() -> None:
    assert summary(["supported", "undecided"]) == "supported"
    assert summary(["contradicted", "supported"]) == "mixed"
    assert summary(["undecided", "not measured"]) == "undecided"
    assert summary(["not measured"]) == summary([]) == "not measured"
