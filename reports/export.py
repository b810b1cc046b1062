"""Tables and figures as files: LaTeX, Markdown and CSV; PDF, SVG and PNG at 300 dots an inch."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from dcvae.utils.files import replace_text, replacing
from reports.figures.plot import Plot
from reports.figures.style import COLUMN, DOUBLE, PAPER, styled
from reports.study import Study
from reports.tables.captions import caption
from reports.tables.latex import latex
from reports.tables.table import Table
from reports.tables.text import comma_separated, markdown

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
    with styled(PAPER, systems, DOUBLE if plot.wide else COLUMN):
        figure = plot.draw(table)
        paths = []
        for kind, metadata in METADATA.items():
            paths.append(folder / f"{plot.name}.{kind}")
            with replacing(paths[-1]) as temporary:
                figure.savefig(
                    temporary, format=kind, dpi=DPI, metadata=metadata, facecolor="white"
                )
    return paths


def save_tables(tables: Sequence[Table], study: Study, date: str, folder: Path) -> list[str]:
    """Write FOLDER/<name>.tex, .md and .csv of each table that has rows.

    Returns the names of the empty ones, of which no file remains.
    """
    for table in tables:
        paths = {kind: folder / f"{table.name}.{kind}" for kind in ("tex", "md", "csv")}
        if table.empty:
            for path in paths.values():
                path.unlink(missing_ok=True)
            continue
        text = caption(table, study, date)
        replace_text(paths["tex"], latex(table, text))
        replace_text(paths["md"], markdown(table, text))
        replace_text(paths["csv"], comma_separated(table))
    return [table.name for table in tables if table.empty]
