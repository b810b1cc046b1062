"""The paper's tables: the page's numbers in LaTeX, Markdown and CSV, whole and escaped."""

import csv
import io
import math
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from reports.formatting import MINUS, UNKNOWN
from reports.study.claims import claims as find_claims
from reports.study.collect import collect
from reports.study.results import NOTHING, Estimate
from reports.study.study import Study
from reports.tables.all_tables import all_tables
from reports.tables.captions import caption
from reports.tables.latex import latex
from reports.tables.table import Column, Table, estimate_cell, number_cell, text_cell
from reports.tables.text import comma_separated, markdown

DATE = "2025-01-31"
DAGGER = r"\rlap{\textsuperscript{$\dagger$}}"
LETTERS = {r"$-$": MINUS, "--": UNKNOWN, r"\_": "_", r"\%": "%", "$<$": "<"}


class PageTable(HTMLParser):
    """Rows of texts of the page's tables, by the label of the region around each."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[list[str]]]] = {}
        self.label = ""
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.label = dict(attrs).get("aria-label") or self.label
        if tag == "tr":
            self.tables.setdefault(self.label, []).append([])
        if tag in ("td", "th"):
            self.tables[self.label][-1].append([])
        self.inside = self.inside or tag in ("td", "th")

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.inside and data.strip():
            self.tables[self.label][-1][-1].append(data.strip())


def tex_rows(text: str) -> list[list[str]]:
    """The cells of each line of the tabular, as a reader sees them."""
    body = text.partition(r"\toprule")[2].partition(r"\bottomrule")[0]
    lines = [line for line in body.splitlines() if line.strip() not in ("", r"\midrule")]
    assert all(re.search(r" \\\\(\[2pt\])?$", line) for line in lines)
    return [[seen(cell) for cell in re.split(r"(?<!\\)&", line)] for line in lines]


def seen(cell: str) -> str:
    """A LaTeX cell without its marks."""
    cell = re.sub(r"\\\\(\[2pt\])?$", "", cell.strip()).strip()
    cell = cell.replace(DAGGER, "")
    cell = re.sub(r"\\textbf\{(.*)\}", r"\1", re.sub(r"\{\\scriptsize (.*)\}", r"\1", cell))
    for tex, letter in LETTERS.items():
        cell = cell.replace(tex, letter)
    return cell


def bare(title: str) -> str:
    return title.rstrip(" ↑↓%")


def numbers_of(text: str) -> list[float]:
    """Every number in a text, a minus sign being one."""
    found = re.findall(r"[-+]?\d[\d,]*(?:\.\d+)?", text.replace(MINUS, "-"))
    return [float(one.replace(",", "")) for one in found]


def test_page_latex_markdown_and_csv_have_the_same_numbers(
    page: str, tables: dict[str, Table]
) -> None:
    """The main results, column by column: what is rounded is the CSV's number, rounded."""
    table = tables["results"]
    head, *rows = PageTable(page).tables["Results"]
    tex = tex_rows(latex(table, "x"))[1:]
    kept = list(csv.DictReader(io.StringIO(comma_separated(table))))
    piped = [line.split(" | ") for line in markdown(table, "x").splitlines()[4:]]
    compared = 0
    assert [row["system"] for row in kept] == ["ceiling", "baseline", "no_dispersive", "plain_ae"]
    for number, (on_page, raw, in_pipes) in enumerate(zip(rows, kept, piped, strict=True)):
        means, intervals = tex[2 * number : 2 * number + 2]
        assert means[0] == raw["system"] == "".join(on_page[0])
        counted = [place for place, column in enumerate(table.columns) if column.counted]
        for on, place in enumerate(counted, start=1):
            column = table.columns[place]
            assert bare(column.title) in " ".join(head[on])
            shown = " ".join(on_page[on]).split(" n = ")[0]
            in_tex = f"{means[place]} {intervals[place]}".strip()
            assert in_tex == shown
            assert re.sub(r"[*†()|]", "", in_pipes[place]).strip() == shown
            ends = [float(raw[f"{column.key}_{part}"]) for part in ("mean", "low", "high")]
            if shown == UNKNOWN:
                assert math.isnan(ends[0])
                continue
            digits = len(shown.split(" ")[0].partition(".")[2])
            assert numbers_of(shown) == [float(f"{one:.{digits}f}") for one in ends]
            compared += 1
    assert compared == 2 + 3 * 5  # the ceiling's PESQ and STOI; five numbers a model


def test_csv_has_full_precision_and_counts(study: Study, tables: dict[str, Table]) -> None:
    rows = list(csv.DictReader(io.StringIO(comma_separated(tables["results"]))))
    plain = rows[3]
    one = study.results.estimate("plain_ae", "reconstruction", "pesq_wb")
    assert float(plain["pesq_wb_mean"]) == one.mean == pytest.approx(1.42)
    assert float(plain["pesq_wb_low"]) == one.low
    assert (plain["pesq_wb_n_scored"], plain["pesq_wb_n_failed"]) == ("7", "1")
    assert float(plain["dwer_percent_mean"]) == pytest.approx(100 * 9 / 24)
    assert plain["dwer_percent_n_scored"] == "3"
    assert (plain["parameters"], plain["speech_seconds"]) == ("1230000", "3600.0")
    assert rows[0]["floats_per_second"] == "nan"
    third = Estimate(1 / 3, -2 / 3, 1e-17, 1)
    table = Table("t", "T", "", [Column("m", "m", counted=True)], [[estimate_cell(third, 2)]])
    kept = comma_separated(table).splitlines()[1].split(",")
    assert [float(one) for one in kept] == [1 / 3, -2 / 3, 1e-17, 1, 0]


def test_best_is_bold_and_a_clear_difference_has_a_dagger(planned: Study) -> None:
    """plain_ae's mel L1 is .05 lower with every seed; no_dispersive's is the baseline's."""
    tables = {table.name: table for table in all_tables(planned)}
    lines = latex(tables["results"], "x").splitlines()
    row = {
        name: next(one for one in lines if one.startswith(start))
        for name, start in (("no", r"no\_dispersive"), ("plain", "plain"))
    }
    assert rf"\textbf{{0.480}}{DAGGER}" in row["plain"]
    assert "textbf" not in row["no"]
    assert "dagger" not in row["no"]
    noise = markdown(tables["latent-noise-mel-l1"], "x")
    assert "| 0.980† (" in noise
    assert "**0.980" not in noise


def test_every_latex_table_is_balanced_and_rectangular(
    study: Study, tables: dict[str, Table]
) -> None:
    for table in tables.values():
        if table.empty:
            continue
        text = latex(table, caption(table, study, DATE))
        opened = re.findall(r"\\(begin|end)\{([a-z*]+)\}", text)
        assert opened == [
            ("begin", "table*"), ("begin", "tabular"), ("end", "tabular"), ("end", "table*"),
        ]  # fmt: skip
        assert len(re.findall(r"(?<!\\)\{", text)) == len(re.findall(r"(?<!\\)\}", text))
        assert {len(row) for row in tex_rows(text)} == {len(table.columns)}
        assert rf"\label{{tab:{table.name}}}" in text
        assert not re.search(r"(?<!\\)[_%#]", text.replace("}{!}{%\n", ""))


def test_one_seed_has_neither_dagger_nor_p(tables: dict[str, Table]) -> None:
    for table in tables.values():
        assert "clear" not in table.marks
        assert table.empty or "Holm" not in table.note
    for row in csv.DictReader(io.StringIO(comma_separated(tables["claims"]))):
        assert (row["p"], row["p_holm"]) == ("nan", "nan")
        assert row["verdict"] in ("one seed", "not measured")


def test_claims_and_interactions_have_the_same_numbers_in_every_form(
    planned: Study, planned_page: str
) -> None:
    """A row a claim and stratum, exploratory last: on the page, in LaTeX, Markdown and CSV."""
    found = {table.name: table for table in all_tables(planned)}
    text = " ".join(re.sub(r"<[^>]+>", " ", planned_page).split())
    kept = list(csv.DictReader(io.StringIO(comma_separated(found["claims"]))))
    tex = [row for row in tex_rows(latex(found["claims"], "x"))[1:] if len(row) > 1]
    flat = [each for one in find_claims(planned) for each in (one, *one.strata)]
    assert len(kept) == len(tex) == len(flat) == 12
    assert kept[-1]["family"] == "exploratory"
    for row, cells, one in zip(kept, tex, flat, strict=True):
        assert cells[0] == row["system"] == one.system
        if row["difference_mean"] == "nan":
            continue
        mean, low, high = (float(row[f"difference_{part}"]) for part in ("mean", "low", "high"))
        assert (mean, low, high) == (one.difference.mean, one.difference.low, one.difference.high)
        digits = one.metric.digits
        signed = f"{mean:+.{digits}f}".replace("-", MINUS)
        assert f"{signed} {one.what}" in text
        assert cells[6].startswith(signed)
        assert row["verdict"] in cells
        assert "difference_n_failed" not in row  # a difference is of what both scored
    pairs = list(csv.DictReader(io.StringIO(comma_separated(found["interactions"]))))
    assert [(one["factor"], one["other"]) for one in pairs] == [("no_noise", "no_layernorm")] * 2
    assert {one["metric"]: one["clear"] for one in pairs} == {
        "mel L1 at latent noise 1.0": "yes", "effective rank": "no",
    }  # fmt: skip
    on_page = PageTable(planned_page).tables["Interactions of the factors"][1]
    assert "".join(on_page[3][0]) == f"{float(pairs[0]['difference_mean']):+.3f}" == "+0.298"


def test_cost_is_of_each_run(tables: dict[str, Table]) -> None:
    """1,200 steps and an hour of speech in 90 seconds."""
    first = next(csv.DictReader(io.StringIO(comma_separated(tables["cost"]))))
    assert first["run"] == "tiny/baseline/seed0"
    assert float(first["steps_per_second"]) == pytest.approx(1200 / 90)
    assert float(first["speech_per_second"]) == pytest.approx(40)
    assert "| 1.23 | 1,200 | 0.025 | 13.33 | 40.00 |" in markdown(tables["cost"], "")
    assert first["processes"] == "nan"


def measure_more(folder: Path) -> None:
    """Noisy speech, round trips, blur and a model of the latents, in a run's table."""
    with (folder / "analysis" / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    clips = sorted({row["clip"] for row in rows} - {""})
    values = {
        "noisy_white_20": 0.9, "noisy_white_5": 1.9, "input_white_20": 0.6, "input_white_5": 1.1,
        "input_babble_0": 2.0, "noisy_babble_0": 2.5, "round_trip_1": 0.5, "round_trip_10": 0.8,
        "round_trip_2": 0.6,
    }  # fmt: skip
    new = [(clip, name, "mel_l1", value) for clip in clips for name, value in values.items()]
    new += [(clip, "modelability", "heldout_loss_per_second", 300.0) for clip in clips]
    blur = {"bands_0_1000hz": -0.5, "bands_4000_11025hz": -2.0, "bands_1000_4000hz": -1.0}
    new += [(clip, at, "log_modulation_ratio", x) for clip in clips for at, x in blur.items()]
    new += [("", "no_context", "heldout_loss_per_second", 400.0)]
    for clip, condition, metric, value in new:
        rows.append({**rows[0], "clip": clip, "condition": condition, "metric": metric})
        rows[-1] |= {"value": str(value), "reason": ""}
    with (folder / "analysis" / "table.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_noisy_speech_round_trips_and_modelability_where_measured(
    tmp_path: Path, make_run: Callable[..., Path]
) -> None:
    from analysis.statistics.tables import summarise_study

    measure_more(make_run(tmp_path, "baseline"))
    summarise_study(tmp_path / "tiny")
    found = {table.name: table for table in all_tables(collect(tmp_path))}
    noisy = found["input-noise-mel-l1"]
    assert [column.title for column in noisy.columns[1:]] == [
        "babble, 0 dB", "white, 20 dB", "white, 5 dB",
    ]  # fmt: skip
    assert [[cell.text for cell in row] for row in noisy.rows] == [
        ["noisy input", "2.500", "0.900", "1.900"],
        ["baseline", "2.000", "0.600", "1.100"],
    ]
    assert latex(noisy, "").count(r"\midrule") == 2
    trips = found["round-trips-mel-l1"]
    assert [column.title for column in trips.columns] == ["system", "1 trip", "2 trips", "10 trips"]
    assert [cell.text for cell in trips.rows[0]] == ["baseline", "0.500", "0.600", "0.800"]
    assert [cell.text for cell in found["modelability"].rows[0]] == ["baseline", "300.00", "400.00"]
    assert found["round-trips-stoi"].empty
    blur = found["bands-log-modulation-ratio"]
    titles = [column.title for column in blur.columns[1:]]
    assert titles == ["0 to 1 kHz", "1 to 4 kHz", "4 to 11 kHz"]
    assert [cell.text for cell in blur.rows[0][1:]] == [
        f"{MINUS}{x}" for x in ("0.50", "1.00", "2.00")
    ]


def test_an_estimate_without_a_value_or_an_interval() -> None:
    assert estimate_cell(NOTHING, 3).text == UNKNOWN
    alone = Estimate(1.0, math.nan, math.nan, 1)
    assert (estimate_cell(alone, 1).text, estimate_cell(alone, 1).interval) == ("1.0", "")


def test_unseen_voices_are_on_the_page_and_say_of_which_split_they_are(
    page: str, study: Study, tables: dict[str, Table]
) -> None:
    table = tables["unseen-voices"]
    rows = PageTable(page).tables["Unseen voices"]
    assert ["".join(row[0]) for row in rows[1:]] == [row[0].text for row in table.rows]
    assert [row[1][0] for row in rows[1:]] == [row[1].text for row in table.rows]
    assert [row[1].text for row in table.rows] == ["0.900", "0.470", "0.470", "0.520"]
    said = caption(table, study, DATE)
    assert "Test set: unseen split. Measurements tried for a number: 8." in said
    assert "test split, 8 clips decoded" in caption(tables["results"], study, DATE)


@pytest.mark.parametrize("name", ["=1+1", "+1", "-x", "@sum", "\t=1", "\r=1"])
def test_a_name_is_no_formula_where_a_spreadsheet_opens_it(name: str) -> None:
    columns = [Column("system", "system", words=True), Column("value", "value")]
    rows = [[text_cell(name), number_cell(-0.5)]]
    text = comma_separated(Table("x", "x", "x", columns=columns, rows=rows))
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert row == {"system": f"'{name}", "value": "-0.5"}
