"""Figures as files and on the page: whole or not there, marked by system, in both themes."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from reports.export import ALONE, draw_figures, save_figure
from reports.figures import PLOTS
from reports.figures.marks import mark_systems
from reports.figures.plot import Plot
from reports.figures.style import DARK, LIGHT
from reports.page.embed import figure_uris, picture, recoloured
from reports.study.study import Study

DRAWN = ("claims", "quality-stoi", "latent-noise-mel-l1", "validation-loss")
NOTHING = pd.DataFrame()


def plain(draw: Callable[[pd.DataFrame], Figure]) -> Plot:
    return Plot("plain", "t", "c", "quality", lambda _: NOTHING, draw)


class Full(Artist):
    """What the disk, or a signal, does in the middle of a file."""

    def draw(self, renderer: object) -> None:
        raise OSError("no room")


def line() -> Figure:
    figure = Figure()
    figure.subplots().plot([0, 1])
    return figure


def test_a_figure_that_stops_in_its_middle_leaves_the_one_that_was_there(tmp_path: Path) -> None:
    paths = save_figure(plain(lambda _: line()), NOTHING, ["baseline"], tmp_path)
    before = [path.read_bytes() for path in paths]

    def broken(_: pd.DataFrame) -> Figure:
        figure = line()
        figure.add_artist(Full())
        return figure

    with pytest.raises(OSError, match=r"plain\.pdf cannot be written: no room"):
        save_figure(plain(broken), NOTHING, ["baseline"], tmp_path)
    assert [path.read_bytes() for path in paths] == before
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def renamed(svg: bytes) -> str:
    """With matplotlib's ids, which are hashes of colours too, by their order."""
    found: dict[str, str] = {}
    return re.sub(
        r"\b[mpC][0-9a-f_]{10,}\b",
        lambda match: found.setdefault(match[0], f"id{len(found)}"),
        svg.decode(),
    )


@pytest.mark.parametrize("name", DRAWN)
def test_the_dark_figure_is_the_light_one_in_other_colours(study: Study, name: str) -> None:
    plot = next(one for one in PLOTS if one.name == name)
    table = plot.table(study)
    light, dark = (picture(plot, table, study.systems, one, "svg") for one in (LIGHT, DARK))
    assert light != dark
    assert renamed(recoloured(light, LIGHT, DARK)) == renamed(dark)


@pytest.mark.parametrize("name", DRAWN)
def test_what_is_a_systems_own_has_an_id_that_says_so(study: Study, name: str) -> None:
    plot = next(one for one in PLOTS if one.name == name)
    svg = picture(plot, plot.table(study), study.systems, LIGHT, "svg").decode()
    ids = re.findall(r'<g id="(s\d+-\d+)"', svg)
    assert len(ids) == len(set(ids))
    numbers = {int(one[1:].split("-")[0]) for one in ids}
    measured = {0, 1, 2} if name != "claims" else {1, 2}  # nothing is claimed of the baseline
    assert numbers == measured
    for number in measured:  # at least a mark and a name
        assert sum(one.startswith(f"s{number}-") for one in ids) >= 2


def test_intervals_bars_and_folded_names_are_marked() -> None:
    figure = Figure()
    axes = figure.subplots()
    bars = axes.barh([0, 1], [1.0, 2.0], label="no_noise")
    points = axes.errorbar([0], [1], [[0.5], [0.5]], label="plain_ae")
    (other,) = axes.plot([0, 1], label="ceiling")
    (floor,) = axes.plot([1, 0], label="_plain_ae")
    title = axes.set_title("no_\nnoise")
    ticked = axes.annotate("plain_ae (0.3)", (0, 0))
    mark_systems(figure, ["baseline", "no_noise", "plain_ae"])
    found = [bars[0], bars[1], points[0], *points[2], title, ticked, floor]
    owners = [str(one.get_gid()).split("-")[0] for one in found]
    assert owners == ["s1", "s1", "s2", "s2", "s1", "s2", "s2"]
    assert other.get_gid() is None


@pytest.mark.slow
def test_workers_draw_what_one_process_draws(by_hand: Callable[..., Study], tmp_path: Path) -> None:
    names = ["baseline", *(f"no_{number}" for number in range(ALONE))]
    values = {(name, "reconstruction", "stoi"): 0.5 for name in names}
    study = by_hand(names, values)
    plots = [one for one in PLOTS if one.name in ("quality-stoi", "rate-stoi")]
    measured = [(one, one.table(study)) for one in plots]
    measured = [(plot, table) for plot, table in measured if len(table)]
    drawn = draw_figures(study, measured * 2, tmp_path)
    alone = [figure_uris(plot, table, study.systems) for plot, table in measured * 2]
    assert drawn == alone
    assert {path.suffix for path in tmp_path.iterdir()} == {".pdf", ".svg", ".png"}
    assert np.all([path.stat().st_size for path in tmp_path.iterdir()])
