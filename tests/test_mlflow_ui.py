"""What MLflow's own pages show of a study: its runs and verdicts, their comparison, sound."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import soundfile
from matplotlib.figure import Figure

from dcvae.runs import read_record
from experiments.tracking.address import Store
from experiments.tracking.mlflow_analysis import send_study
from experiments.tracking.mlflow_note import COLUMNS
from experiments.tracking.mlflow_view import save_views
from experiments.tracking.tracker import Tracker

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

DATA = Path(__file__).parent / "data"
MANIFEST = DATA / "manifest.csv"
SPEECH = DATA / "en_tt_weasels.flac"
PATIENCE = 60  # seconds for the server to answer, and for a page to show what it should
METRIC = "validation/reconstruction"
VALUES = {"baseline": (1.5, 0.94, 0.437), "plain_ae": (1.75, 1.12, 0.813)}  # at 10, 20, 30
CLAIMED = "reconstruction/stoi"
STOI = {"baseline": 0.875, "plain_ae": 0.625}
FIGURE = "latent_noise.png"
METRIC_ROW = f"""xpath=//a[@title='Plot chart' and .='{METRIC}']
  /ancestor::div[count(.//*[@role='grid']) > 1][1]"""  # one grid has the names, one the values
TEXTS = "(all) => Object.fromEntries(all.map((one) => [one.getAttribute('col-id'), one.innerText]))"
PLACES = "(all) => all.map((one) => [one.getBoundingClientRect().x, one.innerText.trim()])"
# what a first visit opens by itself, over the page or beside it
SEEN = """for (const one of
  ['assistant.fab.autoOpenedOnFirstLoad', 'telemetry.info.alert.dismissed'])
  localStorage.setItem(`mlflow.${one}_v1`, 'true')"""


def track(folder: Path, write_run: Callable[..., None]) -> str:
    """A run as run.py tracks it, with sound; its id."""
    ablation = folder.parts[-2]
    noise = "uniform" if ablation == "baseline" else "none"
    config = {"model": {"noise": noise}, "mlflow": {"experiment": "shown"}}
    claims = [{"text": "Parts matter.", "metric": CLAIMED}] if ablation != "baseline" else []
    write_run(folder, claims=claims, config=config)
    tracker = Tracker(folder)
    tracker.start_sync()
    for step, value in zip((10, 20, 30), VALUES[ablation], strict=True):
        tracker.log_metrics(step, {METRIC: value, f"analysis/{CLAIMED}": STOI[ablation]})
    (folder / "validation").mkdir()
    sound = folder / "validation" / "x.wav"
    soundfile.write(sound, *soundfile.read(SPEECH), subtype="PCM_16")
    tracker.finish("FINISHED")
    record = read_record(folder)
    assert record
    return record["mlflow"]["run_id"]


def write_claim(study: Path) -> None:
    """A study's claims.csv: one is supported, of plain_ae."""
    claim = dict.fromkeys(COLUMNS, float("nan")) | {
        "system": "plain_ae", "against": "baseline", "text": "Parts matter.",
        "condition": "reconstruction", "metric": "stoi", "margin": 0.01, "difference": -0.25,
        "low": -0.3, "high": -0.2, "verdict": "supported",
    }  # fmt: skip
    pd.DataFrame([claim]).to_csv(study / "claims.csv", index=False)


@pytest.fixture(scope="module")
def study_page(
    mlflow_server: str, write_run: Callable[..., None], tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, dict[str, str]]:
    """The address of the experiment's page, and the ids of its children by their ablation."""
    import mlflow

    study = tmp_path_factory.mktemp("study") / "tiny"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        runs = {name: track(study / name / "seed0", write_run) for name in VALUES}
        client = mlflow.MlflowClient(mlflow_server)
        write_claim(study)
        figure = study / "plain_ae" / "seed0" / "analysis" / "figures" / FIGURE
        figure.parent.mkdir(parents=True)
        Figure(figsize=(2, 1)).savefig(figure, dpi=100)
        client.log_artifact(runs["plain_ae"], str(figure), "analysis")
        assert send_study(study, Store.chosen()) == {"tables": 1, "notes": 3}
        experiment = client.get_experiment_by_name("shown")
    assert experiment
    return f"{mlflow_server}/#/experiments/{experiment.experiment_id}", runs


@pytest.fixture
def page(browser: Any, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """An empty page, as of somebody who was here before; at the end, a picture and no errors."""
    opened = browser.new_page(viewport={"width": 1500, "height": 950}, reduced_motion="reduce")
    opened.set_default_timeout(PATIENCE * 1000)
    opened.add_init_script(SEEN)
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    folder = Path(os.environ.get("DCVAE_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    opened.screenshot(path=folder / f"mlflow_{request.node.name}.png")
    opened.close()
    assert errors == []


def row(page: Any, name: str) -> Any:
    """The row of the table of runs that links to the run of that name."""
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True))


def heads(page: Any) -> list[str]:
    """The heads of the table's columns from left to right. Their order in the document follows
    the order in which the page made them.
    """
    found = page.get_by_role("columnheader").evaluate_all(PLACES)  # some hold others
    return list(dict.fromkeys(text for _, text in sorted(found)))


def expand(page: Any, name: str) -> None:
    """Show the children of a run of the table."""
    cell = row(page, name).get_by_role("gridcell").filter(has=page.get_by_role("link"))
    cell.get_by_role("button").first.click()


def test_the_parent_lists_its_children(page: Any, study_page: Any) -> None:
    address, runs = study_page
    page.goto(f"{address}/runs")
    row(page, "tiny").wait_for()
    page.get_by_text("Ablations of a deep-compression speech autoencoder").wait_for()
    for name in runs:  # below the parent, which is closed
        assert row(page, f"tiny/{name}/seed0").count() == 0
    expand(page, "tiny")
    for name, run_id in runs.items():
        child = row(page, f"tiny/{name}/seed0")
        child.wait_for()
        link = child.get_by_role("link", name=f"tiny/{name}/seed0")
        assert link.get_attribute("href").endswith(f"/runs/{run_id}")
    datasets = page.get_by_role("row").filter(has_text="prompts (")
    sync_api.expect(datasets).to_have_count(len(runs), timeout=PATIENCE * 1000)


def test_the_view_of_a_study_shows_its_runs_with_verdicts(
    page: Any, study_page: Any, mlflow_server: str
) -> None:
    import mlflow

    address, runs = study_page
    views = save_views(mlflow.MlflowClient(mlflow_server))
    (place,) = [place for _, place in views if address.endswith(place.partition("/runs?")[0])]
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(f"{mlflow_server}/{place}")
    for name in runs:
        row(page, f"tiny/{name}/seed0").wait_for()
        page.get_by_text(f"Group: {name}", exact=True).wait_for()
    assert row(page, "tiny").count() == 0  # the parent
    shown = ["ablation", "seed", "verdict", f"analysis/{CLAIMED}"]
    assert [head for head in heads(page) if head in shown] == shown
    said = {"baseline": "-", "plain_ae": "supported"}
    for name, run_id in runs.items():
        cells = page.locator(f'[row-id$="{run_id}"] [role=gridcell]').evaluate_all(TEXTS)
        assert cells["tags.`ablation`"] == name
        assert cells["tags.`seed`"] == "0"
        assert cells["tags.`verdict`"] == said[name]
        assert float(cells[f"metrics.`analysis/{CLAIMED}`"]) == STOI[name]


def test_the_page_of_a_run_begins_with_verdict_and_figure(page: Any, study_page: Any) -> None:
    address, runs = study_page
    page.goto(f"{address}/runs/{runs['plain_ae']}")
    verdict = page.get_by_role("listitem").filter(has_text="supported")
    verdict.wait_for()
    found = "supported reconstruction/stoi -0.25 [-0.3, -0.2] to baseline, margin 0.01"
    assert verdict.inner_text() == f"{found}: Parts matter."
    image = page.locator(f"img[alt='analysis/{FIGURE}'], img[src*='{FIGURE}']").element_handle()
    page.wait_for_function("(one) => one.naturalWidth === 200", arg=image)


def test_two_children_are_compared(page: Any, study_page: Any) -> None:
    address, runs = study_page
    page.goto(f"{address}/runs")
    row(page, "tiny").wait_for()
    expand(page, "tiny")
    for name in runs:
        row(page, f"tiny/{name}/seed0").locator(".ag-selection-checkbox input").check()
    page.get_by_role("button", name="Compare", exact=True).click()
    page.wait_for_url(re.compile("compare-runs"))
    heads = page.get_by_role("row").filter(has_text="Run Name:")
    heads.wait_for()
    columns = re.findall(r"tiny/(\w+)/seed0", heads.inner_text())
    assert set(columns) == set(VALUES)
    shown = page.locator(METRIC_ROW)
    shown.scroll_into_view_if_needed()
    texts = shown.inner_text().split()  # the names of all metrics, then their rows of values
    names = [text for text in texts if "/" in text]
    values = [float(text) for text in texts if "/" not in text]
    first = names.index(METRIC) * len(columns)
    found = values[first : first + len(columns)]
    assert dict(zip(columns, found, strict=True)) == {name: VALUES[name][-1] for name in VALUES}


def test_the_sound_of_a_run_plays(page: Any, study_page: Any) -> None:
    address, runs = study_page
    page.goto(f"{address}/runs/{runs['plain_ae']}/artifacts")
    page.get_by_text("validation", exact=True).click()
    page.get_by_text("x.wav", exact=True).click()
    sound = page.locator("audio").element_handle()
    page.wait_for_function("(one) => one.readyState > 0", arg=sound)
    length = sound.evaluate("(one) => one.duration")
    assert length == pytest.approx(soundfile.info(SPEECH).duration, abs=0.01)
    sound.evaluate("(one) => { one.muted = true; return one.play(); }")
    page.wait_for_function("(one) => one.currentTime > 0", arg=sound)
