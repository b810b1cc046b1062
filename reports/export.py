"""Tables and figures as files: LaTeX, Markdown and CSV; PDF, SVG and PNG at 300 dots an inch."""

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from dcvae.utils.files import replace_text, replacing
from dcvae.utils.workers import worker_pool
from reports.figures.plot import METADATA, Plot
from reports.figures.style import COLUMN, DOUBLE, PAPER, styled
from reports.page.embed import figure_uris
from reports.study.study import Study
from reports.tables.captions import caption
from reports.tables.latex import latex
from reports.tables.table import Table
from reports.tables.text import comma_separated, markdown

DPI = 300
ALONE = 8  # systems whose figures are sooner drawn than workers have begun
Measured = Sequence[tuple[Plot, pd.DataFrame]]  # the figures that have something to show


def save_figure(
    plot: Plot, table: pd.DataFrame, systems: Sequence[str], folder: Path
) -> list[Path]:
    """Write FOLDER/<name>.pdf, .svg and .png, at the width of one column or of both.

    Each is whole or not there; all three have the layout of the first, which is what takes long.
    """
    with styled(PAPER, systems, DOUBLE if plot.wide else COLUMN):
        figure = plot.draw(table)
        paths = []
        for kind, metadata in METADATA.items():
            paths.append(folder / f"{plot.name}.{kind}")
            with replacing(paths[-1]) as temporary:
                figure.savefig(
                    temporary, format=kind, dpi=DPI, metadata=metadata, facecolor="white"
                )
            figure.set_layout_engine(None)  # "none" would still draw once more for each file
    return paths


def draw_figures(study: Study, measured: Measured, folder: Path) -> list[dict[str, str]]:
    """Write every figure's files into FOLDER; its data URIs by theme, in their order.

    Of many systems, figures take seconds each, and worker processes draw them.
    """
    jobs = [(plot, table, study.systems, folder) for plot, table in measured]
    count = min(len(os.sched_getaffinity(0)), len(jobs))
    if count < 2 or len(study.systems) <= ALONE:
        return [draw_figure(*job) for job in jobs]
    with worker_pool(count, [__name__]) as pool:
        return list(pool.map(draw_figure, *zip(*jobs, strict=True)))


def draw_figure(
    plot: Plot, table: pd.DataFrame, systems: Sequence[str], folder: Path
) -> dict[str, str]:
    """One figure's files and data URIs."""
    save_figure(plot, table, systems, folder)
    return figure_uris(plot, table, systems)


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
