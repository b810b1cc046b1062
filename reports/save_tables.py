"""The tables as files: LaTeX, Markdown and CSV."""

from collections.abc import Sequence
from pathlib import Path

from dcvae.utils.files import replace_text
from reports.captions import caption
from reports.latex import latex
from reports.paper_table import Table
from reports.study import Study
from reports.text_tables import comma_separated, markdown


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
