"""One clip's log-mel: the original and what each ablation makes of it."""

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

FRAMES_PER_SECOND = 22050 / 256
PANEL = (1.9, 1.45)  # inches
COLUMNS = 5
SHORT = 16  # letters that fit over a panel
QUIETEST = -8.0  # natural log: the floor of the colours; the mel's own is -11.5


def draw(mels: dict[str, npt.NDArray[Any]]) -> Figure:
    """Panels [M, F] by name on one scale of colours; the first is the original."""
    rows = -(-len(mels) // COLUMNS)
    columns = -(-len(mels) // rows)
    figure = Figure(figsize=(PANEL[0] * columns, PANEL[1] * rows + 0.3), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    loudest = max(float(np.quantile(mel, 0.999)) for mel in mels.values())
    for axes in grid.flat[len(mels) :]:
        axes.set_visible(False)
    for axes, (name, mel) in zip(grid.flat, mels.items(), strict=False):
        axes.imshow(
            mel,
            origin="lower",
            aspect="auto",
            cmap="magma",
            vmin=QUIETEST,
            vmax=loudest,
            extent=(0, mel.shape[1] / FRAMES_PER_SECOND, 0, mel.shape[0]),
            interpolation="nearest",
        )
        axes.grid(visible=False)
        axes.set_title(name, fontsize=9 if len(name) < SHORT else 7)
        axes.label_outer()
    figure.supxlabel("seconds", fontsize=8.5)
    figure.supylabel("mel bin", fontsize=8.5)
    return figure
