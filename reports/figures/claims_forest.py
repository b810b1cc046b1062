"""Every claim as a forest plot: the effect in units of its margin, and the verdict."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Annotation
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from reports.figures.legends import legend_below, name_rows
from reports.figures.plot import INTERVALS, VERDICTS, Plot
from reports.figures.style import current
from reports.study.budgets import at_one_budget
from reports.study.claims import Claim, claims
from reports.study.results import ONE_SEED, UNDECIDED
from reports.study.study import Study

MARKERS = {"supported": "o", "contradicted": "X", "negligible": "D", UNDECIDED: "s", ONE_SEED: "o"}
HOLLOW = (UNDECIDED, ONE_SEED)
LINEAR = 5.0  # up to such effects the axis is linear; beyond, logarithmic outside of +-1
TICKS = (0, 1, 10, 100, 1000)
ROW = 0.19  # inches
COLUMNS = [
    "label", "system", "group", "effect", "low", "high", "low_90", "high_90", "verdict",
    "is_exploratory", "claim",
]  # fmt: skip


def table(study: Study) -> pd.DataFrame:
    """The columns COLUMNS, a row a claim or stratum: in margins, positive as claimed; NaN unknown.

    Claims on systems without any run are left out: the page lists these by promise. So are those at
    further training budgets, which have a figure of their own. A group is the
    claims on one metric; `claim` numbers the claims, whose strata follow them.
    """
    rows = []
    asked = [one for one in at_one_budget(claims(study)) if one.system in study.systems]
    for number, main in enumerate(asked):
        rows += [row(one, main, number) for one in (main, *main.strata)]
    values = pd.DataFrame(rows, columns=COLUMNS)
    first = values.groupby("claim")["effect"].transform("first")
    order = values.assign(first=first).sort_values(
        ["is_exploratory", "group", "first"], ascending=[True, True, False], kind="stable"
    )
    values = values.loc[order.index].reset_index(drop=True)
    return values if values["effect"].notna().any() else values[:0]


def row(one: Claim, main: Claim, number: int) -> tuple[Any, ...]:
    """A claim, or one of its strata, in the columns COLUMNS."""
    scale, found = one.sign / one.margin, one.difference
    low, high = sorted((scale * found.low, scale * found.high))
    low_90, high_90 = sorted((scale * one.low_90, scale * one.high_90))
    label = f"· {one.stratum}" if one.stratum else one.system
    group = ("exploratory: " if one.is_exploratory else "") + main.what
    numbers = (scale * found.mean, low, high, low_90, high_90)
    return (label, one.system, group, *numbers, one.verdict, one.is_exploratory, number)


def draw(values: pd.DataFrame) -> Figure:
    """A row a claim under its metric's name, over a band where effects are negligible."""
    style = current()
    labels = rows_of(values)
    figure = Figure(figsize=(style.width, 0.95 + ROW * len(labels)), layout="constrained")
    axes = figure.subplots()
    axes.axvspan(-1, 1, color=style.theme.grid, alpha=0.6, lw=0, zorder=0)
    axes.axvline(0, color=style.theme.muted, lw=1.0)
    names = ["" if claim is None else style.name(label) for label, claim in labels]
    name_rows(axes, names, 8, folds=False)
    axes.spines["left"].set_visible(False)
    for place, (tick, (label, claim)) in enumerate(
        zip(axes.get_yticklabels(), labels, strict=True)
    ):
        if claim is None:
            write(axes, label, (0.0, place), "figure fraction", style="italic")
            continue
        tick.set_color(style.theme.muted if claim["is_exploratory"] else style.theme.ink)
        draw_claim(axes, claim, place)
    scale_effects(axes, values)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("effect in margins\n(right: as claimed)")
    style.title(axes, "Claims: effects in margins")
    name_verdicts(figure, values)
    return figure


def rows_of(values: pd.DataFrame) -> list[tuple[str, Any]]:
    """Label and claim from top to bottom; a group's name has none."""
    rows: list[tuple[str, Any]] = []
    for group, found in values.groupby("group", sort=False):
        rows.append((f"{group}:", None))
        rows += [(claim["label"], claim) for claim in found.to_dict("records")]
    return rows


def draw_claim(axes: Axes, claim: Any, place: int) -> None:
    """One row of the table: marker and whiskers, or that there is no measurement."""
    theme = current().theme
    colour = theme.muted if claim["is_exploratory"] else current().look(claim["system"]).colour
    if pd.isna(claim["effect"]):
        write(axes, claim["verdict"], (0, place), "data").set_label(claim["system"])
        return
    for low, high, width in (
        (claim["low"], claim["high"], 1.0),
        (claim["low_90"], claim["high_90"], 2.4),
    ):
        axes.plot(
            [low, high], [place, place], label=claim["system"],
            color=colour, lw=width, solid_capstyle="butt",
        )  # fmt: skip
    axes.plot(
        claim["effect"],
        place,
        MARKERS[claim["verdict"]],
        color=colour,
        label=claim["system"],
        markerfacecolor=theme.paper if claim["verdict"] in HOLLOW else colour,
        markersize=5,
    )


def write(
    axes: Axes, text: str, at: tuple[float, int], x: str, style: str = "normal"
) -> Annotation:
    """Words in a row of the plot, x in the coordinates of that name; they take no room from it."""
    words = axes.annotate(
        text,
        at,
        xycoords=(x, "data"),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=7.5,
        style=style,
        color=current().theme.muted,
    )
    words.set_in_layout(False)
    return words


def scale_effects(axes: Axes, values: pd.DataFrame) -> None:
    """A linear axis, or where effects are large, one that is logarithmic outside of +-1."""
    numbers = values[["effect", "low", "high"]].to_numpy(dtype=float)
    low, high = min(-1.0, np.nanmin(numbers)), max(1.0, np.nanmax(numbers))
    if max(-low, high) <= LINEAR:
        margin = 0.08 * (high - low)
        axes.set_xlim(low - margin, high + margin)
        return
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xlim(1.6 * min(low, -1), 1.6 * max(high, 1))
    ends = axes.get_xlim()
    ticks = {sign * tick for tick in TICKS for sign in (-1, 1)}
    axes.xaxis.set_major_locator(FixedLocator(sorted(x for x in ticks if ends[0] <= x <= ends[1])))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda effect, _: f"{effect:g}"))


def name_verdicts(figure: Figure, values: pd.DataFrame) -> None:
    """The markers of the verdicts that there are, below."""
    theme = current().theme
    found = set(values.dropna(subset="effect")["verdict"])
    handles = [
        Line2D(
            [],
            [],
            ls="",
            marker=marker,
            color=theme.ink,
            markerfacecolor=theme.paper if name in HOLLOW else theme.ink,
            markersize=5,
            label=name,
        )
        for name, marker in MARKERS.items()
        if name in found
    ]
    legend_below(figure, handles)


PLOTS = [
    Plot(
        "claims",
        "The effect that each claim is about, with its intervals, margin and verdict",
        "Each claim's effect in units of its margin, the smallest effect worth having; positive"
        f" where it lies as claimed. Thin whiskers are {INTERVALS}, thick ones 90% intervals;"
        " effects in the shaded band are smaller than the margin, and exploratory claims are grey."
        f" Beyond 5 margins the axis is logarithmic outside of ±1. {VERDICTS}",
        "claims",
        table,
        draw,
    )
]
