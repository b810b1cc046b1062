"""The page in a real browser: it loads, plays, sorts, opens figures, offline and at any width."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import numpy as np
import pytest
import soundfile

from reports.export import save_figure
from reports.page.html import measured_plots, render
from reports.study.collect import collect

DATA = Path(__file__).parents[1] / "data"
RATE = 22050
SECONDS = 3.0
SWITCHED = 0.15  # seconds that a switch of systems may lose or win
COLUMN = """([caption, head]) => {
  const tables = [...document.querySelectorAll('table')];
  const table = tables.find((one) => one.caption.textContent.includes(caption));
  const heads = [...table.tHead.rows[0].cells];
  const column = heads.findIndex((one) => one.textContent.includes(head));
  return [...table.tBodies[0].rows].map(
    (row) => [row.cells[0].textContent.trim(), row.cells[column].dataset.value ?? null]);
}"""
OVERFLOW = "document.documentElement.scrollWidth - window.innerWidth"
RESULTS = "Mean over clips"
OPENED = "quality-stoi"  # the figure whose files are asked for
MELS = ("original", "reconstruction", "continuation")


@pytest.fixture(scope="module")
def page_path(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the fixture study, with three seconds of real speech in its players."""
    root = tmp_path_factory.mktemp("browser")
    shutil.copytree(runs, root / "runs")
    speech = np.concatenate([soundfile.read(one)[0] for one in sorted(DATA.glob("*.flac"))])
    wave = np.resize(speech, int(SECONDS * RATE))
    for place in (root / "runs").rglob("*.wav"):
        soundfile.write(place, wave, RATE, subtype="PCM_16")
        mel = np.random.default_rng(0).normal(-4, 2, (80, len(wave) // 256)).astype(np.float32)
        np.savez_compressed(place.parent / "mel.npz", **dict.fromkeys(MELS, mel))
    study = collect(root / "runs")
    measured = measured_plots(study)
    (root / "index.html").write_text(render(study, "2025-01-31", measured))
    for plot, table in measured:
        if plot.name == OPENED:
            save_figure(plot, table, study.systems, root / "figures")
    return root / "index.html"


@pytest.fixture
def page(browser: Any, page_path: Path) -> Iterator[Any]:
    """The page, opened; at the end neither an error nor a request that leaves the machine."""
    opened = browser.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    errors: list[str] = []
    requests: list[str] = []
    opened.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("request", lambda request: requests.append(request.url[:80]))
    opened.goto(page_path.as_uri())
    yield opened
    opened.close()
    assert errors == []
    assert [url for url in requests if urlparse(url).scheme not in ("file", "data")] == []


def column(page: Any, caption: str, head: str) -> list[tuple[str, float | None]]:
    """The rows of a table as they stand: the row's name and its value in a column."""
    rows = page.evaluate(COLUMN, [caption, head])
    return [(name, None if value is None else float(value)) for name, value in rows]


def results_head(page: Any, text: str) -> Any:
    return page.get_by_role("region", name="Results").get_by_role("columnheader", name=text)


@pytest.fixture(scope="module")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = os.environ.get("DCVAE_SCREENSHOTS")
    place = Path(folder) if folder else tmp_path_factory.mktemp("screenshots")
    place.mkdir(parents=True, exist_ok=True)
    return place


def test_every_picture_is_drawn_and_every_sound_plays(page: Any) -> None:
    widths = page.evaluate("[...document.images].map((one) => one.naturalWidth)")
    assert len(widths) > 10
    assert min(widths) > 0
    reached = page.evaluate(
        """async () => {
          const sounds = [...document.querySelectorAll('audio')];
          await Promise.all(sounds.map((one) => { one.muted = true; return one.play(); }));
          const moved = async (one) => {
            for (let turn = 0; turn < 100 && one.currentTime <= 0; turn += 1) {
              await new Promise((go) => setTimeout(go, 50));
            }
            return [one.currentTime, one.duration];
          };
          return Promise.all(sounds.map(moved));
        }"""
    )
    assert len(reached) == 2 * 5 + 4  # two clips, and one continued
    assert all(0 < at <= SECONDS for at, _ in reached)
    assert all(length == pytest.approx(SECONDS, abs=0.01) for _, length in reached)


def sounds(what: str) -> str:
    """JavaScript: one attribute of each sound of the first player."""
    return f"[...document.querySelector('.player').querySelectorAll('audio')].map((a) => a.{what})"


def test_another_system_goes_on_from_the_same_place(page: Any) -> None:
    cells = page.locator(".player").first.locator(".cell")
    cells.nth(0).click()
    page.wait_for_function(sounds("currentTime") + "[0] > 0.5")
    before, after = page.evaluate(
        """() => {
          const cells = [...document.querySelector('.player').querySelectorAll('.cell')];
          const [one, other] = [0, 3].map((index) => cells[index].querySelector('audio'));
          const before = one.currentTime;
          cells[3].click();
          return [before, other.currentTime];
        }"""
    )
    assert before > 0.5
    assert after == pytest.approx(before, abs=SWITCHED)
    page.wait_for_function(sounds("currentTime") + f"[3] > {after}")
    assert page.evaluate(sounds("paused")) == [True, True, True, False, True]
    assert cells.nth(3).get_attribute("aria-pressed") == "true"


def test_the_keyboard_chooses_pauses_and_plays(page: Any) -> None:
    cells = page.locator(".player").first.locator(".cell")
    cells.nth(0).press("Space")
    page.wait_for_function(sounds("currentTime") + "[0] > 0.3")
    page.keyboard.press("Space")
    assert all(page.evaluate(sounds("paused")))
    stopped = page.evaluate(sounds("currentTime"))[0]
    page.keyboard.press("ArrowLeft")  # round to the last
    assert page.evaluate("document.activeElement.dataset.heard") == "plain_ae"
    assert page.evaluate(sounds("currentTime"))[4] == pytest.approx(stopped, abs=SWITCHED)
    page.keyboard.press("Space")
    page.wait_for_function(sounds("paused") + "[4] === false")


def test_a_column_sorts_best_first_then_worst_first_then_as_it_was(page: Any) -> None:
    before = column(page, RESULTS, "mel L1 ↓")
    assert [name for name, _ in before] == ["ceiling", "baseline", "no_dispersive", "plain_ae"]
    head = results_head(page, "mel L1 ↓")
    head.get_by_role("button").click()
    assert [name for name, _ in column(page, RESULTS, "mel L1 ↓")][:2] == ["ceiling", "plain_ae"]
    assert head.get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Enter")  # the button has the focus
    values = [value for _, value in column(page, RESULTS, "mel L1 ↓")]
    assert values[1:] == pytest.approx([0.53, 0.53, 0.48])
    assert head.get_attribute("aria-sort") == "descending"
    page.keyboard.press("Enter")
    assert column(page, RESULTS, "mel L1 ↓") == before
    assert head.get_attribute("aria-sort") is None


def test_higher_is_better_sorts_downwards_and_what_is_missing_comes_last(page: Any) -> None:
    page.evaluate(
        """() => {
          const row = [...document.querySelectorAll('tr')].find(
            (one) => one.cells[0].textContent.trim() === 'plain_ae' && one.cells.length > 6);
          delete row.cells[1].dataset.value;
        }"""
    )
    head = results_head(page, "PESQ-wb")
    for order in ("descending", "ascending"):
        head.get_by_role("button").press("Enter")
        names = [name for name, _ in column(page, RESULTS, "PESQ-wb")]
        assert head.get_attribute("aria-sort") == order
        assert (names[0], names[-1]) == ("ceiling", "plain_ae")


def test_a_figure_opens_large_and_closes_by_keyboard(page: Any, page_path: Path) -> None:
    button = page.locator(f"#figure-{OPENED} .enlarge")
    dialog = page.locator("#large")
    button.press("Enter")
    assert dialog.is_visible()
    shown = dialog.locator("img").bounding_box()
    assert shown["width"] > 900
    assert shown["height"] < 900
    for link in dialog.locator(".files a").all():
        target = link.evaluate("(one) => one.href")
        assert Path(unquote(urlparse(target).path)).parent == page_path.parent / "figures"
        assert Path(unquote(urlparse(target).path)).is_file()
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert button.evaluate("(one) => one === document.activeElement")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_nothing_is_wider_than_the_window(
    page: Any, screenshots: Path, width: int, scheme: str
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    assert page.evaluate(OVERFLOW) <= 0
    assert page.evaluate("getComputedStyle(document.body).overflowX") == "visible"
    page.screenshot(path=screenshots / f"page_{width}_{scheme}.png", full_page=True)
    page.locator(".enlarge").first.press("Enter")
    assert page.evaluate(OVERFLOW) <= 0
    page.screenshot(path=screenshots / f"figure_{width}_{scheme}.png")


def shown(page: Any, selector: str) -> list[str]:
    """The names of the elements that can be seen."""
    return page.evaluate(
        f"""[...document.querySelectorAll('{selector}')].filter((one) => one.offsetParent)
        .map((one) => one.dataset.system)"""
    )


def faint(page: Any, figure: str) -> set[str]:
    """The numbers of the systems whose groups are faint in a figure, on both of its themes."""
    found = page.evaluate(
        f"""[...document.querySelectorAll('#figure-{figure} picture > *')].map((one) => {{
          const uri = one.getAttribute('srcset') ?? one.getAttribute('src');
          const svg = atob(uri.split(',')[1]);
          return [...svg.matchAll(/<g opacity="0.08" id="s(\\d+)-/g)].map((each) => each[1]);
        }})"""
    )
    assert set(found[0]) == set(found[1])
    return set(found[0])


ROWS = "[aria-label=Results] tr[data-system]"
CELLS = ".player:first-of-type .cell[data-system]"
SYSTEMS = ["baseline", "no_dispersive", "plain_ae"]


@pytest.mark.parametrize("width", [1280, 400])
def test_a_filter_leaves_tables_players_and_figures_to_some_systems(
    page: Any, screenshots: Path, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    assert shown(page, ROWS) == SYSTEMS
    tool = page.get_by_role("search", name="Systems that are shown")
    tool.get_by_role("searchbox").fill("PLAIN")
    assert shown(page, ROWS) == ["baseline", "plain_ae"]  # the baseline fits every filter
    assert shown(page, CELLS) == ["baseline", "plain_ae"]
    assert tool.locator("output").text_content() == "2 of 3 systems"
    page.wait_for_function("document.querySelector('#figure-quality-stoi img').src.length > 0")
    page.wait_for_timeout(300)
    assert faint(page, "quality-stoi") == {"1"}
    assert faint(page, "latent-noise-mel-l1") == {"1"}
    assert page.evaluate("[...document.images].every((one) => one.complete)")
    assert page.evaluate(OVERFLOW) <= 0
    page.screenshot(path=screenshots / f"filtered_{width}.png", full_page=True)
    tool.get_by_role("searchbox").fill("disp, plain")
    assert shown(page, ROWS) == SYSTEMS
    page.wait_for_timeout(300)
    assert faint(page, "quality-stoi") == set()


def test_the_keyboard_picks_systems_and_players_skip_the_others(page: Any) -> None:
    tool = page.get_by_role("search", name="Systems that are shown")
    tool.get_by_role("searchbox").focus()
    page.keyboard.press("Tab")  # to the summary
    page.keyboard.press("Enter")
    for _ in range(4):  # all, none, baseline, no_dispersive
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert shown(page, ROWS) == ["baseline", "plain_ae"]
    cells = page.locator(".player").first.locator(".cell")
    cells.nth(2).focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.system") == "plain_ae"
    tool.get_by_role("checkbox", name="plain_ae").uncheck()
    pressed = page.locator(".player").first.locator("[aria-pressed=true]")
    assert pressed.get_attribute("data-heard") == "original"
    tool.get_by_role("button", name="All").press("Enter")
    assert shown(page, ROWS) == SYSTEMS
    tool.get_by_role("button", name="None").press("Enter")
    assert shown(page, ROWS) == []


def test_without_script_the_page_has_every_system_and_no_filter(
    browser: Any, page_path: Path
) -> None:
    context = browser.new_context(java_script_enabled=False)
    opened = context.new_page()
    opened.goto(page_path.as_uri())
    assert not opened.locator("#pick").is_visible()
    rows = opened.locator(ROWS)
    assert [rows.nth(place).is_visible() for place in range(rows.count())] == [True] * 3
    context.close()
