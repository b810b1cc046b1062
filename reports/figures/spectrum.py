"""How the latents' variance is spread over their principal components."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from reports.figures.legends import legend_below
from reports.figures.plot import Plot
from reports.figures.style import current
from reports.metric_registry import LATENTS
from reports.study.study import Study


def table(study: Study) -> pd.DataFrame:
    """Columns system, component (from 1), share, cumulative, effective_rank."""
    shares = study.select("eigenvalue_share", r"component_(\d+)")
    shares = shares.rename(columns={"mean": "share"}).assign(component=shares["level"] + 1)
    ranks = study.select("effective_rank", LATENTS).set_index("system")["mean"]
    shares["cumulative"] = shares.groupby("system")["share"].cumsum()
    shares["effective_rank"] = shares["system"].map(ranks)
    return shares[["system", "component", "share", "cumulative", "effective_rank"]]


def draw(shares: pd.DataFrame) -> Figure:
    """A line a system: the share of the variance in its first components."""
    style = current()
    figure = Figure(figsize=(style.width, 2.7), layout="constrained")
    axes = figure.subplots()
    handles = []
    for place, (name, line) in enumerate(shares.groupby("system", sort=False)):
        look, rank = style.look(str(name)), line["effective_rank"].iloc[0]
        drawn: dict[str, Any] = {"color": look.colour, "ls": look.dash, "marker": look.marker}
        drawn |= {"ms": 3.5, "lw": 1.4}
        every = (0.03 * (place % 5), 0.15)  # of the diagonal, in turn: markers do not hide others
        axes.plot(line["component"], line["cumulative"], markevery=every, label=name, **drawn)
        label = style.name(str(name)) + (f" ({rank:.1f})" if pd.notna(rank) else "")
        handles.append(Line2D([], [], label=label, **drawn))
    axes.set(
        xscale="log",
        xlim=(0.9, shares["component"].max() * 1.1),
        ylim=(0, 1.03),
        xlabel="principal components (log scale)",
        ylabel="share of variance, cumulative",
    )
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    style.title(axes, "Spectrum of the latents (effective rank)")
    legend_below(figure, handles)
    return figure


PLOTS = [
    Plot(
        "latent-spectrum",
        "Share of the latents' variance in their first principal components, by system",
        "Share of the variance of the clean latents in their first principal components; a curve"
        " that rises late uses more of them. In brackets the effective rank.",
        "latents",
        table,
        draw,
    )
]
