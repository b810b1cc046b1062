"""One metric by ablation, with 95% intervals and the vocoder's ceiling."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from reports.metrics import Metric
from reports.statistics import Estimate
from reports.style import WIDTH, Look, Theme


def draw(
    estimates: dict[str, Estimate],
    metric: Metric,
    looks: dict[str, Look],
    theme: Theme,
    ceiling: Estimate | None = None,
) -> Figure:
    """A bar an ablation, from the metric's worst value where it has one."""
    start = metric.start
    names = [name for name in looks if name in estimates]
    figure = Figure(
        figsize=(WIDTH, (1.0 if ceiling and ceiling.known else 0.75) + 0.3 * len(names)),
        layout="constrained",
    )
    axes = figure.subplots()
    for place, name in enumerate(names):
        value = estimates[name]
        if not value.known:
            axes.annotate("not measured", (start, place), va="center", color=theme.muted)
            continue
        axes.barh(
            place, value.mean - start, left=start, height=0.62, color=looks[name].colour, lw=0
        )
        axes.plot(
            [value.low, value.high],
            [place, place],
            color=theme.ink,
            lw=1.5,
            path_effects=[withStroke(linewidth=3.5, foreground=theme.paper)],
        )
        axes.annotate(
            f" {value.mean:.{metric.digits}f}",
            (np.fmax(value.mean, value.high), place),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    if ceiling and ceiling.known:
        axes.axvline(ceiling.mean, color=theme.muted, ls=(0, (4, 3)), lw=1.2)
        axes.set_xlabel(
            f"dashed: the vocoder's ceiling, {ceiling.mean:.{min(2, metric.digits)}f}", fontsize=8
        )
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0, labelcolor=theme.ink)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.12)
    axes.set_xlim(left=start)
    axes.set_title(f"{metric.heading} ({metric.wish})")
    return figure
