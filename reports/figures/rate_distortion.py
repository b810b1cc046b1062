"""A metric against the latents' rate, beside what papers report of other systems."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import ConnectionPatch
from matplotlib.text import Annotation
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter
from matplotlib.transforms import ScaledTranslation

from reports.figures.legends import legend_below
from reports.figures.plot import INTERVALS, Plot
from reports.figures.style import current, end_labels
from reports.metric_registry import QUALITY
from reports.study import Study

REFERENCES = Path(__file__).parents[1] / "references.csv"
PUBLISHED = {"pesq_wb": "pesq", "stoi": "stoi"}  # no dWER: a paper's WER is against the text
COLUMNS = ["system", "floats_per_second", "mean", "low", "high", "band", "source"]
FILLING = {"-": "full", "--": "none", ":": "left"}
APART = 6.0  # points between systems of one rate
WIDEST = 60.0  # points that those of one rate take at most


def table(study: Study, metric: str) -> pd.DataFrame:
    """The columns COLUMNS: each system (source ""), then published systems where known."""
    rates = {run.system: run.record.get("floats_per_second") for run in reversed(study.runs)}
    ours = study.select(metric, "reconstruction").assign(band="", source="")
    ours["floats_per_second"] = ours["system"].map(rates).astype(float)
    ours = ours.dropna(subset="floats_per_second")[COLUMNS]
    return pd.concat([ours, references(metric)], ignore_index=True) if len(ours) else ours


def references(metric: str) -> pd.DataFrame:
    """The columns COLUMNS of the published systems that have a rate and the metric.

    One that several papers report of stands once, as the first row says.
    """
    if metric not in PUBLISHED:
        return pd.DataFrame(columns=COLUMNS)
    read = pd.read_csv(REFERENCES).rename(columns={PUBLISHED[metric]: "mean"})
    known = read.dropna(subset=["floats_per_second", "mean"]).drop_duplicates("system")
    band = known["pesq_band"].fillna("") if metric.startswith("pesq") else ""
    return known.assign(band=band, low=float("nan"), high=float("nan"))[COLUMNS]


def draw(points: pd.DataFrame, metric: str) -> Figure:
    """A point a system with its interval; published systems hollow, grey and named."""
    style, described = current(), QUALITY[metric]
    ours, others = points[points["source"] == ""], points[points["source"] != ""]
    figure = Figure(figsize=(style.width, 2.7), layout="constrained")
    axes = figure.subplots()
    rate_axis(axes, points["floats_per_second"])
    for _, same in ours.groupby("floats_per_second"):
        draw_side_by_side(axes, same)
    grey: dict[str, Any] = {
        "color": style.theme.muted,
        "marker": "o",
        "mfc": "none",
        "ms": 6,
        "ls": "",
    }
    for one in others.to_dict("records"):
        axes.plot(one["floats_per_second"], one["mean"], **grey)
    values = points[["mean", "low", "high"]].to_numpy(dtype=float)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    room = 0.08 * (high - low) or 0.1
    axes.set(
        ylim=(low - room, high + room),
        xlabel="floats per second (log scale)",
        ylabel=described.label + (" %" if described.percent else ""),
    )
    style.title(axes, f"{described.heading} against rate ({described.wish})")
    name_others(figure, axes, others)
    handles = [Line2D([], [], label=name, **marker_of(name)) for name in ours["system"]]
    if len(others):
        handles.append(Line2D([], [], **grey, label="published (other sets)"))
    legend_below(figure, handles)
    return figure


def rate_axis(axes: Axes, rates: Sequence[float] | pd.Series) -> None:
    """A log axis with room around the rates, and plain numbers."""
    low, high = min(rates) / 1.4, max(rates) * 1.4
    axes.set(xscale="log", xlim=(low, high))
    steps = (1, 2, 5) if high > 5 * low else (1, 2, 3, 4, 5, 7)
    axes.xaxis.set_major_locator(LogLocator(subs=steps))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def draw_side_by_side(axes: Axes, same: pd.DataFrame) -> None:
    """Ablations of one rate, about a thin line at it, so that they can be told apart."""
    rate = float(same["floats_per_second"].iloc[0])
    axes.axvline(rate, color=current().theme.muted, lw=0.6, ls=":")
    apart = min(APART, WIDEST / len(same)) / 72
    for place, one in enumerate(same.to_dict("records")):
        shift = (place - (len(same) - 1) / 2) * apart
        moved = ScaledTranslation(shift, 0, axes.figure.dpi_scale_trans)
        axes.errorbar(
            [rate],
            [one["mean"]],
            [[one["mean"] - one["low"]], [one["high"] - one["mean"]]],
            elinewidth=1.2,
            **marker_of(one["system"]),
            transform=axes.transData + moved,
        )


def marker_of(system: str) -> dict[str, Any]:
    """Its colour and marker; where lines of one colour differ in dashes, markers do in filling."""
    look = current().look(system)
    return {
        "color": look.colour,
        "marker": look.marker,
        "markersize": 4.5,
        "fillstyle": FILLING[look.dash],
        "ls": "",
    }


def name_others(figure: Figure, axes: Axes, others: pd.DataFrame) -> None:
    """The published systems' names on the right, each with a thin line to its point."""
    grey, places = current().theme.muted, {}
    for one in others.to_dict("records"):
        name = f"{one['system']} ({one['band']})" if one["band"] else one["system"]
        places[name] = (one["floats_per_second"], one["mean"])
    end_labels(figure, axes, [(place[1], name, grey) for name, place in places.items()])
    for label in axes.findobj(Annotation):
        line = ConnectionPatch(
            places[label.get_text()], label.xy, "data", axes.get_yaxis_transform(),
            color=grey, lw=0.6, shrinkA=3.5,
        )  # fmt: skip
        line.set_in_layout(False)
        axes.add_artist(line)


def plot(metric: str) -> Plot:
    label = QUALITY[metric].label
    published = (
        " Hollow and grey: published systems, as their papers report them on other test sets"
        f"{', PESQ band in brackets where stated' if metric.startswith('pesq') else ''}; they show"
        " an order of magnitude, not a ranking."
    )
    return Plot(
        f"rate-{metric.replace('_', '-')}",
        f"{label} against the floats per second of the latents",
        f"{label} against the floats per second of the latents, with {INTERVALS};"
        " systems of the same rate stand side by side about a dotted line."
        + (published if metric in PUBLISHED else ""),
        "intelligibility" if metric == "dwer" else "quality",
        partial(table, metric=metric),
        partial(draw, metric=metric),
    )


PLOTS = [plot(metric) for metric in ("pesq_wb", "stoi", "dwer")]
