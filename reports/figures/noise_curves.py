"""A metric against noise on the latents."""

from functools import partial

import pandas as pd
from matplotlib.figure import Figure

from reports.figures.lines import draw_lines, labels, name_lines, panel, panels
from reports.figures.plot import INTERVALS, Plot
from reports.figures.style import current
from reports.metric_registry import NOISE, PER_DIM, ROBUST, TRAINED_NOISE, Metric, metric_of
from reports.study.study import Study
from reports.tables.robustness import areas, curves

SCALINGS = {NOISE: "deviation of the space", PER_DIM: "deviation of each dim"}
COLUMNS = ["system", "scaling", "sigma", "mean", "low", "high", "area"]
PANEL = 2.4  # inches: height of both panels
XLABEL = "latent noise (standard deviations)"
XLABEL_OF_BOTH = XLABEL.replace(" (", "\n(")


def table(study: Study, metric: str) -> pd.DataFrame:
    """COLUMNS: noise in deviations of `scaling`; area is what it costs, the mean up to .5."""
    rows = []
    for scaling, name in SCALINGS.items():
        costs = areas(study, metric, scaling)
        rows += [
            (
                system,
                name,
                sigma,
                one.mean,
                one.low,
                one.high,
                costs[system].mean if costs else None,
            )
            for system, curve in curves(study, metric, scaling).items()
            for sigma, one in curve.items()
            if one.known
        ]
    return pd.DataFrame(rows, columns=COLUMNS)


def draw(points: pd.DataFrame, metric: str) -> Figure:
    """One line a system: noise (times the latents' standard deviation) to the metric."""
    described, names = metric_of(metric), labels(points, "area", metric_of(ROBUST[metric]).digits)
    title = f"{described.heading}{described.arrow} against latent noise"
    scalings = list(points["scaling"].unique())
    if len(scalings) > 1:
        return draw_both(points, scalings, names, described, title)
    figure, axes = panel(names)
    draw_lines(axes, points, "sigma")
    current().title(axes, title)
    axes.set(xlabel=XLABEL, ylabel=ylabel(described))
    name_lines(figure, axes, points, names)
    return figure


def draw_both(
    points: pd.DataFrame,
    scalings: list[str],
    names: dict[str, str],
    described: Metric,
    title: str,
) -> Figure:
    """A panel for each scaling, on common scales."""
    figure, grid = panels([""], scalings, names, title, PANEL)
    for (_, scaling), axes in grid.items():
        draw_lines(axes, points[points["scaling"] == scaling], "sigma")
        axes.set_title(scaling, loc="center", fontsize=9, fontweight="normal")
        axes.set_xlabel(XLABEL_OF_BOTH, fontsize=9)
    grid["", scalings[0]].set_ylabel(ylabel(described))
    return figure


def ylabel(described: Metric) -> str:
    return described.label + (" %" if described.percent else "")


def plot(metric: str) -> Plot:
    label, cost = metric_of(metric).label, ROBUST[metric].rpartition("_")[2]
    return Plot(
        f"latent-noise-{metric.replace('_', '-')}",
        f"{label} against latent noise by system",
        f"{label} when noise is added to the latents, in standard deviations of each run's own"
        " latents: of all their values together, or of each dim where that was measured too; bands"
        f" are {INTERVALS}, in brackets the mean {cost} over noise from 0 to {TRAINED_NOISE:g} (of"
        " the former).",
        "latent_noise" if metric == "mel_l1" else "latent_noise_audio",
        partial(table, metric=metric),
        partial(draw, metric=metric),
    )


PLOTS = [plot(metric) for metric in ROBUST]
