"""Other systems in the report: beside the study's own, on its clips, under no claim."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations, product
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

from reports.figures import rate_distortion
from reports.figures.style import DARK, LIGHT, PAPER, styled
from reports.formatting import UNKNOWN
from reports.page.audio_grid import listening
from reports.page.html import render
from reports.study.collect import collect
from reports.tables.all_tables import all_tables
from reports.tables.table import Table

SCORES = {"opus-6k": 1.93, "continuous": 2.5}
RATES = {
    "opus-6k": {"sample_rate": 24_000, "bits_per_second": 6000},
    "continuous": {"sample_rate": 24_000, "latent_rate": 7.5, "dims": 64, "floats_per_second": 480},
}


@pytest.fixture
def with_peers(runs: Path, tmp_path: Path, make_peer: Callable[..., Path]) -> Path:
    """The study's runs and two peers on its clips, the second one with latents."""
    root = tmp_path / "runs"
    shutil.copytree(runs, root)
    for name, score in SCORES.items():
        values = {("reconstruction", "pesq_wb"): score}
        if name == "continuous":
            values["latent_noise_area", "mel_l1_rise"] = 0.07
        make_peer(root, name, name.replace("-", "@"), RATES[name], values)
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


def test_the_rate_figure_has_peers_where_they_were_measured(with_peers: Path) -> None:
    study = collect(with_peers)
    plot = next(one for one in rate_distortion.PLOTS if one.name == "rate-pesq-wb")
    table = plot.table(study)
    peers = table[table["source"] == rate_distortion.MEASURED].set_index("system")
    assert peers.loc["continuous", ["floats_per_second", "mean"]].tolist() == [480, 2.5]
    assert peers.loc["opus@6k", ["bits_per_second", "mean"]].tolist() == [6000, 1.93]
    assert peers["floats_per_second"].isna().tolist() == [False, True]
    for theme, width in product((LIGHT, DARK, PAPER), (3.5, 4.8, 7.2)):
        with styled(theme, study.systems, width):
            figure = plot.draw(table)
            FigureCanvasAgg(figure).draw()
        axes = figure.axes[0]
        [across] = [one for one in axes.lines if list(one.get_ydata()) == [1.93, 1.93]]
        assert across.get_transform() == axes.get_yaxis_transform()  # from edge to edge
        [point] = [one for one in axes.lines if one.get_marker() == "h"]
        assert (point.get_xdata()[0], point.get_ydata()[0]) == (480, 2.5)
        texts = {one.get_text(): one for one in axes.texts}
        assert {"opus@6k, 6 kbit/s", "continuous"} <= set(texts)
        assert to_hex(texts["continuous"].get_color()) == theme.ink
        assert to_hex(texts["LongCat Wav-VAE"].get_color()) == theme.muted
        boxes = [one.get_window_extent() for one in axes.texts]
        assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
        assert all(box.x1 <= figure.bbox.x1 for box in boxes)
    assert "the same clips" in plot.of(study).caption
    assert plot.of(replace(study, peers=None)).caption.endswith("not a ranking.")


def test_many_peers_have_room_for_their_names(with_peers: Path) -> None:
    plot = rate_distortion.PLOTS[0]
    table = plot.table(collect(with_peers))
    one = table[table["bits_per_second"].notna()]
    more = [one.assign(system=f"a codec of a long name, number {n}") for n in range(20)]
    with styled(LIGHT, ["baseline"], 3.5):
        figure = plot.draw(pd.concat([table, *more], ignore_index=True))
        FigureCanvasAgg(figure).draw()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) == 25
    assert not any(box.overlaps(other) for box, other in combinations(boxes, 2))
    assert max(box.y1 for box in boxes) <= figure.bbox.y1


def test_a_peer_of_no_rate_is_not_in_the_rate_figure(with_peers: Path) -> None:
    path = with_peers / "peers" / "opus-6k" / "seed0" / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"rates": {"sample_rate": 16_000}}))
    found = rate_distortion.table(collect(with_peers), "pesq_wb")
    assert "continuous" in set(found["system"])
    assert "opus@6k" not in set(found["system"])


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


def test_peers_are_heard_where_they_keep_examples_and_said_to_be_others(with_peers: Path) -> None:
    kept = with_peers / "tiny" / "plain_ae" / "seed0" / "analysis" / "examples"
    shutil.copytree(kept, with_peers / "peers" / "opus-6k" / "seed0" / "analysis" / "examples")
    first, _, continued = listening(collect(with_peers)).players
    assert {one.system: one.what for one in first.cells} == {
        "original": "the recording",
        "ceiling": "its mel, vocoded",
        **dict.fromkeys(("baseline", "no_dispersive", "plain_ae"), "reconstruction"),
        "opus@6k": "other system",
    }
    assert (first.prompt, continued.prompt) == (0.0, 1.5)
    assert {one.what for one in continued.cells} == {"the recording", "continuation"}
