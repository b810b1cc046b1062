"""Curves: their tables, what is drawn of them, and that it fits."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.evaluators.latent_lm import GAIN, PER_SECOND
from analysis.evaluators.robustness import NOISES, RATIOS, TRIPS, VOCODED_TRIPS
from dcvae.runs import Run
from reports.figures import blur, input_noise, interface, losses, modelability, noise_curves
from reports.figures import round_trips as trips
from reports.figures.legends import legend_columns
from reports.figures.lines import draw_lines
from reports.figures.plot import Plot
from reports.figures.style import COLUMN, DOUBLE, LIGHT, PAPER, WIDTH, looks, styled
from reports.study.results import Results
from reports.study.study import Study

THREE = ["baseline", "no_adversary", "plain_ae"]
MANY = ["baseline", *(f"another_long_name_{number:02d}" for number in range(15))]
LEVEL = {name: 0.1 * number for number, name in enumerate(MANY)} | {"no_adversary": 0.1}
LEVEL["plain_ae"] = 0.2

Values = Mapping[tuple[str, str, str], float]
ByHand = Callable[..., Study]


def noisy_inputs(systems: list[str]) -> Values:
    """PESQ falls with the noise, the noisy input's is 1 higher; babble lacks STOI."""
    values = {}
    for name in systems:
        for kind in NOISES:
            for ratio in RATIOS:
                pesq = 1.5 + ratio / 40 + LEVEL[name]
                values[name, f"input_{kind}_{ratio}", "pesq_wb"] = pesq
                values[name, f"noisy_{kind}_{ratio}", "pesq_wb"] = 2.5 + ratio / 40
                if kind == "white":
                    values[name, f"input_{kind}_{ratio}", "stoi"] = 0.5 + ratio / 100
    return values


def several_trips(systems: list[str]) -> Values:
    values = {}
    for name in systems:
        for trip in range(1, TRIPS + 1):
            values[name, f"round_trip_{trip}", "mel_l1"] = 0.3 * trip + LEVEL[name]
            if trip in VOCODED_TRIPS:
                values[name, f"round_trip_{trip}", "stoi"] = 0.9 - trip / 20
    return values


def learned(systems: list[str]) -> Values:
    values = {}
    for name in systems:
        for step in (0, 25, 100, 50, 400):
            values[name, f"step_{step}", PER_SECOND] = 500 + 100 * LEVEL[name] - step / 4
            values[name, f"step_{step}", GAIN] = LEVEL[name] + step / 1000
            values[name, f"step_{step}", "train_flops"] = step * 1e9
        values[name, "no_context", PER_SECOND] = 600 + 100 * LEVEL[name]
        if name != "plain_ae":
            values[name, "modelability", "continuation_frechet"] = 12.34
    return values


def decoded(systems: list[str]) -> Values:
    """STOI rises with the training; under white noise it is .1 lower, in runs of four .2."""
    values = {}
    for name in systems:
        for kind, run, less in (("probe", 1, 0.0), ("white", 1, 0.1), ("probe", 4, 0.2)):
            for step in (200,) if kind == "white" else (0, 200, 50):
                stoi = 0.3 + step / 1000 - less + LEVEL[name]
                values[name, f"interface_{kind}_{run}_step_{step}", "stoi"] = stoi
    return values


def latent_noise(systems: list[str]) -> Values:
    values = {}
    for name in systems:
        for sigma in (0.5, 1.0):
            values[name, f"latent_noise_{sigma}", "mel_l1"] = sigma + LEVEL[name]
            values[name, f"latent_noise_per_dim_{sigma}", "mel_l1"] = 2 * sigma + LEVEL[name]
        values[name, "latent_noise_area", "mel_l1_rise"] = 0.25
        values[name, "reconstruction", "mel_l1"] = LEVEL[name]
    return values


def blurred(systems: list[str]) -> Values:
    """The higher the bands the more; the table of the analysis has them in the alphabet's order."""
    edges = [0, 1000, 2000, 4000, 11025]
    return {
        (name, f"bands_{low}_{high}hz", "log_modulation_ratio"): -low / 1000 - LEVEL[name]
        for low, high in sorted(pairwise(edges), key=str)
        for name in systems
    }


def drawn(plot: Plot, study: Study) -> Figure:
    with styled(LIGHT, study.systems, WIDTH):
        return plot.draw(plot.table(study))


def lines_of(figure: Figure, panel: int = 0) -> dict[str, list[tuple[float, float]]]:
    """The points of each named line of one panel."""
    lines = [line for line in figure.axes[panel].lines if not str(line.get_label()).startswith("_")]
    return {str(line.get_label()): points_of(line) for line in lines}


def points_of(line: Line2D) -> list[tuple[float, float]]:
    xs, ys = (np.asarray(one, dtype=float) for one in line.get_data())
    return [(round(float(x), 6), round(float(y), 6)) for x, y in zip(xs, ys, strict=True)]


def test_noisy_input_is_a_line_of_its_own_beside_the_ablations(by_hand: ByHand) -> None:
    study = by_hand(THREE, noisy_inputs(THREE))
    table = input_noise.table(study)
    assert list(table["metric"].unique()) == ["pesq_wb", "stoi"]
    assert list(table["system"].unique()) == [input_noise.INPUT, *THREE]
    one = table[(table["system"] == "plain_ae") & (table["metric"] == "pesq_wb")]
    babble = one[one["noise"] == "babble"]
    assert list(babble["ratio"]) == [20, 10, 5, 0]
    assert list(babble["mean"]) == pytest.approx([2.2, 1.95, 1.825, 1.7])
    assert list(babble["high"] - babble["low"]) == pytest.approx([0.02] * 4)
    figure = drawn(input_noise.PLOTS[0], study)
    assert [axes.get_title("center") for axes in figure.axes[:2]] == ["white noise", "babble"]
    left, right = figure.axes[0].get_xlim()
    assert left > right  # more noise to the right
    for panel in (0, 1):
        assert lines_of(figure, panel)["baseline"] == [(20, 2), (10, 1.75), (5, 1.625), (0, 1.5)]
        assert lines_of(figure, panel)[input_noise.INPUT][0] == (20, 3)
    assert lines_of(figure, 2)["plain_ae"][-1] == (0, 0.5)
    assert lines_of(figure, 3) == {}


def test_round_trips_join_the_trips_that_were_vocoded(by_hand: ByHand) -> None:
    study = by_hand(THREE, several_trips(THREE))
    table = trips.table(study)
    assert len(table) == 3 * (TRIPS + len(VOCODED_TRIPS))
    figure = drawn(trips.PLOTS[0], study)
    assert [axes.get_ylabel() for axes in figure.axes] == ["mel L1 ↓", "STOI ↑"]
    assert lines_of(figure)["plain_ae"] == [
        (trip, round(0.3 * trip + 0.2, 6)) for trip in range(1, 9)
    ]
    assert lines_of(figure, 1)["baseline"] == [(1, 0.85), (2, 0.8), (4, 0.7), (8, 0.5)]


def test_blur_goes_up_the_mel_beside_what_the_original_has(by_hand: ByHand) -> None:
    study = by_hand(THREE, blurred(THREE) | {("baseline", "reconstruction", blur.METRIC): -9.0})
    table = blur.table(study)
    assert list(table["band"][:4]) == ["0 to 1", "1 to 2", "2 to 4", "4 to 11"]
    figure = drawn(blur.PLOTS[0], study)
    (axes,) = figure.axes
    assert lines_of(figure)["plain_ae"] == [(0, -0.2), (1, -1.2), (2, -2.2), (3, -4.2)]
    assert [text.get_text() for text in axes.get_xticklabels()] == list(table["band"][:4])
    assert [list(line.get_ydata()) for line in axes.lines if line.get_linestyle() == "--"] == [
        [0, 0]
    ]
    assert len(axes.collections) == len(THREE)  # the intervals


def test_modelability_has_its_floor_and_the_distance_in_brackets(
    by_hand: ByHand,
) -> None:
    study = by_hand(THREE, learned(THREE))
    table = modelability.PLOTS[0].table(study)
    assert list(table["step"][:5]) == [0, 25, 50, 100, 400]
    assert list(table["mean"][:5]) == [500, 493.75, 487.5, 475, 400]
    figure = drawn(modelability.PLOTS[0], study)
    (axes,) = figure.axes
    assert lines_of(figure)["no_adversary"][-1] == (400, 410)
    bare = {points_of(line)[0][1] for line in axes.lines if str(line.get_label()).startswith("_")}
    assert bare == {600, 610, 620}
    texts = {text.get_text() for text in axes.texts}
    assert texts == {"baseline (12.3)", "no_adversary (12.3)", "plain_ae"}
    ticks = axes.get_xticks()
    assert ticks[0] == 0
    assert ticks[-1] == 400


def test_the_gain_is_drawn_against_operations_and_seconds(by_hand: ByHand, tmp_path: Path) -> None:
    study = by_hand(THREE, learned(THREE))
    noted = {"evaluators": {"modelability": {"train_seconds_per_step": 0.25}}}
    for number, run in enumerate(study.runs):
        analysis = tmp_path / run.system / "analysis"
        analysis.mkdir(parents=True)
        facts = noted if run.system != "plain_ae" else {}  # whose analysis did not note it
        (analysis / "analysis.json").write_text(json.dumps(facts))
        (analysis / "table.csv").touch()
        study.runs[number] = replace(run, folder=tmp_path / run.system)
    by_flops, by_seconds = (drawn(plot, study) for plot in modelability.PLOTS[1:])
    gains = [(step, round(step / 1000 + 0.1, 6)) for step in (0, 25, 50, 100, 400)]
    assert lines_of(by_flops)["no_adversary"] == [(step * 1e9, gain) for step, gain in gains]
    assert lines_of(by_seconds)["no_adversary"] == [(step / 4, gain) for step, gain in gains]
    assert set(lines_of(by_seconds)) == {"baseline", "no_adversary"}


def test_decoded_errors_have_white_noise_of_their_power_beside_them(by_hand: ByHand) -> None:
    study = by_hand(THREE, decoded(THREE))
    table = interface.table(study)
    assert len(table) == 3 * (3 + 3 + 1)
    figure = drawn(interface.PLOTS[0], study)
    assert [axes.get_ylabel() for axes in figure.axes] == ["STOI ↑", ""]
    assert lines_of(figure)["plain_ae"] == [(0, 0.5), (50, 0.55), (200, 0.7)]
    assert lines_of(figure, 1)["baseline"] == [(0, 0.1), (50, 0.15), (200, 0.3)]
    white = [points_of(line) for line in figure.axes[0].lines if line.get_marker() == "x"]
    assert white[0] == [(200, 0.4)]
    assert len(white) == 3


PLOTS = [
    input_noise.PLOTS[0],
    trips.PLOTS[0],
    *modelability.PLOTS[:2],
    interface.PLOTS[0],
    noise_curves.PLOTS[0],
    blur.PLOTS[0],
]


@pytest.mark.parametrize("plot", [*PLOTS, losses.PLOTS[2]], ids=lambda plot: plot.name)
def test_nothing_measured_is_an_empty_table(plot: Plot, by_hand: ByHand) -> None:
    assert plot.table(by_hand(THREE, {("baseline", "latents", "sec"): 1.0})).empty


MADE_OF = (noisy_inputs, several_trips, learned, learned, decoded, latent_noise, blurred)
CASES = list(zip(PLOTS, MADE_OF, strict=True))


@pytest.mark.parametrize("width", [COLUMN, WIDTH, DOUBLE])
@pytest.mark.parametrize("systems", [THREE, MANY], ids=["three", "many"])
@pytest.mark.parametrize(("plot", "values"), CASES, ids=lambda one: getattr(one, "name", ""))
def test_all_is_on_the_canvas_and_the_legend_covers_nothing(
    plot: Plot,
    values: Callable[[list[str]], Values],
    systems: list[str],
    width: float,
    by_hand: ByHand,
    fits: Callable[[Figure], None],
) -> None:
    study = by_hand(systems, values(systems))
    with styled(PAPER if width != WIDTH else LIGHT, systems, width):
        fits(plot.draw(plot.table(study)))


def test_latent_noise_has_a_panel_for_each_scaling_that_was_measured(by_hand: ByHand) -> None:
    (plot, *_) = noise_curves.PLOTS
    values = latent_noise(THREE)
    figure = drawn(plot, by_hand(THREE, values))
    assert [axes.get_title("center") for axes in figure.axes] == [
        "deviation of the space",
        "deviation of each dim",
    ]
    assert lines_of(figure)["plain_ae"] == [(0, 0.2), (0.5, 0.7), (1, 1.2)]
    assert lines_of(figure, 1)["plain_ae"] == [(0, 0.2), (0.5, 1.2), (1, 2.2)]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [f"{name} (0.250)" for name in THREE]
    one = {cell: value for cell, value in values.items() if "per_dim" not in cell[1]}
    figure = drawn(plot, by_hand(THREE, one))
    assert len(figure.axes) == 1
    assert {text.get_text() for text in figure.axes[0].texts} == {
        f"{name} (0.250)" for name in THREE
    }


def test_the_logged_losses_are_averaged_over_seeds() -> None:
    rows = [
        ("baseline", seed, step, 1.0 + seed + step / 10) for seed in (0, 1) for step in (10, 20, 30)
    ]
    curves = pd.DataFrame(rows, columns=["system", "seed", "step", "value"])
    with styled(PAPER, ["baseline"], COLUMN):
        figure = losses.draw(curves, "Loss")
    assert lines_of(figure)["baseline"] == [(10, 2.5), (20, 3.5), (30, 4.5)]
    (band,) = figure.axes[0].collections
    low, high = band.get_datalim(figure.axes[0].transData).intervaly
    assert (low, high) == (2.0, 5.0)


def test_the_latents_growth_has_the_root_of_the_variance_where_that_is_all(
    tmp_path: Path,
) -> None:
    """Of plain_ae one seed logged the rms, before it was logged the other its variance."""
    logs = {
        ("baseline", 0): {
            "validation/latent_rms": [1.0, 1.0],
            "validation/latent_variance": [9, 9],
        },
        ("plain_ae", 0): {"validation/latent_rms": [2.0, 30.0]},
        ("plain_ae", 1): {"validation/latent_variance": [16.0, 1600.0]},
    }
    runs = []
    for (name, seed), log in logs.items():
        folder = tmp_path / name / f"seed{seed}"
        folder.mkdir(parents=True)
        rows = [
            {"step": 10 * place + 10, **{key: values[place] for key, values in log.items()}}
            for place in (0, 1)
        ]
        (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        runs.append(Run(folder, {"ablation": name, "size": "tiny", "seed": seed}))
    growth = losses.PLOTS[2]
    figure = drawn(growth, Study("tiny", runs, Results(pd.DataFrame(), [])))
    lines = lines_of(figure)
    assert lines["baseline"] == [(10, 1.0), (20, 1.0)]
    assert lines["plain_ae"] == [(10, 3.0), (20, 35.0)]
    assert figure.axes[0].get_ylim() == (0, 42)  # nothing is cut off


def test_bands_are_drawn_only_where_they_can_be_told_apart(by_hand: ByHand) -> None:
    for systems, bands in ((THREE, 3), (MANY, 0)):
        figure = drawn(noise_curves.PLOTS[0], by_hand(systems, latent_noise(systems)))
        assert len(figure.axes[0].collections) == bands


def test_a_line_has_its_ablations_look_and_a_reference_none() -> None:
    figure = Figure()
    axes = figure.subplots()
    points = pd.DataFrame(
        [(name, 1.0, 2.0, 1.0, 3.0) for name in ("plain_ae", "reference")],
        columns=["system", "x", "mean", "low", "high"],
    )
    with styled(LIGHT, THREE, WIDTH):
        draw_lines(axes, points, "x")
    first, second = axes.lines
    look = looks(THREE, LIGHT)["plain_ae"]
    assert (first.get_color(), first.get_marker()) == (look.colour, look.marker)
    assert (second.get_color(), second.get_linestyle()) == (LIGHT.muted, "--")


def test_a_hundred_systems_have_looks_of_their_own() -> None:
    found = looks([f"no_{number}" for number in range(100)], LIGHT)
    assert len(set(found.values())) == 100


def test_a_legend_has_as_many_columns_as_fit() -> None:
    longer = "a name that is longer than any figure is wide" * 3
    with styled(LIGHT, THREE, WIDTH):
        assert legend_columns(["a", "b", "c"], 6.5, 7.0) == 3
        assert legend_columns(["a very long name, indeed"] * 6, 6.5, 3.5) == 2
        assert legend_columns([longer] * 2, 6.5, 3.5) == 1
