"""One clip's log-mel: the original, what each system makes of it, and how far that is off."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from reports.figures.legends import folded
from reports.figures.plot import Plot
from reports.figures.style import current
from reports.page.examples import FRAMES_PER_SECOND, shortest
from reports.study.study import Study

COLUMNS = 5
MOST = 14  # systems: with the original three rows of COLUMNS; more are too small to read
LETTER = 0.09  # inches over a panel
QUIETEST = -8.0  # natural log: the floor of the colours; the mel's own is -11.5
FURTHEST = 3.0  # natural log: the end of the differences' colours


def table(study: Study) -> pd.DataFrame:
    """Columns system and mel ([M, F]): the original first, then up to MOST systems (first seed)."""
    mels = shortest(study, study.shown(MOST))
    return pd.DataFrame({"system": list(mels), "mel": list(mels.values())})


def draw(panels: pd.DataFrame) -> Figure:
    """Panels on one scale of colours; below each system, its difference to the original."""
    mels = dict(zip(panels["system"], panels["mel"], strict=True))
    original = next(iter(mels.values()))
    strips = -(-len(mels) // COLUMNS)
    columns = -(-len(mels) // strips)
    width = current().width
    size = (width, strips * width * 2 * 0.75 / columns + 0.4)
    figure = Figure(figsize=size, layout="constrained")
    # not shared: all have the same limits, and each would ask all others for theirs at every step
    grid = figure.subplots(2 * strips, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_visible(False)
    loudest = max(float(np.quantile(mel, 0.999)) for mel in mels.values())
    for place, (name, mel) in enumerate(mels.items()):
        row, column = 2 * (place // columns), place % columns
        above, below = grid[row, column], grid[row + 1, column]
        image = show(above, mel, "magma", QUIETEST, loudest)
        text = folded(current().name(name), int(width / (columns + 1) / LETTER))
        above.set_title(text, fontsize=8, fontfamily=current().family)
        if place:
            difference = show(below, mel - original, "RdBu_r", -FURTHEST, FURTHEST)
    scales = [(image, 0, "log-mel")] + [(difference, 1, "difference")] * (len(mels) > 1)
    for scale, row, label in scales:  # beside their own row, or one after the other
        beside = grid if strips > 1 else grid[row]
        figure.colorbar(scale, ax=beside, label=label, aspect=15 * strips, shrink=0.9)
    figure.supxlabel("seconds", fontsize=8.5)
    figure.supylabel("mel bin", fontsize=8.5)
    return figure


def show(axes: Axes, mel: np.ndarray, colours: str, low: float, high: float) -> AxesImage:
    """A [M, F] array as an image, low bins at the bottom."""
    axes.set_visible(True)
    axes.grid(visible=False)
    axes.label_outer()
    return axes.imshow(
        mel,
        origin="lower",
        aspect="auto",
        cmap=colours,
        vmin=low,
        vmax=high,
        extent=(0, mel.shape[1] / FRAMES_PER_SECOND, 0, mel.shape[0]),
        interpolation="nearest",
    )


PLOTS = [
    Plot(
        "spectrograms",
        "Log-mel spectrograms of one clip, and their differences to the original",
        "Log-mel spectrograms (natural log) of the shortest example clip: the original, and what"
        " each system makes of it; below, the difference to the original.",
        "quality",
        table,
        draw,
        wide=True,
        raster=True,
        most=MOST,
    )
]
