"""Training and validation curves, with a band over the seeds."""

from functools import partial

import pandas as pd
from matplotlib.figure import Figure

from reports.figures.lines import draw_lines, name_lines, names_of, panel
from reports.figures.plot import Plot
from reports.figures.style import current
from reports.study.study import Study

LATENT_VARIANCE = "validation/latent_variance"
WINDOW = 0.05  # of a curve's points: the mean that is drawn over the noise of single batches


def table(study: Study, key: str) -> pd.DataFrame:
    """Columns system, seed, step, value of one logged key."""
    curves = study.curves
    return curves[curves["key"] == key].drop(columns="key").reset_index(drop=True)


def rms_table(study: Study) -> pd.DataFrame:
    """The same of the latents' rms; of runs that did not log it, their standard deviation."""
    found, variances = table(study, "validation/latent_rms"), table(study, LATENT_VARIANCE)
    known, runs = (one.set_index(["system", "seed"]).index for one in (found, variances))
    others = variances[~runs.isin(known)]
    curves = pd.concat([found, others.assign(value=others["value"] ** 0.5)])
    return curves.sort_values(
        "system", key=lambda one: one.map(study.systems.index), kind="stable", ignore_index=True
    )


def smooth(curves: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Columns system, step, mean, low, high: running means over the seeds; the widest window."""
    parts, widest = [], 1
    for system, logged in curves.groupby("system", sort=False):
        seeds = logged.pivot(index="step", columns="seed", values="value")
        window = max(1, round(len(seeds) * WINDOW))
        seeds = seeds.rolling(window, min_periods=1).mean()
        widest = max(widest, window)
        mean = seeds.mean(axis=1)
        low, high = seeds.min(axis=1), seeds.max(axis=1)
        part = pd.DataFrame({"mean": mean, "low": low, "high": high}).reset_index()
        parts.append(part.assign(system=system))
    return pd.concat(parts, ignore_index=True), widest


def draw(curves: pd.DataFrame, title: str, from_zero: bool = False) -> Figure:
    """One line a system against the step: the mean over its seeds, between their extremes.

    The axis goes from 0 to the highest value, or leaves out the highest: the first losses.
    """
    points, window = smooth(curves)
    names = names_of(points)
    figure, axes = panel(names)
    draw_lines(axes, points, "step")
    values = curves["value"]
    low, high = (0.0, values.max()) if from_zero else (values.min(), values.quantile(0.97))
    current().title(axes, title)
    axes.set(
        xlabel="step (running mean)" if window > 1 else "step",
        ylabel=title.lower(),
        ylim=(low, 1.05 * high) if from_zero else (low - 0.05 * (high - low), high),
    )
    name_lines(figure, axes, points, names)
    return figure


def plot(name: str, key: str, title: str) -> Plot:
    caption = f"{title} against the training step; the band spans the seeds."
    return Plot(
        name, title, caption, "training", partial(table, key=key), partial(draw, title=title)
    )


PLOTS = [
    plot("validation-loss", "validation/reconstruction", "Validation reconstruction loss"),
    plot("training-loss", "train/reconstruction", "Training reconstruction loss"),
    Plot(
        "latent-rms",
        "Rms of the latents over training",
        "Root of the mean square of the clean latents of the validation clips against the training"
        " step (of runs that logged their variance alone, its root); the band spans the seeds.",
        "training",
        rms_table,
        partial(draw, title="Rms of the latents", from_zero=True),
    ),
]
