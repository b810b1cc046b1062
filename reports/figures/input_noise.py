"""What is left of speech that was noisy before it was coded."""

import pandas as pd
from matplotlib.figure import Figure

from reports.figures.lines import draw_lines, names_of, panels
from reports.figures.plot import INTERVALS, Plot
from reports.metric_registry import metric_of
from reports.study.study import Study

METRICS = ("mel_l1", "pesq_wb", "stoi")
CONDITION = r"(?:noisy|input)_[a-z]+_(\d+)"  # as measured, kind of noise, decibels
INPUT = "noisy input"  # without any model: the same for every run
TITLES = {"white": "white noise"}


def table(study: Study) -> pd.DataFrame:
    """Columns system, metric, noise, ratio (decibels), mean, low, high; INPUT's rows first."""
    columns = ["system", "metric", "noise", "ratio", "mean", "low", "high"]
    found = [study.select(metric, CONDITION).assign(metric=metric) for metric in METRICS]
    values = pd.concat(found, ignore_index=True).rename(columns={"level": "ratio"})
    parts = values["condition"].str.split("_", expand=True).reindex(columns=range(2))
    values["noise"] = parts[1]
    values["system"] = values["system"].mask(parts[0] == "noisy", INPUT)
    values = values.drop_duplicates(columns[:4])  # the noisy input, once of all the runs
    order = {name: place for place, name in enumerate([INPUT, *study.systems, *METRICS])}
    values = values.sort_values(["noise", "ratio"], ascending=False)
    for column in ("system", "metric"):
        values = values.sort_values(column, key=lambda one: one.map(order), kind="stable")
    return values[columns].reset_index(drop=True)


def draw(points: pd.DataFrame) -> Figure:
    """A row a metric, a column a kind of noise; the noise grows to the right."""
    rows, columns = list(points["metric"].unique()), list(points["noise"].unique())
    names = names_of(points)
    figure, grid = panels(rows, columns, names, "Noisy input, against the clean original")
    for (metric, noise), axes in grid.items():
        chosen = points[(points["metric"] == metric) & (points["noise"] == noise)]
        draw_lines(axes, chosen, "ratio")
        if metric == rows[0]:
            axes.set_title(TITLES.get(noise, noise), loc="center", fontsize=9, fontweight="normal")
        if noise == columns[0]:
            axes.set_ylabel(metric_of(metric).title)
        if metric == rows[-1]:
            axes.set_xlabel("input SNR (dB)")
    axes.set_xticks(sorted(points["ratio"].unique()))
    axes.invert_xaxis()  # once for all: the axis is shared
    return figure


PLOTS = [
    Plot(
        "input-noise",
        "Mel L1, PESQ-wb and STOI against noise in the input, by system",
        "Noisy speech through the model, compared with the clean original, for white noise and for"
        " the babble of five other voices. Grey and dashed: the noisy input itself, without model"
        f" and vocoder. Bands are {INTERVALS}; with many systems they are left out.",
        "input_noise",
        table,
        draw,
    )
]
