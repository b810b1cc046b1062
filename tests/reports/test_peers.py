"""Other systems in the report: beside the study's own, on its clips, under no claim."""

import json
import shutil
from pathlib import Path

import pytest

from analysis.outputs.table import Row, make_table, write_table
from analysis.statistics.tables import summarise_study
from reports.collect import collect
from reports.formatting import UNKNOWN
from reports.page.html import render
from reports.tables.all_tables import all_tables
from reports.tables.table import Table

SCORES = {"opus-6k": 1.93, "continuous": 2.5}
RATES = {
    "opus-6k": {"sample_rate": 24_000, "bits_per_second": 6000},
    "continuous": {"sample_rate": 24_000, "latent_rate": 7.5, "dims": 64, "floats_per_second": 480},
}


@pytest.fixture
def with_peers(runs: Path, tmp_path: Path) -> Path:
    """The study's runs and two peers on its clips, the second one with latents."""
    root = tmp_path / "runs"
    shutil.copytree(runs, root)
    clips = json.loads(next(runs.glob("tiny/baseline/seed0/analysis/analysis.json")).read_text())
    for name, score in SCORES.items():
        folder = root / "peers" / name / "seed0"
        rows = [Row(clip, "reconstruction", "pesq_wb", score) for clip in clips["clips"]]
        if name == "continuous":
            rows += [Row(clip, "latent_noise_area", "mel_l1_rise", 0.07) for clip in clips["clips"]]
        record = {"ablation": name, "title": name.replace("-", "@"), "size": "peers", "seed": 0}
        (folder / "analysis").mkdir(parents=True)
        (folder / "run.json").write_text(
            json.dumps(record | {"status": "finished", "rates": RATES[name]})
        )
        write_table(
            folder / "analysis" / "table.csv", make_table(f"peers/{name}/seed0", name, 0, rows)
        )
        (folder / "analysis" / "analysis.json").write_text(json.dumps(clips))
    summarise_study(root / "peers")
    return root


def table_of(runs: Path) -> Table:
    study = collect(runs)
    return next(table for table in all_tables(study) if table.name == "peers")


def test_peers_stand_below_the_studys_systems_with_what_they_send(with_peers: Path) -> None:
    table = table_of(with_peers)
    names = [row[0].text for row in table.rows]
    own = ["ceiling", "baseline", "no_dispersive", "plain_ae"]
    assert names == [*own, "continuous", "opus@6k"]
    titles = [column.title for column in table.columns]
    opus, continuous = (dict(zip(titles, row, strict=True)) for row in table.rows[:3:-1])
    assert (opus["kbit/s"].text, opus["floats/s"].text, opus["dims"].text) == (
        "6.0",
        UNKNOWN,
        UNKNOWN,
    )
    assert (continuous["floats/s"].text, continuous["dims"].text) == ("480", "64")
    assert continuous["latent frames/s"].text == "7.50"
    assert opus["PESQ-wb ↑"].text == "1.930"
    assert continuous["rise of mel L1, noise up to 0.5 ↓"].text == "0.070"
    assert opus["rise of mel L1, noise up to 0.5 ↓"].text == UNKNOWN
    baseline = dict(zip(titles, table.rows[1], strict=True))
    assert (baseline["dims"].text, baseline["floats/s"].text) == ("80", "431")


def test_peers_make_no_claim_and_no_run_of_the_study(with_peers: Path, runs: Path) -> None:
    study, alone = collect(with_peers), collect(runs)
    assert study.systems == alone.systems
    assert str(study.results.claims) == str(alone.results.claims)  # NaN is not NaN
    assert study.missing == alone.missing
    page = render(study, "2025-01-31", [])
    assert "Other systems on the same clips" in page
    assert "opus@6k" in page
    assert "opus@6k" not in render(alone, "2025-01-31", [])


def test_a_peer_on_other_clips_is_left_out_and_named(with_peers: Path) -> None:
    path = with_peers / "peers" / "opus-6k" / "seed0" / "analysis" / "analysis.json"
    said = json.loads(path.read_text())
    path.write_text(json.dumps(said | {"clips": said["clips"][1:]}))
    study = collect(with_peers)
    assert study.peers is not None
    assert study.peers.systems == ["continuous"]
    assert "The peer opus@6k was scored on other clips than the study: it is left out." in (
        study.missing
    )


def test_damaged_peers_leave_the_study_as_it_is(with_peers: Path, runs: Path) -> None:
    (with_peers / "peers" / "statistics.csv").write_text("system\n")
    study = collect(with_peers)
    assert study.peers is None
    assert study.systems == collect(runs).systems
    assert any("Peers are left out" in note and "statistics.csv" in note for note in study.missing)


def test_without_peers_there_is_no_table(runs: Path) -> None:
    assert table_of(runs).empty
