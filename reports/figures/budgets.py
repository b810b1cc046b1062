"""What taking a part away does, against the training budget."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from reports.figures.lines import draw_lines, names_of, panels
from reports.figures.plot import INTERVALS, Plot
from reports.figures.style import current
from reports.study.budgets import find_trends
from reports.study.claims import claims
from reports.study.results import Estimate
from reports.study.study import Study

COLUMNS = ["system", "what", "steps", "mean", "low", "high", "margin"]


def table(study: Study) -> pd.DataFrame:
    """The columns COLUMNS: a claim's effect in the full design at each training budget."""
    rows = [
        (trend.ablation, trend.claim.what, one.steps, *numbers(one.effect), one.margin)
        for trend in find_trends(claims(study), study.results.steps)
        for one in trend.effects
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def numbers(effect: Estimate) -> tuple[float, float, float]:
    return effect.mean, effect.low, effect.high


def draw(points: pd.DataFrame) -> Figure:
    """A panel a metric, over a band where effects are smaller than the margin."""
    metrics = list(points["what"].unique())
    figure, grid = panels(metrics, [""], names_of(points), "Effects by training budget")
    for (what, _), axes in grid.items():
        chosen = points[points["what"] == what]
        draw_margin(axes, chosen)
        draw_lines(axes, chosen, "steps")
        axes.axhline(0, color=current().theme.muted, lw=1.0)
        axes.set_title(what, loc="left", fontsize=9, fontweight="normal")
    last = grid[metrics[-1], ""]
    last.set_xscale("log")
    last.xaxis.set_major_locator(FixedLocator(sorted(points["steps"].unique())))
    last.xaxis.set_minor_locator(NullLocator())
    last.xaxis.set_major_formatter(FuncFormatter(lambda steps, _: f"{steps:,.0f}"))
    last.set_xlabel("training steps")
    return figure


def draw_margin(axes: Axes, points: pd.DataFrame) -> None:
    """The band within the margin of the metric, which a relative one follows."""
    margins = points.groupby("steps")["margin"].first()
    axes.fill_between(
        margins.index, -margins, margins, color=current().theme.grid, alpha=0.6, lw=0, zorder=0
    )


PLOTS = [
    Plot(
        "budgets",
        "The effect of taking a part out of the full design, by training steps",
        "The part removed from the full design, minus the full design trained for as many steps;"
        f" bands of colour are {INTERVALS}, and effects in the shaded band are smaller than the"
        " margin.",
        "claims",
        table,
        draw,
    )
]
