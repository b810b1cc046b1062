"""The page from run folders: whole, self-contained, repeatable; and what is refused or noted."""

import ast
import base64
import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path

import pytest
import soundfile
from PIL import Image

from reports.build import main
from reports.formatting import UNKNOWN
from reports.page.html import leading, measured_plots
from reports.page.html import render as render_page
from reports.study.collect import collect
from reports.study.study import Study

MakeRun = Callable[..., Path]


def render(study: Study, date: str, figures: Sequence[str] = ()) -> str:
    """The page with the figures of these names alone: all of them take a quarter of a minute."""
    measured = [one for one in measured_plots(study) if one[0].name in figures]
    return render_page(study, date, measured)


class Page(HTMLParser):
    """Every element with its attributes, and that each that opens closes."""

    VOID = frozenset({"meta", "link", "img", "input", "br", "source", "line", "circle", "!doctype"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def test_the_page_is_whole_and_asks_nothing_of_the_network(page: str) -> None:
    parsed = Page(page)
    assert parsed.open == []
    sources = [
        value
        for _, attributes in parsed.found
        for key, value in attributes.items()
        if key in ("src", "srcset", "href") and value
    ]
    assert all(value.startswith(("data:", "#")) for value in sources)
    assert "http://" not in re.sub(r"data:[^\"]*", "", page)
    assert "https://" not in re.sub(r"data:[^\"]*", "", page)
    anchors = {value[1:] for value in sources if value.startswith("#")}
    assert anchors <= {attributes.get("id") for _, attributes in parsed.found}
    assert len(page) < 15_000_000


def test_every_system_has_its_audio_and_pictures_decode(page: str, runs: Path) -> None:
    parsed = Page(page)
    sounds = parsed.all("audio")
    # clips x (original, ceiling, three ablations), and one continued, which has no ceiling
    assert len(sounds) == 2 * 5 + 4
    assert page.count(", continued after 1.5 s</h4>") == 1
    content = str(sounds[0]["src"]).partition("base64,")[2]
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(content)), dtype="int16")
    folder = runs / "tiny/baseline/seed0/analysis/examples/voice-0-0123456789"
    original, _ = soundfile.read(folder / "original.wav", dtype="int16")
    assert rate == 22050
    assert (samples == original).all()
    pictures = [str(one["src"]) for one in parsed.all("img")]
    assert len(pictures) == 2 * 5 + 4 + len(measured_plots(collect(runs)))  # mels and figures
    for picture in pictures:
        kind, _, content = picture.partition(";base64,")
        decoded = base64.b64decode(content)
        if kind == "data:image/png":
            Image.open(io.BytesIO(decoded)).verify()
        else:
            assert b"<svg" in decoded


def test_the_numbers_are_the_tables(page: str) -> None:
    text = re.sub(r"<[^>]+>", " ", page)
    for number in ("0.530", "0.480", "1.370", "3.530", "2.500", "+0.300"):
        assert number in text
    assert "not measured" in text
    assert "the clip is broken" in text
    assert "12.5" in text


WORDS = ("supported", "contradicted", "negligible", "undecided", "Holm", "p &lt;", "p =", "†")


def seen(page: str) -> str:
    """What a reader sees, without style and scripts."""
    shown = re.sub(r"<(style|script)>.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", shown).split())


def test_one_seed_gets_no_verdict_and_one_sentence_says_what_would_give_one(page: str) -> None:
    text = seen(page).lower()
    assert [word for word in WORDS if word.lower() in text] == []
    assert page.count('<p class="verdict one-seed">') > 0
    assert "of these weights" in text
    assert text.count("train seeds 1 and 2:") == 1
    assert (
        "<code>python -m experiments.study study=paper size=tiny"
        " ablations=[baseline,no_dispersive,plain_ae] seeds=[0,1,2]</code>" in page
    )


def test_several_seeds_get_verdicts_and_exploratory_claims_look_it(planned_page: str) -> None:
    page = planned_page
    assert Page(page).open == []
    text = seen(page)
    for verdict in ("supported", "negligible", "undecided"):
        assert f'<p class="verdict {verdict}">' in page
    assert "would decide it." in text
    assert "p &lt; 0.001 after Holm; 3 seeds, 7 clips" in text
    assert "of these weights" not in seen(page.partition('<section id="method">')[0])
    family, _, exploratory = page.partition("<h3>Exploratory</h3>")
    listed, _, after = exploratory.partition("</ul>")
    assert "plain_ae" in listed
    assert "exploratory: supported" in listed
    assert "p &lt; 0.001, not corrected" in seen(listed)
    assert "Holm" not in seen(listed)
    assert "It does not bear noise." not in family
    assert "no_noise with layernorm taken away" in seen(family)
    assert "<h3>Where one part depends on another</h3>" in after
    assert text.count("Nothing measures it yet.") == 3
    assert "3 of the 24 runs of the study are not there yet (seed" in seen(page)
    assert "Not run: no_feature_matching." in seen(page)
    assert "<code>python -m experiments.study study=parts</code>" in page


def test_cells_carry_the_numbers_by_which_they_sort(page: str) -> None:
    parsed = Page(page)
    better = [one["data-better"] for one in parsed.all("th") if "data-better" in one]
    assert set(better) == {"up", "down", ""}
    values = [float(one["data-value"] or "") for one in parsed.all("td") if "data-value" in one]
    assert any(value == pytest.approx(0.53) for value in values)  # mel L1, as measured
    assert 1200.0 in values  # steps
    assert [leading(text) for text in ("1,200", "60.0 min", 0)] == [1200.0, 60.0, 0.0]
    assert [leading(text) for text in (UNKNOWN, f"{UNKNOWN} M", "1b5b703b2")] == [None] * 3


def test_the_designs_claims_come_first_and_lead_to_their_figures(page: str) -> None:
    promises = page.index("Posterior noise makes the latents robust.")
    assert promises < page.index("<table")
    assert promises < page.index("<h2>Results")
    assert 'href="#figure-latent-noise-mel-l1"' in page
    assert page.count("It does not bear noise.") == 1


def test_the_same_tables_give_the_same_page_but_for_the_date(runs: Path) -> None:
    figures = ("claims", "quality-stoi", "latent-noise-mel-l1", "losses")
    page = render(collect(runs), "2025-01-31", figures)
    again = render(collect(runs), "2025-02-01", figures)
    assert again != page
    assert again.replace("2025-02-01", "2025-01-31") == page


def test_the_command_writes_the_page(built: tuple[Path, str]) -> None:
    out, printed = built
    assert {path.name for path in out.iterdir()} == {"index.html", "figures", "tables"}
    assert "3 runs" in printed


def test_a_partial_study_says_what_is_missing(tmp_path: Path, make_run: MakeRun) -> None:
    make_run(tmp_path, "no_dispersive")
    make_run(tmp_path, "plain_ae", analysed=False)
    running = make_run(tmp_path, "baseline", analysed=False)
    described = json.loads((running / "run.json").read_text())
    (running / "run.json").write_text(json.dumps({**described, "status": "running"}))
    text = render(collect(tmp_path), "today")
    assert "tiny/baseline/seed0 is still training" in text
    assert "tiny/plain_ae/seed0 is not analysed: run <code>python -m analysis" in text
    assert "No baseline is analysed" in text
    assert Page(text).open == []


def test_several_seeds_without_examples_or_curves_still_make_a_page(
    tmp_path: Path, make_run: MakeRun
) -> None:
    for seed in (0, 1):
        folder = make_run(tmp_path, "baseline", seed)
        (folder / "metrics.jsonl").unlink()
        for name in ("examples", "continuations"):
            shutil.rmtree(folder / "analysis" / name)
    text = render(collect(tmp_path), "today")
    assert "hold no example audio" in text
    assert Page(text).open == []


def fails(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line with which the command refuses, with status 2."""
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


def test_nothing_to_report_is_one_line_that_names_the_command(
    tmp_path: Path, make_run: MakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "out")]
    runs = tmp_path / "runs"
    assert "no such folder" in fails([str(runs), *out], capsys)
    runs.mkdir()
    assert "accelerate launch experiments/run.py" in fails([str(runs), *out], capsys)
    folder = make_run(runs, "baseline", analysed=False)
    assert f"python -m analysis {folder}" in fails([str(runs), *out], capsys)
    assert "holds no run of size full" in fails([str(runs), *out, "--size", "full"], capsys)
    (folder / "run.json").write_text("{")
    assert "run.json is damaged" in fails([str(runs), *out], capsys)
    assert not (tmp_path / "out").exists()


def test_reports_load_neither_torch_nor_the_other_packages() -> None:
    code = "import sys, reports.build; print(list(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ast.literal_eval(shown.stdout))
    assert loaded.isdisjoint({"torch", "experiments", "analysis"})
    ours = {name for name in loaded if name.startswith("dcvae")}
    utils = ("csv_lines", "entries", "errors", "files", "jsonl", "workers")
    files = ("claims", "record_types", "runs", "study_plan", "system_names", "utils")
    rooms = {"dcvae", *(f"dcvae.{name}" for name in files)}
    assert ours == rooms | {f"dcvae.utils.{name}" for name in utils}
