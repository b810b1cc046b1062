"""Effects against the training budget."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from reports.figures.lines import panels
from reports.figures.plot import INTERVALS, Plot
from reports.figures.style import current
from reports.study.budgets import BudgetEffect, BudgetTrend, trends_of
from reports.study.study import Study

COLUMNS = ["system", "name", "what", "steps", "mean", "low", "high", "margin", "is_repeated"]


def table(study: Study) -> pd.DataFrame:
    """The columns COLUMNS: a claim's effect at each training budget; `name` is without it."""
    rows = [row(trend, one) for trend in trends_of(study) for one in trend.effects]
    return pd.DataFrame(rows, columns=COLUMNS)


def row(trend: BudgetTrend, one: BudgetEffect) -> tuple[object, ...]:
    place = (trend.claim.system, trend.name, trend.claim.what, one.steps)
    return (*place, one.effect.mean, one.effect.low, one.effect.high, one.margin, one.seeds > 1)


def draw(points: pd.DataFrame) -> Figure:
    """A panel a metric, over a band where effects are smaller than the margin."""
    metrics = list(points["what"].unique())
    firsts = points.drop_duplicates("system").set_index("system")["name"]
    names = {str(system): current().name(name) for system, name in firsts.items()}
    figure, grid = panels(metrics, [""], names, "Effects by training budget")
    for (what, _), axes in grid.items():
        chosen = points[points["what"] == what]
        draw_margin(axes, chosen)
        axes.axhline(0, color=current().theme.muted, lw=1.0)
        for system, line in chosen.groupby("system", sort=False):
            draw_line(axes, str(system), line)
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


def draw_line(axes: Axes, system: str, line: pd.DataFrame) -> None:
    """Effects with their intervals where they have one; hollow markers are of one seed."""
    look = current().look(system)
    axes.plot(line["steps"], line["mean"], look.dash, color=look.colour, lw=1.0, label=system)
    axes.vlines(line["steps"], line["low"], line["high"], colors=look.colour, lw=2.0, label=system)
    for is_repeated, some in line.groupby("is_repeated"):
        fill = look.colour if is_repeated else current().theme.paper
        axes.plot(
            some["steps"], some["mean"], ls="", marker=look.marker or "o", markersize=5,
            color=look.colour, markerfacecolor=fill, label=system,
        )  # fmt: skip


PLOTS = [
    Plot(
        "budgets",
        "The effect that each claim is about, by training steps",
        "System minus the one that it is compared with, both trained for as many steps, each budget"
        " a training of its own; where the ablation is a factor, in the full design alone. Whiskers"
        f" are {INTERVALS}, hollow markers of one seed; effects in the shaded band are smaller than"
        " the margin.",
        "claims",
        table,
        draw,
    )
]
