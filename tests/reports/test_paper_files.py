"""The paper's tables as files: escaped, captioned, left out where empty, and compiled."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from dcvae.runs import RunError
from reports.build import main
from reports.export import save_figure, save_tables
from reports.figures.plot import Plot
from reports.formatting import MINUS, UNKNOWN
from reports.page.html import measured_plots
from reports.pdf import document, write_pdf
from reports.study.study import Study
from reports.tables.all_tables import all_tables
from reports.tables.captions import caption
from reports.tables.latex import escape
from reports.tables.table import Cell, Column, Table
from reports.tables.text import markdown

DATE = "2025-01-31"


def test_what_is_special_is_escaped() -> None:
    assert escape("50% of no_noise & A#1 {x} $5 ~ ^ a\\b") == (
        r"50\% of no\_noise \& A\#1 \{x\} \$5 \textasciitilde{} \textasciicircum{}"
        r" a\textbackslash{}b"
    )
    assert escape(f"{MINUS}1 {UNKNOWN} “x” → é\nž") == "$-$1 -- ``x'' ? é ž"
    column = Column("a|b", "a|b *c*", words=True)
    text = markdown(Table("t", "T", "", [column], [[Cell("x|y\nz", "x")]]), "c")
    assert r"| a\|b \*c\* |" in text
    assert r"| x\|y z |" in text


def test_a_caption_says_what_a_reader_of_the_table_alone_must_know(
    study: Study, tables: dict[str, Table]
) -> None:
    text = caption(tables["results"], study, DATE)
    assert "Test set: test split, 8 clips decoded." in text
    assert "Models of size tiny, training seed 0." in text
    assert "Measurements tried for a number: 8; 3 for dWER %." in text
    assert "Best in bold, of those that have most seeds." in text
    of_claims = caption(tables["claims"], study, DATE)
    assert "Clips behind a difference: 7." in of_claims
    assert "failed and enter" not in of_claims
    assert "95% intervals over clips, of these weights." in text
    assert "†" not in text
    assert text.endswith(f"Commit abcdef0123, {DATE}.")
    failed = 2 + 3 * 4  # the broken clip: PESQ and STOI of the ceiling; four metrics of a model
    tried = 8 * failed + 3 * 3
    assert f"{failed} of {tried} measurements failed and enter no mean." in text
    study.runs[0].record["corpus"] = {"name": "some_corpus"}
    assert "Test set: some_corpus, test split" in caption(tables["results"], study, DATE)
    del study.runs[0].record["corpus"]


def test_a_caption_of_several_seeds_says_what_a_dagger_is(planned: Study) -> None:
    found = {table.name: table for table in all_tables(planned)}
    text = caption(found["results"], planned, DATE)
    assert "95% intervals over training seeds and clips." in text
    assert "†: a difference to the baseline of the same training seeds, two or more, with" in text
    assert "Study parts: models of size tiny, training seeds 0, 1, 2." in text


def test_files_of_tables_that_are_empty_are_neither_left_nor_written(
    study: Study, tmp_path: Path
) -> None:
    tables = all_tables(study)
    (tmp_path / "modelability.md").write_text("of another study")
    empty = save_tables(tables, study, DATE, tmp_path)
    assert "modelability" in empty
    assert "results" not in empty
    full = {table.name for table in tables} - set(empty)
    kinds = ("tex", "md", "csv")
    expected = {f"{name}.{kind}" for name in full for kind in kinds}
    assert {path.name for path in tmp_path.iterdir()} == expected


def test_the_document_takes_in_every_table_and_figure(study: Study) -> None:
    tables, plots = all_tables(study), [plot for plot, _ in measured_plots(study)]
    text = document(tables, plots)
    for table in tables:
        assert (rf"\input{{tables/{table.name}.tex}}" in text) == (not table.empty)
    assert text.count(r"\includegraphics") == len(plots)
    assert all(escape(plot.caption) in text for plot in plots)


def test_without_latex_one_line_says_what_to_install(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("reports.build.measured_plots", lambda study: [])
    with pytest.raises(SystemExit) as stop:
        main([str(runs), "--out", str(tmp_path / "out"), "--pdf"])
    said = capsys.readouterr()
    (line,) = said.err.strip().splitlines()
    assert stop.value.code == 2
    assert "apt-get install texlive-latex-base texlive-latex-recommended" in line
    assert "nothing to put into the tables " in said.out
    assert (tmp_path / "out" / "tables" / "results.tex").is_file()


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_it_compiles_to_the_same_bytes(study: Study, tmp_path: Path) -> None:
    tables = all_tables(study)
    save_tables(tables, study, DATE, tmp_path / "tables")
    first = write_pdf(tables, [], DATE, tmp_path).read_bytes()
    assert first.startswith(b"%PDF")
    assert write_pdf(tables, [], DATE, tmp_path).read_bytes() == first
    (tmp_path / "tables" / "results.tex").write_text(r"\nosuchmacro")
    with pytest.raises(RunError, match="Undefined control sequence"):
        write_pdf(tables, [], DATE, tmp_path)
    assert (tmp_path / "report.pdf").read_bytes() == first


class Cut(Figure):
    """A figure that is interrupted once half of it is written."""

    def savefig(self, fname, **options) -> None:
        Path(fname).write_bytes(b"%PDF-1.4 half")
        raise KeyboardInterrupt


def test_a_figure_that_is_cut_short_takes_no_ones_place(tmp_path: Path) -> None:
    nothing = pd.DataFrame()
    plot = Plot("curve", "x", "x", "training", lambda study: nothing, lambda table: Cut())
    (tmp_path / "curve.pdf").write_bytes(b"whole")
    with pytest.raises(KeyboardInterrupt):
        save_figure(plot, nothing, ["baseline"], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["curve.pdf"]
    assert (tmp_path / "curve.pdf").read_bytes() == b"whole"
