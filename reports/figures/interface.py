"""What the decoder makes of a generator's errors, against the generator's training."""

import pandas as pd
from matplotlib.figure import Figure

from reports.figures.lines import draw_lines, names_of, panels
from reports.figures.plot import INTERVALS, Plot
from reports.figures.style import current
from reports.metric_registry import metric_of
from reports.study.study import Study

METRICS = ("stoi", "pesq_wb", "distillmos", "text_nll", "speaker_similarity")
CONDITION = r"interface_(?:probe|white)_\d+_step_(\d+)"  # which errors, frames a run, step
LABELS = {"text_nll": "text NLL ↓", "speaker_similarity": "voice ↑"}  # that fit a panel's height
TITLES = {"1": "true history", "4": "runs of four"}


def table(study: Study) -> pd.DataFrame:
    """Columns system, metric, errors, run, step, mean, low, high; errors are "probe" or "white"."""
    columns = ["system", "metric", "errors", "run", "step", "mean", "low", "high"]
    found = [study.select(metric, CONDITION).assign(metric=metric) for metric in METRICS]
    values = pd.concat(found, ignore_index=True).rename(columns={"level": "step"})
    parts = values["condition"].str.split("_", expand=True).reindex(columns=range(5))
    values["errors"], values["run"] = parts[1], parts[2]
    return values.sort_values(["errors", "run", "step"], kind="stable")[columns]


def draw(points: pd.DataFrame) -> Figure:
    """A row a metric, a column a length of runs; crosses: white noise of the same power."""
    rows, columns = list(points["metric"].unique()), sorted(points["run"].unique())
    names = names_of(points)
    figure, grid = panels(rows, columns, names, "A generator's errors, decoded")
    for (metric, run), axes in grid.items():
        chosen = points[(points["metric"] == metric) & (points["run"] == run)]
        draw_lines(axes, chosen[chosen["errors"] == "probe"], "step")
        for name, line in chosen[chosen["errors"] == "white"].groupby("system", sort=False):
            colour = current().look(str(name)).colour
            axes.plot(line["step"], line["mean"], "x", color=colour, ms=5, label=f"_{name}")
        if metric == rows[0]:
            title = TITLES.get(run, f"runs of {run}")
            axes.set_title(title, loc="center", fontsize=9, fontweight="normal")
        if run == columns[0]:
            axes.set_ylabel(LABELS.get(metric, metric_of(metric).title))
        if metric == rows[-1]:
            axes.set_xlabel("training step")
    return figure


PLOTS = [
    Plot(
        "interface",
        "Quality of decoded speech whose latents a small model has drawn, by its training steps",
        "The latents of test clips, drawn anew by the small model of them after so many training"
        " steps, decoded, and scored against the original: every frame given the true frames before"
        " it, and in runs of four. Crosses: white noise of the same power as those errors. Bands"
        f" are {INTERVALS}; with many systems they are left out.",
        "interface",
        table,
        draw,
    )
]
