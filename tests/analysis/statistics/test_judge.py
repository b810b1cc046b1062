"""Verdicts on claims whose answer is known, and what is said where none can be given."""

import math
from pathlib import Path

import numpy as np
import pytest

from analysis.claims import judge, verdict
from analysis.metrics.bootstrap import Comparison
from analysis.ratios import find_ratios
from analysis.study import Study, StudyRun
from analysis.table import Row, make_table

STOI = ("reconstruction", "stoi")


def compared(difference: float, p: float) -> Comparison:
    return Comparison(0.5 + difference, 0.5, difference - 0.01, difference + 0.01, 1.0, p, 40)


def run(ablation: str, metric: str = "", direction: str = "up", **more) -> StudyRun:
    claim = {"text": f"{ablation}.", "metric": metric, "direction": direction} if metric else None
    described = {"ablation": ablation, "size": "tiny", "seed": 0, "status": "finished"}
    folder = Path("runs/tiny") / ablation / "seed0"
    ratios = more.pop("ratios", {})
    return StudyRun(folder, {**described, "claim": claim, **more}, ratios)


@pytest.mark.parametrize(
    ("difference", "p", "direction", "expected"),
    [
        (0.1, 0.01, "up", "supported"),
        (-0.1, 0.01, "down", "supported"),
        (0.1, 0.01, "down", "contradicted"),
        (-0.1, 0.01, "up", "contradicted"),
        (0.1, 0.05, "up", "undecided"),
        (0.1, math.nan, "up", "undecided"),
        (0.1, 0.01, "sideways", "undecided"),
    ],
)
def test_the_verdict_is_of_the_sign_where_p_is_below_5_percent(difference, p, direction, expected):
    assert verdict(difference, p, direction) == expected


def test_all_measured_claims_are_one_family_and_others_are_no_test():
    runs = [run("baseline", "stoi"), run("a", "stoi"), run("b", "reconstruction/stoi", "down")]
    study = Study([*runs, run("c", "latents/speaker_probe"), run("d", "stoi"), run("no_claim")])
    comparisons = {
        ("a", STOI): compared(0.2, 0.02),
        ("b", STOI): compared(0.2, 0.001),
        ("d", STOI): compared(0.2, math.nan),
        ("no_claim", STOI): compared(0.2, 0.001),
    }
    found = {one.ablation: one for one in judge(study, comparisons)}
    assert list(found) == ["a", "b", "c", "d"]
    assert found["a"].p_holm == pytest.approx(0.02)  # the larger of two
    assert found["b"].p_holm == pytest.approx(0.002)
    assert [one.verdict for one in found.values()] == [
        "supported", "contradicted", "not measured", "undecided",
    ]  # fmt: skip
    assert (found["a"].condition, found["a"].metric) == STOI
    assert (found["a"].value, found["a"].baseline) == (0.7, 0.5)
    assert found["a"].difference == pytest.approx(0.2)
    assert "several seeds" in found["d"].reason


def test_enough_claims_make_a_weak_one_undecided():
    study = Study([run(name, "stoi") for name in "abcdef"])
    comparisons = {(name, STOI): compared(0.2, 0.04) for name in "abcdef"}
    assert {one.verdict for one in judge(study, comparisons)} == {"undecided"}
    assert {one.verdict for one in judge(Study([run("a", "stoi")]), comparisons)} == {"supported"}


def ratios(*values: float, reason: str = ""):
    rows = [Row(f"c{i}", *STOI, value, reason) for i, value in enumerate(values)]
    return find_ratios(make_table("r", "x", 0, rows))


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        (
            [run("a", "stoi"), run("baseline")],
            ["tiny/a/seed0 has no", "analysis runs/tiny/a/seed0"],
        ),
        ([run("a", "stoi", ratios=ratios(1.0))], ["no run of baseline is there"]),
        (
            [run("a", "stoi", ratios=ratios(1.0)), run("baseline")],
            ["tiny/baseline/seed0 has no", "reconstruction/stoi", "python -m analysis"],
        ),
        (
            [run("a", "stoi", status="running"), run("baseline")],
            ["accelerate launch", "ablation=a size=tiny seed=0"],
        ),
        (
            [run("a", "stoi", ratios=ratios(np.nan, reason="it is silent")), run("baseline")],
            ["every measurement of tiny/a/seed0 failed: it is silent"],
        ),
        (
            [run(name, "stoi", ratios=ratios(1.0)) for name in ("a", "baseline")],
            ["no clip in common"],
        ),
    ],
)
def test_what_is_not_measured_says_why_and_what_to_run(runs, words):
    (found,) = judge(Study(runs), {})
    assert found.verdict == "not measured"
    assert math.isnan(found.p_holm)
    assert math.isnan(found.difference)
    assert all(word in found.reason for word in words), found.reason


def test_a_command_is_as_short_as_the_working_folder_allows(tmp_path, monkeypatch):
    described = {"ablation": "a", "size": "tiny", "seed": 0, "status": "finished"}
    lone = StudyRun(tmp_path / "runs" / "tiny" / "a" / "seed0", described)
    assert lone.command == f"python -m analysis {lone.folder}"
    monkeypatch.chdir(tmp_path)
    assert lone.command == "python -m analysis runs/tiny/a/seed0"
