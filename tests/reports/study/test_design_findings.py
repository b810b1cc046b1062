"""The design's promises: the claims that speak of each, what they agree on, and what is missing."""

from dataclasses import replace

import pytest

from dcvae.claims import COMPONENTS
from reports.figures import PLOTS
from reports.study.claims import claims
from reports.study.design_findings import FIGURES, command, commands, findings, summary
from reports.study.study import Study


def test_each_promise_has_its_claims_its_figure_or_the_command(planned: Study) -> None:
    found = findings(planned, claims(planned), ["quality-pesq-wb", "latent-noise-mel-l1"])
    assert [one.text for one in found] == list(COMPONENTS.values())
    by_name = dict(zip(COMPONENTS, found, strict=True))
    noise = by_name["noise"]
    assert [one.system for one in noise.evidence] == ["no_noise", "no_layernorm"]
    assert (noise.verdict, noise.figure) == ("supported", "latent-noise-mel-l1")
    assert by_name["layernorm"].figure == ""  # it is not on the page
    assert by_name["dispersive"].verdict == "not measured"
    assert "run `python -m analysis" in by_name["dispersive"].evidence[0].reason
    critics = by_name["critics"]
    assert [one.system for one in critics.evidence] == ["no_adversary"]
    assert critics.verdict == "undecided"
    assert critics.unrun == ["no_feature_matching"]
    assert critics.commands == ["python -m experiments.study study=parts"]
    folder = planned.runs[0].folder.parents[1] / "no_feature_matching" / "seed0"
    assert commands(replace(planned, name=""), critics.unrun) == [
        "accelerate launch experiments/run.py ablation=no_feature_matching size=tiny"
        f" && python -m analysis {folder}"
    ]
    assert by_name["compression"].verdict == "negligible"
    nothing = by_name["semantic"]
    assert (nothing.evidence, nothing.unrun, nothing.verdict) == ([], [], "not measured")


def test_an_exploratory_claim_decides_nothing(planned: Study) -> None:
    asked = [replace(one, is_exploratory=True) for one in claims(planned)]
    assert all(not one.evidence for one in findings(planned, asked, []))


def test_figures_are_of_components_and_are_drawn() -> None:
    assert set(FIGURES) <= set(COMPONENTS)
    assert {name for names in FIGURES.values() for name in names} <= {plot.name for plot in PLOTS}


def test_a_composition_and_a_budget_are_in_the_command(planned: Study) -> None:
    line = command(planned, "a+b@350")
    assert "ablation=[a,b] size=tiny trainer.steps=350 && python -m analysis" in line
    assert line.endswith("tiny-350steps/a+b/seed0")


@pytest.mark.parametrize(
    ("verdicts", "agreed"),
    [
        (["supported", "undecided"], "supported"),
        (["contradicted", "supported"], "mixed"),
        (["negligible", "supported"], "mixed"),
        (["negligible", "negligible", "one seed"], "negligible"),
        (["undecided", "one seed", "not measured"], "undecided"),
        (["one seed", "not measured"], "one seed"),
        (["not measured"], "not measured"),
        ([], "not measured"),
    ],
)
def test_a_summary_is_what_the_decided_verdicts_agree_on(verdicts: list[str], agreed: str) -> None:
    assert summary(verdicts) == agreed
