"""One metric by system, with 95% intervals and the vocoder's ceiling."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from reports.figures.legends import name_rows
from reports.figures.plot import INTERVALS, Plot
from reports.figures.style import current
from reports.metric_registry import QUALITY
from reports.study.study import Study

CEILING = "ceiling"
TICKS = 9.0  # points


def table(study: Study, metric: str) -> pd.DataFrame:
    """Columns system, mean, low, high: the ceiling, then each system; NaN where not measured."""
    ceiling = study.select(metric, CEILING)[:1].assign(system=CEILING)
    values = pd.concat([ceiling, study.select(metric, "reconstruction")])
    values = values.set_index("system")[["mean", "low", "high"]]
    rows = values.reindex([CEILING, *study.systems]).rename_axis("system").reset_index()
    return rows if rows["mean"][1:].notna().any() else rows[:0]


def draw(values: pd.DataFrame, metric: str) -> Figure:
    """A bar a system, from the metric's worst value where it has one."""
    style, described = current(), QUALITY[metric]
    start = described.start
    bars = values[values["system"] != CEILING].reset_index(drop=True)
    ceiling = float(values.loc[values["system"] == CEILING, "mean"].iloc[0])
    height = (0.75 if np.isnan(ceiling) else 1.0) + 0.3 * len(bars)
    figure = Figure(figsize=(style.width, height), layout="constrained")
    axes = figure.subplots()
    for place, (name, mean, low, high) in enumerate(bars.itertuples(index=False)):
        if np.isnan(mean):
            axes.annotate("not measured", (start, place), va="center", color=style.theme.muted)
            continue
        colour = style.look(name).colour
        axes.barh(place, mean - start, left=start, height=0.62, color=colour, lw=0, label=name)
        outline = [withStroke(linewidth=3.5, foreground=style.theme.paper)]
        ink = style.theme.ink
        ends: dict[str, Any] = {"color": ink, "lw": 1.5, "path_effects": outline}
        axes.plot([low, high], [place, place], label=name, **ends)
        axes.annotate(
            f" {mean:.{described.digits}f}",
            (np.fmax(mean, high), place),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            label=name,
        )
    if not np.isnan(ceiling):
        axes.axvline(ceiling, color=style.theme.muted, ls=(0, (4, 3)), lw=1.2)
        shown = f"{ceiling:.{min(2, described.digits)}f}"
        axes.set_xlabel(f"dashed: the vocoder's ceiling, {shown}", fontsize=8)
    name_rows(axes, [style.name(name) for name in bars["system"]], TICKS)
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.12)
    axes.set_xlim(left=start)
    style.title(axes, f"{described.heading} ({described.wish})")
    return figure


def plot(metric: str) -> Plot:
    label = QUALITY[metric].label
    return Plot(
        f"quality-{metric.replace('_', '-')}",
        f"{label} by system",
        f"{label} with {INTERVALS}. The dashed line is the ceiling: the"
        " original mel through the vocoder.",
        "quality",
        partial(table, metric=metric),
        partial(draw, metric=metric),
    )


PLOTS = [plot(name) for name, metric in QUALITY.items() if metric.drawn]
