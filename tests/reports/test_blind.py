"""Blind listening in a real browser: trials by keyboard and by touch, their results and p."""

import csv
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binomtest

from reports.page.html import render
from reports.study.collect import collect

PEER = '=1+1, "a peer"'
CLIPS = ("voice 1", "voice 0")  # in the order of ALWAYS
ALWAYS = "Math.random = () => 0.75"  # every coin is tails, and the last of what is left is drawn
SEEDED = """let state = 1; Math.random = () => {
  state = (state * 16807) % 2147483647;
  return state / 2147483647;
};"""
OVERFLOW = "document.documentElement.scrollWidth - window.innerWidth"


@pytest.fixture(scope="module")
def page_path(
    runs: Path, make_peer: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The page of the fixture study and of a peer with examples, without figures."""
    root = tmp_path_factory.mktemp("blind") / "runs"
    shutil.copytree(runs, root)
    folder = make_peer(root, "other", PEER, {}, {("reconstruction", "stoi"): 0.5})
    shutil.copytree(root / "tiny/plain_ae/seed0/analysis/examples", folder / "analysis/examples")
    path = root.parent / "index.html"
    path.write_text(render(collect(root), "2025-01-31", []))
    return path


@pytest.fixture
def open_page(browser: Any, page_path: Path) -> Iterator[Callable[..., Any]]:
    """Opens the page with a script before its own; at the end there was no error."""
    contexts: list[Any] = []
    errors: list[str] = []

    def opened(script: str = "", **options: Any) -> Any:
        contexts.append(browser.new_context(reduced_motion="reduce", **options))
        page = contexts[-1].new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.add_init_script(script)
        page.goto(page_path.as_uri())
        page.locator("#blind summary").click()
        return page

    yield opened
    for context in contexts:
        context.close()
    assert errors == []


def begin(page: Any, test: str, one: str, other: str, trials: int) -> None:
    for name, value in (("test", test), ("one", one), ("other", other)):
        page.locator(f"#blind [name={name}]").select_option(value)
    page.locator("#blind [name=count]").fill(str(trials))
    page.get_by_role("button", name="Begin").click()


def answer(page: Any, answers: str, sides: str = "abx") -> None:
    """Hear every side and press the key of the answer, trial by trial."""
    for key in answers:
        for one in (*sides, key):
            page.keyboard.press(one)


def saved(page: Any) -> list[dict[str, str]]:
    with page.expect_download() as download:
        page.get_by_role("link", name="Save the results as CSV").click()
    with open(download.value.path(), newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def result(page: Any) -> str:
    page.locator("#blind .save").wait_for()
    return str(page.locator("#blind .result").text_content())


def test_an_abx_test_by_keyboard_is_the_one_worked_by_hand(open_page: Callable[..., Any]) -> None:
    """Tails: A is the second system and X is A. Of five answers one says B."""
    page = open_page(ALWAYS)
    begin(page, "abx", "original", PEER, 5)
    answer(page, "12111")
    assert "4 of 5 correct, p = 0.188 (" in result(page)  # (5 + 1) / 32
    rows = saved(page)
    assert list(rows[0]) == [
        "test", "trial", "clip", "system_a", "system_b", "x", "answer", "correct", "preferred",
        "seconds", "time",
    ]  # fmt: skip
    for number, row in enumerate(rows):
        said = "B" if number == 1 else "A"
        expected = {
            "test": "abx", "trial": str(number + 1), "clip": CLIPS[number % 2],
            "system_a": f"'{PEER}", "system_b": "original", "x": "A", "answer": said,
            "correct": str(int(said == "A")), "preferred": "",
        }  # fmt: skip
        assert {name: row[name] for name in expected} == expected
        assert float(row["seconds"]) >= 0
        assert row["time"].endswith("Z")


def test_a_preference_by_touch_is_the_one_worked_by_hand(open_page: Callable[..., Any]) -> None:
    """Tails: A is the second system, preferred once of five times."""
    page = open_page(ALWAYS, viewport={"width": 400, "height": 800}, has_touch=True)
    begin(page, "preference", "baseline", "plain_ae", 5)
    trial = page.locator("#trial")
    assert not trial.locator("[data-side=X]").is_visible()
    for choice in "BBBBA":
        assert trial.locator("[data-answer=A]").is_disabled()
        for side in "AB":
            trial.locator(f"[data-side={side}]").tap()
        button = trial.locator(f"[data-answer={choice}]")
        assert button.bounding_box()["height"] >= 48
        button.tap()
    assert "baseline preferred in 4, plain_ae in 1 of 5, p = 0.375 (" in result(page)  # 2 * 6 / 32
    rows = saved(page)
    assert [row["preferred"] for row in rows] == ["baseline"] * 4 + ["plain_ae"]
    assert {(row["system_a"], row["system_b"], row["x"], row["correct"]) for row in rows} == {
        ("plain_ae", "baseline", "", "")
    }


def test_clips_take_turns_and_sides_and_x_are_drawn(open_page: Callable[..., Any]) -> None:
    page = open_page(SEEDED)
    begin(page, "abx", "baseline", "ceiling", 12)
    answer(page, "1" * 12)
    rows = saved(page)
    assert Counter(row["clip"] for row in rows) == {"voice 0": 6, "voice 1": 6}
    assert {row["x"] for row in rows} == {"A", "B"}
    assert {(row["system_a"], row["system_b"]) for row in rows} == {
        ("baseline", "ceiling"),
        ("ceiling", "baseline"),
    }
    correct = sum(row["x"] == "A" for row in rows)
    assert sum(int(row["correct"]) for row in rows) == correct
    assert f"{correct} of 12 correct" in result(page)


def test_no_name_is_seen_in_a_trial_and_an_answer_needs_that_all_were_heard(
    open_page: Callable[..., Any],
) -> None:
    page = open_page()
    begin(page, "abx", "baseline", "plain_ae", 16)
    page.keyboard.press("a")
    page.wait_for_function("document.querySelector('[data-side=A]').ariaPressed === 'true'")
    inside = page.locator("#trial").inner_html()
    assert not any(name in inside for name in ("baseline", "plain_ae", "<audio", "data:"))
    at_corners = "[[1, 1], [innerWidth - 2, innerHeight - 2], [innerWidth / 2, innerHeight / 2]]"
    assert page.evaluate(
        f"{at_corners}.every(([x, y]) => document.elementFromPoint(x, y).closest('#trial'))"
    )
    page.keyboard.press("b")
    page.keyboard.press("1")  # X is not heard yet
    assert page.locator("#trial-count").text_content() == "Trial 1 of 16"
    page.keyboard.press("x")
    page.keyboard.press("1")
    assert page.locator("#trial-count").text_content() == "Trial 2 of 16"
    page.keyboard.press("Escape")
    assert not page.locator("#trial").is_visible()
    assert "Ended after 1 of 16 trials" in result(page)
    assert len(saved(page)) == 1


def test_two_systems_with_a_clip_in_common_are_asked_for(open_page: Callable[..., Any]) -> None:
    page = open_page()
    begin(page, "abx", "baseline", "baseline", 4)
    assert not page.locator("#trial").is_visible()
    page.locator("#blind [name=kind]").select_option("Continuations")
    offered = page.locator("#blind [name=one] option").all_text_contents()
    assert offered == ["original", "baseline", "no_dispersive", "plain_ae"]  # none of the peer
    begin(page, "abx", "baseline", "original", 1)
    assert "continued" in page.locator("#trial .clip").text_content()


def test_the_pages_p_is_that_of_scipy(open_page: Callable[..., Any]) -> None:
    page = open_page()
    for trials, kind in product((1, 5, 16, 200), ("oneSided", "twoSided")):
        found = page.evaluate(
            f"[...Array({trials + 1}).keys()].map((count) => binomial.{kind}(count, {trials}))"
        )
        side = "greater" if kind == "oneSided" else "two-sided"
        known = [binomtest(count, trials, alternative=side).pvalue for count in range(trials + 1)]
        assert found == pytest.approx(known, rel=1e-9)


@pytest.mark.parametrize("width", [1280, 400])
def test_blind_listening_fits_the_window(
    open_page: Callable[..., Any], tmp_path: Path, width: int
) -> None:
    folder = Path(os.environ.get("DCVAE_SCREENSHOTS") or tmp_path)
    page = open_page(viewport={"width": width, "height": 800})
    assert page.evaluate(OVERFLOW) <= 0
    page.locator("#listen").screenshot(path=folder / f"listen_{width}.png")
    begin(page, "abx", "baseline", "plain_ae", 1)
    page.keyboard.press("b")
    assert page.evaluate(OVERFLOW) <= 0
    assert page.evaluate("document.querySelector('#trial').scrollHeight <= innerHeight")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=folder / f"trial_{width}_{scheme}.png")
