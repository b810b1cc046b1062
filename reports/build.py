"""python -m reports.build [RUNS]: write index.html from whatever is trained and analysed."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dcvae.utils.errors import ended_by_interrupts, user_errors

with ended_by_interrupts():
    from dcvae.utils.files import replace_text
    from reports.export import draw_figures, save_tables
    from reports.page.audio_grid import listening
    from reports.page.html import measured_plots, render, without_panels
    from reports.pdf import write_pdf
    from reports.study.collect import collect, pick
    from reports.study.study import Study
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
    parser.add_argument(
        "--pick",
        metavar="NAME,NAME",
        type=lambda text: [name.strip() for name in text.split(",") if name.strip()],
        default=[],
        help="the systems that are heard, and shown on maps and spectrograms, where the page has no"
        " room for all; the baseline is among them",
    )
    parser.add_argument("--pdf", action="store_true", help="make report.pdf as well, with LaTeX")
    options = parser.parse_args(arguments)
    with user_errors("report"):
        study = collect(options.runs, options.size, options.study)
        build(pick(study, options.pick), options.out, options.pdf)


def build(study: Study, out: Path, with_pdf: bool) -> None:
    """Write OUT/index.html, OUT/figures, OUT/tables, and OUT/report.pdf where asked for."""
    path, measured, tables = out / "index.html", measured_plots(study), all_tables(study)
    heard = listening(study)
    study = replace(study, missing=[*study.missing, *without_panels(study, measured), *heard.notes])
    drawn = draw_figures(study, measured, out / "figures")
    replace_text(path, render(study, study.date, measured, heard, drawn))
    empty = save_tables(tables, study, study.date, out / "tables")
    for note in study.missing:
        print(f"report: {note}", file=sys.stderr)
    left_out = f"; nothing to put into the tables {', '.join(empty)}" if empty else ""
    print(f"{path} ({path.stat().st_size / 1e6:.1f} MB, {len(study.runs)} runs{left_out})")
    if with_pdf:
        print(write_pdf(tables, [plot for plot, _ in measured], study.date, out))


if __name__ == "__main__":
    main()
