"""Figures as a paper takes them: PDF and SVG, and PNG at 300 dots an inch."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from reports.plot import Plot
from reports.style import COLUMN, DOUBLE, PAPER, styled

DPI = 300
METADATA = {  # nothing that changes from one day to the next
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
}


def save_figure(
    plot: Plot, table: pd.DataFrame, systems: Sequence[str], folder: Path
) -> list[Path]:
    """Write FOLDER/<name>.pdf, .svg and .png, at the width of one column or of both."""
    folder.mkdir(parents=True, exist_ok=True)
    with styled(PAPER, systems, DOUBLE if plot.wide else COLUMN):
        figure = plot.draw(table)
        paths = []
        for kind, metadata in METADATA.items():
            paths.append(folder / f"{plot.name}.{kind}")
            figure.savefig(paths[-1], dpi=DPI, metadata=metadata, facecolor="white")
    return paths
