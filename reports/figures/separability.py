"""How well speakers and languages are told apart in the clean latents, by system."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from reports.figures.legends import legend_below
from reports.figures.plot import INTERVALS, Plot
from reports.figures.style import current
from reports.metric_registry import LATENTS
from reports.study import Study

LABELS = ("speaker", "language")
MEASURES = {"probe": "linear probe", "knn": "kNN", "lnc": "LNC"}
MARKERS = {"probe": "o", "knn": "s", "lnc": "D"}
LETTER, TICK = 0.062, 0.45  # inches of a letter of a name, and of a number under the axis
PITCH = 0.26  # of the distance between two systems, between two measures of one


def table(study: Study) -> pd.DataFrame:
    """Columns label, system, measure, mean, low, high, chance; no row where not measured."""
    found = []
    for label in LABELS:
        chance = study.select(f"{label}_chance", LATENTS).set_index("system")["mean"]
        values = pd.concat(
            study.select(f"{label}_{name}", LATENTS).assign(label=label, measure=name)
            for name in MEASURES
        )
        found.append(
            values.assign(chance=values["system"].map(chance)).sort_values(
                "system", key=lambda one: one.map(study.systems.index), kind="stable"
            )
        )
    columns = ["label", "system", "measure", "mean", "low", "high", "chance"]
    return pd.concat(found, ignore_index=True)[columns]


def draw(values: pd.DataFrame) -> Figure:
    """A panel a label, a row a system, a marker a measure; dashed, the most frequent label."""
    style = current()
    systems = list(dict.fromkeys(values["system"]))
    labels = list(dict.fromkeys(values["label"]))
    figure = Figure(figsize=(style.width, 0.75 + 0.3 * len(systems)), layout="constrained")
    grid = figure.subplots(1, len(labels), sharex=True, sharey=True, squeeze=False)[0]
    for axes, label in zip(grid, labels, strict=True):
        draw_label(axes, values[values["label"] == label], systems)
        axes.set_title(label, fontsize=9)
        axes.set_xlabel("share", fontsize=8)
        axes.grid(visible=False, axis="y")
    lowest = values[["mean", "low", "chance"]].min().min()
    grid[0].set_yticks(range(len(systems)), systems, fontsize=8)
    grid[0].set(xlim=(max(0.0, lowest - 0.05), 1.02), ylim=(len(systems) - 0.5, -0.5))
    panel = (style.width - LETTER * max(map(len, systems))) / len(labels)
    grid[0].xaxis.set_major_locator(MaxNLocator(max(1, int(panel / TICK)), steps=(2, 2.5, 5, 10)))
    for axes in grid:
        axes.tick_params(axis="y", length=0, labelcolor=style.theme.ink)
        axes.tick_params(axis="x", labelsize=8)
    ink = style.theme.ink
    handles = [
        Line2D([], [], color=ink, ls="", label=MEASURES[one], **marker_of(one))
        for one in values["measure"].unique()
    ]
    handles.append(Line2D([], [], color=style.theme.muted, ls="--", lw=1.2, label="chance"))
    legend_below(figure, handles)
    return figure


def draw_label(axes: Axes, values: pd.DataFrame, systems: list[str]) -> None:
    """One panel: what is told apart is the same label in every row."""
    order = list(MEASURES)
    for one in values.to_dict("records"):
        place = systems.index(one["system"]) + PITCH * (order.index(one["measure"]) - 1)
        axes.errorbar(
            [one["mean"]],
            [place],
            xerr=[[one["mean"] - one["low"]], [one["high"] - one["mean"]]],
            color=current().look(one["system"]).colour,
            elinewidth=1.0,
            ls="",
            **marker_of(one["measure"]),
        )
    for chance in values["chance"].dropna().unique():
        axes.axvline(chance, color=current().theme.muted, ls="--", lw=1.2)


def marker_of(measure: str) -> dict[str, Any]:
    """The marker of a measure; the probe's alone is filled."""
    face: dict[str, Any] = {} if measure == "probe" else {"markerfacecolor": current().theme.paper}
    return {"marker": MARKERS[measure], "markersize": 4.0, **face}


PLOTS = [
    Plot(
        "latent-separability",
        "How well speakers and languages are told apart in the latents, by system",
        "Speakers and languages in the clean latents: accuracy of a linear probe and of the"
        " nearest neighbours' vote (kNN), and the share of the nearest neighbours with the same"
        f" label (LNC), with {INTERVALS}. Dashed: always guessing the most frequent"
        " label.",
        "latents",
        table,
        draw,
    )
]
