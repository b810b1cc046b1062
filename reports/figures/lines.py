"""Curves: a line a system with its interval as a band, and what names the lines."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.figures.legends import INCH, legend_below, length
from reports.figures.style import PALETTE, PAPER, current, end_labels, height_for

BANDS = 6  # lines whose intervals can be told apart when they overlap
ROOM = 4.5  # inches: narrower figures name the lines below their axes
ALONE = 2.6  # inches: height of a panel whose lines are named below
BESIDE = 0.36  # of a figure's width, at most, for names at the ends of lines
PANEL = 1.2  # inches: height of one of several panels
MARKED = 25  # points of a line that can be told apart

Grid = dict[tuple[str, str], Axes]


def draw_lines(axes: Axes, points: pd.DataFrame, x: str) -> None:
    """A line for each system of `points` (columns system, x, mean, low, high)."""
    style = current()
    few = points["system"].nunique() <= BANDS
    for name, line in points.groupby("system", sort=False):
        look = style.look(str(name))
        axes.plot(
            line[x],
            line["mean"],
            look.dash,
            color=look.colour,
            marker=look.marker if len(line) <= MARKED else "",
            markersize=4,
            lw=1.4,
            label=name,
        )
        if few:
            axes.fill_between(
                line[x], line["low"], line["high"], color=look.colour, alpha=0.12, lw=0, label=name
            )


def labels(values: pd.DataFrame, column: str, digits: int) -> dict[str, str]:
    """Each system's name, with its number of that column in brackets where it has one."""
    firsts = values.groupby("system", sort=False)[column].first()
    return {
        name: text + (f" ({firsts[name]:.{digits}f})" if pd.notna(firsts[name]) else "")
        for name, text in names_of(values).items()
    }


def names_of(points: pd.DataFrame) -> dict[str, str]:
    """What the figure calls each system of a table."""
    return {name: current().name(name) for name in points["system"].unique()}


def panel(names: Mapping[str, str]) -> tuple[Figure, Axes]:
    """A figure of one panel, with room for the lines' names."""
    width = current().width
    height = height_for(len(names)) if fit_beside(names) else ALONE
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def name_lines(figure: Figure, axes: Axes, points: pd.DataFrame, names: Mapping[str, str]) -> None:
    """Names at the right ends of the lines; below the axes where they would leave too little."""
    style = current()
    if not fit_beside(names):
        key(figure, names)
        return
    ends = points.groupby("system", sort=False)["mean"].last()
    end_labels(figure, axes, [(ends[name], names[name], style.look(name).colour) for name in names])


def fit_beside(names: Mapping[str, str]) -> bool:
    """Whether colours alone tell the lines apart, and names leave most of the width to them."""
    width = current().width
    if width < ROOM or len(names) > 1 + len(PALETTE):
        return False
    return max(length(one, 8) for one in names.values()) <= BESIDE * INCH * width


def panels(
    rows: Sequence[str],
    columns: Sequence[str],
    names: Mapping[str, str],
    title: str,
    height: float = PANEL,
) -> tuple[Figure, Grid]:
    """A panel for each row and column, on common scales, over a legend of all their lines."""
    style = current()
    size = (style.width, 0.9 + height * len(rows))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(rows), len(columns), sharex=True, sharey="row", squeeze=False)
    if style.theme is not PAPER:
        figure.suptitle(title, x=0.01, ha="left", fontsize=10.5, fontweight="bold")
    key(figure, names)
    places = [(row, column) for row in rows for column in columns]
    return figure, dict(zip(places, grid.flat, strict=True))


def key(figure: Figure, names: Mapping[str, str]) -> None:
    """The systems' lines and markers under the axes."""
    handles = []
    for name, text in names.items():
        look = current().look(name)
        handle = Line2D([], [], ls=look.dash, color=look.colour, lw=1.4, label=text)
        handle.set_marker(look.marker)
        handle.set_markersize(3.5)
        handles.append(handle)
    legend_below(figure, handles)
