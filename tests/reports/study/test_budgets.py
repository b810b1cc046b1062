"""Claims at several training budgets: on the page, in the paper's files and in the answer."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from analysis.statistics.tables import summarise_study
from reports.answer import answer
from reports.figures import budgets as figure
from reports.figures import claims_forest
from reports.figures.style import COLUMN, LIGHT, PAPER, WIDTH, Theme, styled
from reports.formatting import signed
from reports.page.html import render
from reports.study.budgets import (
    BudgetChange,
    BudgetTrend,
    at_one_budget,
    change_sentences,
    find_trends,
    sentences,
)
from reports.study.claims import claims
from reports.study.collect import collect
from reports.study.results import Estimate
from reports.study.study import Study
from reports.tables.budgets import budgets, told

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
    found = find_trends(claims(study), study.results)[0]
    effects = [replace(found.effects[0], steps=n, verdict=said) for n, said in verdicts.items()]
    return replace(found, effects=effects)


def test_a_trend_has_the_effect_in_the_full_design_at_each_budget(grown: Study) -> None:
    (found,) = find_trends(claims(grown), grown.results)
    assert (found.name, found.claim.system) == ("no_noise", "no_noise")
    assert [one.steps for one in found.effects] == [FURTHER, OWN]
    cell = "latent_noise_1.0", "mel_l1"
    for one, system in zip(found.effects, ("no_noise@300", "no_noise"), strict=True):
        assert one.effect.mean == grown.results.difference(system, *cell).mean
    # .45 - .15 of slope: what LayerNorm's absence adds is not of the full design
    assert found.effects[1].effect.mean == pytest.approx(0.3, abs=0.02)
    assert found.claim.difference.mean > 0.4


def test_a_claim_stands_once_among_the_findings_and_in_the_forest(grown: Study) -> None:
    found = claims(grown)
    once = at_one_budget(found)
    assert {one.system for one in found} - {one.system for one in once} == {
        "no_noise@300",
        "no_layernorm@300",
    }
    assert "no_noise@300" not in set(claims_forest.table(grown)["system"])


@pytest.mark.parametrize(
    ("verdicts", "chosen"),
    [
        (("undecided", "supported"), 0),
        (("one seed", "supported"), 1),
        (("one seed", "not measured"), 0),
        (("not measured", "one seed"), 1),
    ],
)
def test_a_claim_stands_at_the_first_budget_with_two_seeds(
    grown: Study, verdicts: tuple[str, str], chosen: int
) -> None:
    pair = [one for one in claims(grown) if one.system.startswith("no_noise")]
    pair = [replace(one, verdict=said) for one, said in zip(pair, verdicts, strict=True)]
    assert at_one_budget(pair) == [pair[chosen]]


def test_claims_without_a_value_or_outside_the_family_are_no_trend(grown: Study) -> None:
    own, further = (one for one in claims(grown) if one.system.startswith("no_noise"))
    assert len(find_trends([own, further], grown.results)) == 1
    lacking = replace(further, difference=replace(further.difference, mean=math.nan))
    assert find_trends([own, lacking], grown.results) == []
    exploratory = [replace(one, is_exploratory=True) for one in (own, further)]
    assert find_trends(exploratory, grown.results) == []


def test_a_budget_of_the_size_s_own_steps_is_no_other_one(grown: Study) -> None:
    own, further = (one for one in claims(grown) if one.system.startswith("no_noise"))
    results = replace(grown.results, record={"steps": FURTHER})
    assert find_trends([own, further], results) == []


def test_what_another_system_is_compared_with_is_named(grown: Study) -> None:
    pair = [one for one in claims(grown) if one.system.startswith("no_noise")]
    pair = [replace(one, against=f"other{one.against.removeprefix('baseline')}") for one in pair]
    assert [one.name for one in find_trends(pair, grown.results)] == ["no_noise to other"]


def test_one_budget_is_no_trend(grown: Study, planned: Study) -> None:
    assert find_trends(claims(planned), planned.results) == []
    unknown = replace(grown.results, record={})  # the size's own steps
    assert find_trends(claims(grown), unknown) == []
    assert budgets([]).empty
    assert figure.table(planned).empty
    assert list(sentences([])) == []


@pytest.mark.parametrize(
    ("verdicts", "told"),
    [
        ({300: "undecided", 1200: "supported"}, "No claim is decided at two budgets so far"),
        ({300: "one seed", 1200: "one seed"}, "No claim is decided at two budgets so far"),
        (
            {300: "supported", 700: "one seed", 1200: "supported"},
            "1 claim is decided at two budgets or more, none of them differently.",
        ),
        (
            {300: "negligible", 1200: "supported"},
            "1 of them differently. no_noise, mel L1 at latent noise 1.0: negligible at 300 steps,"
            " supported at 1,200 steps.",
        ),
    ],
)
def test_it_is_told_which_verdicts_change_of_those_that_can_be_compared(
    grown: Study, verdicts: dict[int, str], told: str
) -> None:
    assert told in " ".join(sentences([trend(grown, verdicts)]))


def test_it_is_told_which_effects_change_clearly(grown: Study) -> None:
    (found,) = find_trends(claims(grown), grown.results)
    assert found.change is not None
    change = BudgetChange(300, 1200, Estimate(0.25, 0.2, 0.3, 6), p_holm=0.02, clear=True, seeds=2)
    unclear = replace(found, change=replace(found.change, clear=False))
    assert list(change_sentences([replace(found, change=None)])) == []
    assert list(change_sentences([unclear])) == [
        "1 effect is tested for a change with the budget; none is clear."
    ]
    assert list(change_sentences([unclear, replace(found, change=change)])) == [
        "2 effects are tested for a change with the budget; clear ones: no_noise, mel L1 at latent"
        " noise 1.0."
    ]


def test_the_table_has_a_column_a_budget(grown: Study) -> None:
    found = find_trends(claims(grown), grown.results)
    table = budgets(found)
    assert [one.title for one in table.columns] == [
        "system", "metric", "300 steps", "1,200 steps", "change", "from, to (seeds)",
        "p after Holm", "verdicts (seeds)",
    ]  # fmt: skip
    (row,) = table.rows
    assert row[2].text.startswith("+0.3")
    assert row[2].interval
    effects = [one.effect.mean for one in found[0].effects]
    change = found[0].change
    assert change is not None
    assert change.difference.mean == pytest.approx(effects[1] - effects[0])
    assert row[4].text == signed(change.difference.mean)
    assert row[5].text == "300 to 1,200 (2)"
    assert row[6].raw == change.p_holm
    assert row[7].text == "supported (2), supported (2)"
    sure = replace(found[0], change=replace(change, p_holm=1e-5))
    assert budgets([sure]).rows[0][6].text == "< 0.001"
    assert told(replace(found[0].effects[0], verdict="one seed", seeds=1)) == "one seed"
    shorter = replace(found[0], effects=found[0].effects[1:], change=None)
    row = budgets([*found, shorter]).rows[1]
    dash = "\N{EN DASH}"
    assert [one.text for one in row[4:]] == [dash, dash, dash, f"{dash}, supported (2)"]


def test_page_and_answer_tell_it(grown: Study) -> None:
    page = render(grown, "2025-01-31", [])
    assert page.count("Other training budgets") == 1
    assert "1,200 steps" in page
    folder = grown.runs[0].folder.parents[2] / "studies" / "grown"
    text = answer(folder)
    assert "Other training budgets" in text
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
    (axes,) = drawn.axes
    line = next(one for one in axes.lines if one.get_label() == "no_noise")
    assert list(line.get_xdata()) == [FURTHER, OWN]
    band = axes.collections[0].get_datalim(axes.transData)
    assert (band.y0, band.y1) == pytest.approx((-0.02, 0.02))  # the margin


def test_a_point_without_an_interval_leaves_the_others_theirs(grown: Study) -> None:
    """Of one seed a measure of the whole set has none; its marker is hollow."""
    points = figure.table(grown)
    points.loc[points["steps"] == FURTHER, ["low", "high"]] = math.nan
    points.loc[points["steps"] == FURTHER, "is_repeated"] = False
    with styled(LIGHT, grown.systems, WIDTH):
        (axes,) = figure.draw(points).axes
    whiskers = [one for one in axes.collections[1].get_segments() if len(one)]
    assert [tuple(one[:, 0]) for one in whiskers if not np.isnan(one).any()] == [(OWN, OWN)]
    fills = {one.get_xdata()[0]: one.get_markerfacecolor() for one in axes.lines[2:]}
    assert fills == {FURTHER: LIGHT.paper, OWN: axes.lines[1].get_color()}


def test_budgets_alone_have_the_looks_of_their_systems(grown: Study) -> None:
    systems = ["baseline@300", "no_noise@300", "plain_ae@300"]
    points = figure.table(grown).assign(system="no_noise@300", name="no_noise")
    with styled(LIGHT, systems, WIDTH) as style:
        drawn = figure.draw(points)
    assert drawn.axes[0].lines[1].get_color() == style.look("no_noise@300").colour
    assert [one.get_text() for one in drawn.legends[0].get_texts()] == ["no_noise"]
