"""All tables and figures in one LaTeX document, and that document as a PDF."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from dcvae.runs import RunError
from dcvae.utils.files import replace_text
from reports.figures.plot import Plot
from reports.tables.latex import escape
from reports.tables.table import Table

NAME = "report"
BATCH = ("-interaction=nonstopmode", "-halt-on-error")
ENGINES = {  # the first one installed; each with the option that names its output folder
    "pdflatex": (*BATCH, "-output-directory"),
    "tectonic": ("--outdir",),
    "latexmk": ("-pdf", *BATCH, "-outdir"),
}
INSTALL = "apt-get install texlive-latex-base texlive-latex-recommended"
SECONDS = 300  # longer than the first run of any engine
HEAD = r"""\documentclass[a4paper]{article}
\usepackage[landscape,margin=1.5cm]{geometry}
\usepackage{array,booktabs,graphicx}
\extrafloats{200}
\pagestyle{plain}
% the same document gives the same bytes
\ifdefined\pdftrailerid\pdftrailerid{}\fi
\ifdefined\pdfsuppressptexinfo\pdfsuppressptexinfo=-1\fi
\begin{document}
"""
FIGURE = r"""\begin{figure}[tp]
\centering
\resizebox{!}{\ifdim\height>0.85\textheight 0.85\textheight\else\height\fi}{%%
\includegraphics{figures/%s.pdf}}
\caption{%s}
\label{fig:%s}
\end{figure}
"""


def document(tables: Sequence[Table], plots: Sequence[Plot]) -> str:
    """A document that stands beside the folders tables/ and figures/."""
    inputs = [f"\\input{{tables/{table.name}.tex}}\n" for table in tables if not table.empty]
    figures = [FIGURE % (plot.name, escape(plot.caption), plot.name) for plot in plots]
    return "".join([HEAD, *inputs, *figures, "\\end{document}\n"])


def write_pdf(tables: Sequence[Table], plots: Sequence[Plot], date: str, out: Path) -> Path:
    """Write OUT/report.tex and OUT/report.pdf, dated at midnight of an ISO date.

    RunError where no LaTeX is installed, or where it fails.
    """
    replace_text(out / f"{NAME}.tex", document(tables, plots))
    found = next((engine for engine in ENGINES if shutil.which(engine)), None)
    if found is None:
        raise RunError(f"{out / NAME}.tex is written, but LaTeX is not installed: {INSTALL}")
    with tempfile.TemporaryDirectory(prefix=".pdf-", dir=out) as place:
        compile_in(Path(place).resolve(), found, date, out)
        os.replace(Path(place) / f"{NAME}.pdf", out / f"{NAME}.pdf")
    return out / f"{NAME}.pdf"


def compile_in(place: Path, engine: str, date: str, out: Path) -> None:
    """Put report.pdf into a folder; RunError tells LaTeX's own complaint."""
    *options, folder = ENGINES[engine]
    last = [folder, str(place)] if engine == "tectonic" else [f"{folder}={place}"]
    midnight = str(int(datetime.fromisoformat(f"{date}T00:00:00+00:00").timestamp()))
    try:
        done = subprocess.run(
            [engine, *options, *last, f"{NAME}.tex"],
            cwd=out,
            env=os.environ | {"SOURCE_DATE_EPOCH": midnight, "FORCE_SOURCE_DATE": "1"},
            capture_output=True,
            check=False,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise RunError(f"{engine} did not finish {out / NAME}.tex in {SECONDS} s") from None
    if done.returncode or not (place / f"{NAME}.pdf").is_file():
        said = (done.stdout + done.stderr).decode(errors="replace").splitlines()
        complaint = next((line for line in said if line.startswith(("!", "error"))), "no reason")
        raise RunError(f"{engine} could not make {out / NAME}.tex: {complaint}")
