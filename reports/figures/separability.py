"""How well speakers and languages are told apart in the clean latents, by system."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from reports.figures.legends import legend_below, name_rows
from reports.figures.plot import INTERVALS, Plot
from reports.figures.style import current
from reports.metric_registry import LATENTS
from reports.study.study import Study

LABELS = ("speaker", "language")
MEASURES = {"probe": "linear probe", "knn": "kNN", "lnc": "LNC"}
MARKERS = {"probe": "o", "knn": "s", "lnc": "D"}
TICK = 0.45  # inches of a number under the axis
LINES = {"log_mel": ("{}_probe", "log_mel"), "chance": ("{}_chance", LATENTS)}  # no system's own
STYLES = {"log_mel": ":", "chance": "--"}
LABELS_OF = {"log_mel": "probe on the mean log-mel", "chance": "most frequent label"}
PITCH = 0.26  # of the distance between two systems, between two measures of one


def table(study: Study) -> pd.DataFrame:
    """Columns label, system, measure, mean, low, high, chance, log_mel; none where not measured."""
    found = []
    for label in LABELS:
        lines = {
            name: study.select(metric.format(label), condition).set_index("system")["mean"]
            for name, (metric, condition) in LINES.items()
        }
        values = pd.concat(
            study.select(f"{label}_{name}", LATENTS).assign(label=label, measure=name)
            for name in MEASURES
        )
        found.append(
            values.assign(
                **{name: values["system"].map(one) for name, one in lines.items()}
            ).sort_values("system", key=lambda one: one.map(study.systems.index), kind="stable")
        )
    columns = ["label", "system", "measure", "mean", "low", "high", *LINES]
    return pd.concat(found, ignore_index=True)[columns]


def draw(values: pd.DataFrame) -> Figure:
    """A panel a label, a row a system, a marker a measure; LINES as lines."""
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
    lowest = values[["mean", "low", *LINES]].min().min()
    taken = name_rows(grid[0], [style.name(name) for name in systems], 8)
    grid[0].set(xlim=(max(0.0, lowest - 0.05), 1.02), ylim=(len(systems) - 0.5, -0.5))
    panel = (style.width - taken) / len(labels)
    grid[0].xaxis.set_major_locator(MaxNLocator(max(1, int(panel / TICK)), steps=(2, 2.5, 5, 10)))
    for axes in grid:
        axes.tick_params(axis="y", length=0)
        axes.tick_params(axis="x", labelsize=8)
    ink = style.theme.ink
    handles = [
        Line2D([], [], color=ink, ls="", label=MEASURES[one], **marker_of(one))
        for one in values["measure"].unique()
    ]
    handles += [
        Line2D([], [], color=style.theme.muted, ls=STYLES[name], lw=1.2, label=LABELS_OF[name])
        for name in LINES
        if values[name].notna().any()
    ]
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
            label=one["system"],
            **marker_of(one["measure"]),
        )
    for name in LINES:
        for value in values[name].dropna().unique():
            axes.axvline(value, color=current().theme.muted, ls=STYLES[name], lw=1.2)


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
        f" label (LNC), with {INTERVALS}. Dashed: always guessing the most frequent label."
        " Dotted: the same probe on the clips' mean log-mel, which no model made.",
        "latents",
        table,
        draw,
    )
]
