"""A metric against noise on the latents."""

from functools import partial

import pandas as pd
from matplotlib.figure import Figure

from reports.figures.lines import draw_lines, labels, name_lines, panel
from reports.figures.plot import INTERVALS, Plot
from reports.figures.style import current
from reports.metric_registry import ROBUST, metric_of
from reports.study import Study
from reports.tables.robustness import areas, curves


def table(study: Study, metric: str) -> pd.DataFrame:
    """Columns system, sigma, mean, low, high, and area: the curve's mean height."""
    heights = areas(study, metric)
    rows = [
        (system, sigma, one.mean, one.low, one.high, heights[system].mean if heights else None)
        for system, curve in curves(study, metric).items()
        for sigma, one in curve.items()
        if one.known
    ]
    return pd.DataFrame(rows, columns=["system", "sigma", "mean", "low", "high", "area"])


def draw(points: pd.DataFrame, metric: str) -> Figure:
    """One line a system: noise (times the latents' standard deviation) to the metric."""
    described = metric_of(metric)
    names = labels(points, "area", described.digits)
    figure, axes = panel(names)
    draw_lines(axes, points, "sigma")
    current().title(axes, f"{described.heading}{described.arrow} against latent noise")
    axes.set(
        xlabel="latent noise (standard deviations)",
        ylabel=described.label + (" %" if described.percent else ""),
    )
    name_lines(figure, axes, points, names)
    return figure


def plot(metric: str) -> Plot:
    label = metric_of(metric).label
    return Plot(
        f"latent-noise-{metric.replace('_', '-')}",
        f"{label} against latent noise by system",
        f"{label} when noise is added to the latents, in standard deviations of each run's own"
        f" latents; bands are {INTERVALS}, in brackets the mean height of the curve.",
        "latent_noise",
        partial(table, metric=metric),
        partial(draw, metric=metric),
    )


PLOTS = [plot(metric) for metric in ROBUST]
