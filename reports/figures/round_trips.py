"""What coding again and again costs."""

import pandas as pd
from matplotlib.figure import Figure

from reports.figures.lines import draw_lines, names_of, panels
from reports.figures.plot import INTERVALS, Plot
from reports.metric_registry import metric_of
from reports.study.study import Study

METRICS = ("mel_l1", "pesq_wb", "stoi")


def table(study: Study) -> pd.DataFrame:
    """Columns system, metric, trip, mean, low, high; without the trips that were not vocoded."""
    found = [study.select(metric, r"round_trip_(\d+)").assign(metric=metric) for metric in METRICS]
    points = pd.concat(found, ignore_index=True).rename(columns={"level": "trip"})
    return points[["system", "metric", "trip", "mean", "low", "high"]]


def draw(points: pd.DataFrame) -> Figure:
    """A panel a metric, a line a system."""
    metrics = list(points["metric"].unique())
    names = names_of(points)
    figure, grid = panels(metrics, [""], names, "Coded again and again")
    for (metric, _), axes in grid.items():
        draw_lines(axes, points[points["metric"] == metric], "trip")
        axes.set_ylabel(metric_of(metric).title)
    axes.set_xticks(sorted(points["trip"].unique()))
    axes.set_xlabel("trips through encoder and decoder")  # under the last
    return figure


PLOTS = [
    Plot(
        "round-trips",
        "Mel L1, PESQ-wb and STOI after several trips through the model, by system",
        "Each trip's output mel is the next one's input; no vocoder lies between them. PESQ and"
        f" STOI are of the vocoded output of some trips. Bands are {INTERVALS}; with"
        " many systems they are left out.",
        "round_trips",
        table,
        draw,
    )
]
