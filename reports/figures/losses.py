"""Training and validation curves."""

import pandas as pd
from matplotlib.figure import Figure

from reports.style import WIDTH, Look, end_labels, height_for

WINDOW = 0.05  # of a curve's points: the mean that is drawn over the noise of single batches


def draw(curves: pd.DataFrame, key: str, title: str, looks: dict[str, Look]) -> Figure:
    """One line an ablation of the logged `key` against the step, the mean over its seeds.

    curves: columns ablation, seed, step, key, value.
    """
    figure = Figure(figsize=(WIDTH, height_for(len(looks))), layout="constrained")
    axes = figure.subplots()
    chosen = curves[curves["key"] == key]
    labels, averaged = [], False
    for ablation, look in looks.items():
        line = chosen[chosen["ablation"] == ablation].groupby("step")["value"].mean()
        if line.empty:
            continue
        window = max(1, round(len(line) * WINDOW))
        smooth = line.rolling(window, min_periods=1).mean()
        averaged = averaged or window > 1
        marker = look.marker if len(line) <= 25 else ""
        axes.plot(
            smooth.index, smooth, look.dash, color=look.colour, marker=marker, markersize=3, lw=1.4
        )
        labels.append((float(smooth.iloc[-1]), ablation, look.colour))
    low, high = chosen["value"].min(), chosen["value"].quantile(0.97)
    axes.set(
        title=title,
        xlabel="step (running mean)" if averaged else "step",
        ylim=(low - 0.05 * (high - low), high),
    )
    end_labels(figure, axes, labels)
    return figure
