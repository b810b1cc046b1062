"""python -m reports.build [RUNS]: write index.html from whatever is trained and analysed."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from dcvae.utils.files import replace_text
from reports.collect import collect
from reports.export import save_figure, save_tables
from reports.page.html import measured_plots, render
from reports.pdf import write_pdf
from reports.study import Study
from reports.tables.all_tables import all_tables


def main(arguments: Sequence[str] | None = None) -> None:
    """Build the page; a user's error is one line and exit status 2."""
    parser = argparse.ArgumentParser(prog="python -m reports.build", description=__doc__)
    parser.add_argument("runs", nargs="?", type=Path, default=Path("runs"), metavar="RUNS")
    parser.add_argument(
        "--out", type=Path, default=Path("reports/out"), help="folder (%(default)s)"
    )
    parser.add_argument("--size", help='which size of run; of several, "tiny" unless given')
    parser.add_argument("--study", metavar="NAME", help="the runs that RUNS/studies/NAME plans")
    parser.add_argument("--pdf", action="store_true", help="make report.pdf as well, with LaTeX")
    options = parser.parse_args(arguments)
    try:
        study = collect(options.runs, options.size, options.study)
        build(study, options.out, options.pdf)
    except (ValueError, OSError) as error:
        if os.environ.get("DCVAE_DEBUG"):
            raise
        print(f"report: {' '.join(str(error).split())}", file=sys.stderr)
        raise SystemExit(2) from None


def build(study: Study, out: Path, with_pdf: bool) -> None:
    """Write OUT/index.html, OUT/figures, OUT/tables, and OUT/report.pdf where asked for."""
    path, measured, tables = out / "index.html", measured_plots(study), all_tables(study)
    replace_text(path, render(study, study.date, measured))
    for plot, table in measured:
        save_figure(plot, table, study.systems, out / "figures")
    empty = save_tables(tables, study, study.date, out / "tables")
    for note in study.missing:
        print(f"report: {note}", file=sys.stderr)
    left_out = f"; nothing to put into the tables {', '.join(empty)}" if empty else ""
    print(f"{path} ({path.stat().st_size / 1e6:.1f} MB, {len(study.runs)} runs{left_out})")
    if with_pdf:
        print(write_pdf(tables, [plot for plot, _ in measured], study.date, out))


if __name__ == "__main__":
    main()
