"""Claims at several training budgets: on the page, in the paper's files and in the answer."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from analysis.statistics.tables import summarise_study
from reports.answer import answer
from reports.figures import budgets as figure
from reports.figures import claims_forest
from reports.figures.style import COLUMN, LIGHT, PAPER, WIDTH, Theme, styled
from reports.page.html import render
from reports.study.budgets import BudgetTrend, at_first_budget, find_trends, sentences
from reports.study.claims import claims
from reports.study.collect import collect
from reports.study.study import Study
from reports.tables.budgets import budgets

OWN, FURTHER = 1200, 300  # steps of the runs: the size's own, and another budget


@pytest.fixture(scope="module")
def grown(
    tmp_path_factory: pytest.TempPathFactory,
    make_run: Callable[..., Path],
    make_plan: Callable[..., Path],
) -> Study:
    """A factorial at the size's own budget, and two of its systems at another one."""
    root = tmp_path_factory.mktemp("grown") / "runs"
    cells = ("baseline", "no_noise", "no_layernorm", "no_layernorm+no_noise")
    for system in cells:
        for seed in range(2):
            make_run(root, system, seed)
    for system in cells[:2]:
        for seed in range(2):
            make_run(root, system, seed, budget=FURTHER)
    plan = make_plan(root, "grown", dict.fromkeys(cells, range(2)), (None, FURTHER))
    assert summarise_study(plan) == []
    return collect(root, name="grown")


def trend(study: Study, verdicts: dict[int, str]) -> BudgetTrend:
    """The study's first trend, with these verdicts by steps."""
    found = find_trends(claims(study), OWN)[0]
    effects = [replace(found.effects[0], steps=n, verdict=said) for n, said in verdicts.items()]
    return replace(found, effects=effects)


def test_a_trend_has_the_effect_in_the_full_design_at_each_budget(grown: Study) -> None:
    (found,) = find_trends(claims(grown), grown.results.steps)
    assert (found.ablation, found.claim.system) == ("no_noise", "no_noise")
    assert [one.steps for one in found.effects] == [FURTHER, OWN]
    cell = "latent_noise_1.0", "mel_l1"
    for one, system in zip(found.effects, ("no_noise@300", "no_noise"), strict=True):
        assert one.effect.mean == grown.results.difference(system, *cell).mean
    # .45 - .15 of slope: what LayerNorm's absence adds is not of the full design
    assert found.effects[1].effect.mean == pytest.approx(0.3, abs=0.02)
    assert found.claim.difference.mean > 0.4


def test_a_claim_stands_once_among_the_findings_and_in_the_forest(grown: Study) -> None:
    found = claims(grown)
    once = at_first_budget(found)
    assert {one.system for one in found} - {one.system for one in once} == {
        "no_noise@300",
        "no_layernorm@300",
    }
    assert "no_noise@300" not in set(claims_forest.table(grown)["system"])


def test_a_claim_stands_at_the_first_budget_that_was_measured(grown: Study) -> None:
    own, further = (one for one in claims(grown) if one.system.startswith("no_noise"))
    unmeasured = replace(own, difference=replace(own.difference, mean=math.nan))
    assert at_first_budget([unmeasured, further]) == [further]
    assert at_first_budget([own, further]) == [own]
    lacking = replace(further, difference=replace(further.difference, mean=math.nan))
    assert find_trends([own, lacking], OWN) == []


def test_one_budget_is_no_trend(grown: Study, planned: Study) -> None:
    assert find_trends(claims(planned), OWN) == []
    assert find_trends(claims(grown), None) == []  # the size's own steps are unknown
    assert budgets([]).empty
    assert figure.table(planned).empty
    assert list(sentences([])) == []


@pytest.mark.parametrize(
    ("verdicts", "told"),
    [
        ({300: "negligible", 1200: "supported"}, "negligible at 300 steps, supported at 1,200"),
        ({300: "undecided", 1200: "supported"}, ""),
        ({300: "supported", 700: "one seed", 1200: "supported"}, ""),
    ],
)
def test_a_verdict_changes_where_two_budgets_decide_differently(
    grown: Study, verdicts: dict[int, str], told: str
) -> None:
    one = trend(grown, verdicts)
    (sentence,) = sentences([one])
    assert one.changes == bool(told)
    assert told in sentence
    assert sentence.startswith("The verdict on no_noise" if told else "No two budgets decide")


def test_the_table_has_a_column_a_budget(grown: Study) -> None:
    found = find_trends(claims(grown), OWN)
    table = budgets(found)
    assert [one.title for one in table.columns] == [
        "system", "metric", "300 steps", "1,200 steps", "verdicts",
    ]  # fmt: skip
    (row,) = table.rows
    assert row[2].text.startswith("+0.3")
    assert row[2].interval


def test_page_and_answer_tell_it(grown: Study) -> None:
    page = render(grown, "2025-01-31", [])
    assert page.count("As training grows") == 1
    assert "1,200 steps" in page
    folder = grown.runs[0].folder.parents[2] / "studies" / "grown"
    text = answer(folder)
    assert "As training grows" in text
    assert len([line for line in text.splitlines() if "no_noise@300" in line]) == 0


@pytest.mark.parametrize(("theme", "width"), [(LIGHT, WIDTH), (PAPER, COLUMN)])
def test_the_figure_has_a_panel_a_metric(
    grown: Study, theme: Theme, width: float, fits: Callable[[Figure], None]
) -> None:
    points = figure.table(grown)
    assert set(points["steps"]) == {FURTHER, OWN}
    with styled(theme, grown.systems, width):
        drawn = figure.draw(points)
        fits(drawn)
    assert len(drawn.axes) == 1
    (line,) = [one for one in drawn.axes[0].lines if one.get_label() == "no_noise"]
    assert list(line.get_xdata()) == [FURTHER, OWN]
