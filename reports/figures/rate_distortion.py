"""A metric against the latents' rate, beside other systems: as measured, and as papers report."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import ConnectionPatch
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter
from matplotlib.transforms import ScaledTranslation

from reports.figures.legends import legend_below
from reports.figures.plot import INTERVALS, PEERS, Plot
from reports.figures.style import current, end_labels
from reports.metric_registry import QUALITY
from reports.study.study import Study

REFERENCES = Path(__file__).parents[1] / "references.csv"
PUBLISHED = {"pesq_wb": "pesq", "stoi": "stoi"}  # no dWER: a paper's WER is against the text
COLUMNS = [
    "system", "floats_per_second", "bits_per_second", "mean", "low", "high", "band", "source",
]  # fmt: skip
MEASURED = "peers"  # the source of other systems on the study's clips
LINE = (0, (6, 2))
FILLING = {"-": "full", "--": "none", ":": "left"}
APART = 6.0  # points between systems of one rate
WIDEST = 60.0  # points that those of one rate take at most
HEIGHT, NAMED, NAME = 2.7, 1.1, 0.17  # inches: least, around the names, of each
LETTERS = 28  # of a name on the right


def table(study: Study, metric: str) -> pd.DataFrame:
    """The columns COLUMNS: each system (source ""), peers (MEASURED), then published systems.

    A peer has floats a second, or bits a second alone; one with neither is left out.
    """
    rates = {run.system: run.record.get("floats_per_second") for run in reversed(study.runs)}
    ours = study.select(metric, "reconstruction").assign(band="", source="")
    ours["floats_per_second"] = ours["system"].map(rates).astype(float)
    ours["bits_per_second"] = float("nan")
    ours = ours.dropna(subset="floats_per_second")[COLUMNS]
    if ours.empty:
        return ours
    return pd.concat([ours, measured_peers(study, metric), references(metric)], ignore_index=True)


def measured_peers(study: Study, metric: str) -> pd.DataFrame:
    """The columns COLUMNS of the other systems on the study's clips, by their titles."""
    if study.peers is None:
        return pd.DataFrame(columns=COLUMNS)
    runs = {run.system: run for run in reversed(study.peers.runs)}
    found = study.peers.select(metric, "reconstruction").assign(band="", source=MEASURED)
    for rate in ("floats_per_second", "bits_per_second"):
        sent = {name: (run.rates or {}).get(rate) for name, run in runs.items()}
        found[rate] = found["system"].map(sent).astype(float)
    found["system"] = found["system"].map({name: run.title for name, run in runs.items()})
    return found.dropna(subset=["floats_per_second", "bits_per_second"], how="all")[COLUMNS]


def references(metric: str) -> pd.DataFrame:
    """The columns COLUMNS of the published systems that have a rate and the metric.

    One that several papers report of stands once, as the first row says.
    """
    if metric not in PUBLISHED:
        return pd.DataFrame(columns=COLUMNS)
    read = pd.read_csv(REFERENCES).rename(columns={PUBLISHED[metric]: "mean"})
    known = read.dropna(subset=["floats_per_second", "mean"]).drop_duplicates("system")
    band = known["pesq_band"].fillna("") if metric.startswith("pesq") else ""
    nothing = dict.fromkeys(("bits_per_second", "low", "high"), float("nan"))
    return known.assign(band=band, **nothing)[COLUMNS]


def draw(points: pd.DataFrame, metric: str) -> Figure:
    """A point a system with its interval; peers as measured, published systems hollow and grey."""
    style, described = current(), QUALITY[metric]
    ours, others = points[points["source"] == ""], points[points["source"] != ""]
    height = max(HEIGHT, NAMED + NAME * len(others))
    figure = Figure(figsize=(style.width, height), layout="constrained")
    axes = figure.subplots()
    rate_axis(axes, points["floats_per_second"].dropna())
    for _, same in ours.groupby("floats_per_second"):
        draw_side_by_side(axes, same)
    for one in others.to_dict("records"):
        draw_other(axes, one)
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
    handles = [Line2D([], [], label=style.name(name), **marker_of(name)) for name in ours["system"]]
    kinds = {kind_of(one): look_of(one) for one in others.to_dict("records")}
    handles += [Line2D([], [], label=kind, **look) for kind, look in kinds.items()]
    legend_below(figure, handles)
    return figure


def kind_of(other: Mapping[Any, Any]) -> str:
    """What the legend calls a system that is not the study's own."""
    if other["source"] != MEASURED:
        return "published (other sets)"
    return "others, same clips" + ("" if has_floats(other) else ", sent as bits")


def has_floats(other: Mapping[Any, Any]) -> bool:
    return bool(pd.notna(other["floats_per_second"]))


def look_of(other: Mapping[Any, Any]) -> dict[str, Any]:
    """Hollow circles as published; as measured filled hexagons, or a line for want of a rate."""
    theme = current().theme
    if other["source"] != MEASURED:
        return {"color": theme.muted, "marker": "o", "mfc": "none", "ms": 6, "ls": ""}
    if has_floats(other):
        return {"color": theme.muted, "marker": "h", "ms": 6.5, "ls": ""}
    return {"color": theme.muted, "lw": 0.9, "ls": LINE}


def draw_other(axes: Axes, one: Mapping[Any, Any]) -> None:
    """A point at its rate with its interval where known, or a line across the figure."""
    look = look_of(one)
    if not has_floats(one):
        axes.axhline(one["mean"], **look)
        return
    axes.plot(one["floats_per_second"], one["mean"], **look)
    axes.vlines(one["floats_per_second"], one["low"], one["high"], color=look["color"], lw=1.2)


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
            label=one["system"],
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
    """The other systems' names on the right, each with a thin line to its point or line."""
    theme, found = current().theme, others.to_dict("records")
    inks = [theme.ink if one["source"] == MEASURED else theme.muted for one in found]
    texts = [name_of(one) for one in found]
    means = [float(one["mean"]) for one in found]
    labels = end_labels(figure, axes, list(zip(means, texts, inks, strict=True)))
    beside = axes.get_yaxis_transform() + ScaledTranslation(5 / 72, 0, figure.dpi_scale_trans)
    for one, label in zip(found, labels, strict=True):
        start = (one["floats_per_second"], one["mean"]) if has_floats(one) else (1, one["mean"])
        line = ConnectionPatch(
            start, label.xy, "data" if has_floats(one) else axes.get_yaxis_transform(), beside,
            color=theme.muted, lw=0.6, shrinkA=3.5 if has_floats(one) else 0,
        )  # fmt: skip
        line.set_in_layout(False)
        axes.add_artist(line)


def name_of(other: Mapping[Any, Any]) -> str:
    """With the band of its PESQ where a paper states it, or with its bit rate."""
    name = str(other["system"])
    name = name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…"
    if has_floats(other):
        return f"{name} ({other['band']})" if other["band"] else name
    return f"{name}, {other['bits_per_second'] / 1000:.3g} kbit/s"


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
        + (published if metric in PUBLISHED else "")
        + PEERS
        + " Other systems that were measured on the same clips: hexagons at their floats per"
        " second, with the same intervals; dashed across, those that send bits and have no floats.",
        "intelligibility" if metric == "dwer" else "quality",
        partial(table, metric=metric),
        partial(draw, metric=metric),
    )


PLOTS = [plot(metric) for metric in ("pesq_wb", "stoi", "dwer")]
