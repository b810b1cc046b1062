"""Every ablation's claim as a forest plot: the effect, its interval and the verdict."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from reports.study import Study
from reports.metrics import describe
from reports.plot import Plot
from reports.style import current

MARKERS = {"supported": "o", "contradicted": "X", "undecided": "s"}  # the last one hollow
LINEAR = 2.0  # up to such effects the axis is linear; beyond, logarithmic outside of +-1
TICKS = (0, 1, 3, 10, 30, 100, 300)
ROW = 0.19  # inches


def table(study: Study) -> pd.DataFrame:
    """Columns ablation, family, effect, low, high, verdict: positive is as claimed.

    A family is the claims on one metric. The interval is that of the difference, divided by the
    standard deviation that the effect is divided by. NaN where there is none.
    """
    rows = []
    for row in study.statistics.claims:
        if row["ablation"] not in study.ablations:
            continue
        sign = -1 if row["direction"] == "down" else 1
        scale = sign * row["effect"] / row["difference"] if row["difference"] else float("nan")
        low, high = sorted((scale * row["low"], scale * row["high"]))
        family = describe(row["condition"], row["metric"])
        rows.append((row["ablation"], family, sign * row["effect"], low, high, row["verdict"]))
    values = pd.DataFrame(
        rows, columns=["ablation", "family", "effect", "low", "high", "verdict"]
    ).sort_values(["family", "effect"], ascending=[True, False], ignore_index=True)
    return values if values["effect"].notna().any() else values[:0]


def draw(values: pd.DataFrame) -> Figure:
    """A row a claim under its family's name."""
    style = current()
    labels = rows_of(values)
    height = 1.05 + ROW * len(labels)
    figure = Figure(figsize=(style.width, height), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color=style.theme.muted, lw=1.0)
    axes.set_yticks(range(len(labels)), [label for label, _ in labels], fontsize=8)
    axes.tick_params(axis="y", length=0)
    for place, (tick, (_, claim)) in enumerate(zip(axes.get_yticklabels(), labels, strict=True)):
        if claim is None:
            tick.set(style="italic", color=style.theme.muted)
            continue
        tick.set_color(style.theme.ink)
        draw_claim(axes, claim, place)
    scale_effects(axes, values)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("standardised effect\n(right: as claimed)")
    style.title(axes, "Claims: effects against the baseline")
    name_verdicts(figure, values)
    return figure


def rows_of(values: pd.DataFrame) -> list[tuple[str, Any]]:
    """Label and claim from top to bottom; a family's name has none."""
    rows: list[tuple[str, Any]] = []
    for family, claims in values.groupby("family", sort=False):
        rows.append((f"{family}:", None))
        rows += [(str(claim.ablation), claim) for claim in claims.itertuples()]
    return rows


def draw_claim(axes: Axes, claim: Any, place: int) -> None:
    """One row of the table: marker and whisker, or why there is neither."""
    theme = current().theme
    colour = current().look(claim.ablation).colour
    if pd.isna(claim.effect):
        text = claim.verdict if claim.verdict not in MARKERS else "no spread over clips"
        axes.annotate(
            text,
            (0, place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
            color=theme.muted,
        )
        return
    axes.plot([claim.low, claim.high], [place, place], color=colour, lw=1.4)
    hollow = claim.verdict == "undecided"
    axes.plot(
        claim.effect,
        place,
        MARKERS[claim.verdict],
        color=colour,
        markerfacecolor=theme.paper if hollow else colour,
        markersize=5,
    )


def scale_effects(axes: Axes, values: pd.DataFrame) -> None:
    """A linear axis, or where effects are large, one that is logarithmic outside of +-1."""
    numbers = values[["effect", "low", "high"]].to_numpy()
    low, high = min(-0.3, np.nanmin(numbers)), max(0.3, np.nanmax(numbers))
    if max(-low, high) <= LINEAR:
        margin = 0.08 * (high - low)
        axes.set_xlim(low - margin, high + margin)
        return
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xlim(1.25 * min(low, -1), 1.25 * max(high, 1))
    ends = axes.get_xlim()
    ticks = {sign * tick for tick in TICKS for sign in (-1, 1)}
    axes.xaxis.set_major_locator(FixedLocator(sorted(x for x in ticks if ends[0] <= x <= ends[1])))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda effect, _: f"{effect:g}"))


def name_verdicts(figure: Figure, values: pd.DataFrame) -> None:
    """The markers of the verdicts that there are, below."""
    theme = current().theme
    found = [name for name in MARKERS if name in set(values.dropna()["verdict"])]
    handles = [
        Line2D(
            [],
            [],
            ls="",
            marker=MARKERS[name],
            color=theme.ink,
            markerfacecolor=theme.paper if name == "undecided" else theme.ink,
            markersize=5,
        )
        for name in found
    ]
    figure.legend(
        handles,
        found,
        loc="outside lower center",
        ncols=len(found),
        fontsize=7.5,
        handletextpad=0.2,
        columnspacing=1.2,
    )


PLOTS = [
    Plot(
        "claims",
        "The effect that each ablation's claim is about, with its interval and verdict",
        "Each claim's standardised effect: the difference to the baseline over the standard"
        " deviation of the clips' own differences (Cohen's d_z), positive where it lies as claimed."
        " Whiskers are the 95% bootstrap interval of the difference on that scale, the deviation"
        " held fixed; the verdict, shown by the marker, is after Holm's correction. Where an effect"
        " exceeds 2, the axis is logarithmic outside of ±1.",
        "claims",
        table,
        draw,
    )
]
