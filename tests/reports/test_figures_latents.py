"""Rate, separability, spectrum and t-SNE figures: known numbers in, the same numbers drawn."""

import math
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from dcvae.runs import Run
from reports.figures import rate_distortion, separability, spectrum, tsne
from reports.figures.plot import Plot
from reports.figures.style import LIGHT, PAPER, Style, styled
from reports.study.results import KEY, Record, Results
from reports.study.study import Study

FLOATS = {"baseline": 430.0, "plain_ae": 430.0, "compression_32x_matched": 861.0}
PESQ = {"baseline": 2.0, "plain_ae": 2.5, "compression_32x_matched": 2.25}
SHARES = {"baseline": (0.4, 0.3, 0.2, 0.1), "plain_ae": (0.9, 0.1)}
SPEAKERS = ("Allison", "Allison", "June", "", "Carlo")
VIBE = "VibeVoice acoustic"
SIGMA = "LatentLM \N{GREEK SMALL LETTER SIGMA}-VAE 128"
PLOTS = [*rate_distortion.PLOTS, *separability.PLOTS, *spectrum.PLOTS, *tsne.PLOTS]


def row(value: float, half: float = math.nan) -> Record:
    return {
        "value": value, "low": value - half, "high": value + half,
        "n_scored": 9, "n_failed": 0, "reason": "",
    }  # fmt: skip


def results_of(rows: dict[tuple[str, str, str], Record]) -> Results:
    return Results(
        pd.DataFrame([{**dict(zip(KEY, key, strict=True)), **row} for key, row in rows.items()])
    )


def statistics_rows() -> dict[tuple[str, str, str], Record]:
    """PESQ, dWER, separability (no language kNN of plain_ae) and eigenvalues, by ablation."""
    rows = {}
    for name, value in PESQ.items():
        rows[name, "reconstruction", "pesq_wb"] = row(value, 0.125)
        rows[name, "reconstruction", "stoi"] = row(value / 3, 0.03125)
        rows[name, "reconstruction", "dwer"] = row(value / 10, 0.0625)
        for label, chance in (("speaker", 0.25), ("language", 0.5)):
            rows[name, "latents", f"{label}_chance"] = row(chance)
            rows[name, "log_mel", f"{label}_probe"] = row(chance + 0.125)
            rows[name, "latents", f"{label}_probe"] = row(0.75, 0.125)
            rows[name, "latents", f"{label}_knn"] = row(0.625, 0.0625)
    rows["plain_ae", "latents", "language_knn"] = row(math.nan)
    for name, shares in SHARES.items():
        rows[name, "latents", "effective_rank"] = row(len(shares) - 0.5)
        for number, share in enumerate(shares):
            rows[name, f"component_{number:02}", "eigenvalue_share"] = row(share)
    return rows


def write_map(folder: Path, shift: float) -> None:
    """t-SNE of five clips at (n + shift, -n); the last one failed."""
    lines = ["run,ablation,seed,clip,condition,metric,value,reason"]
    labels = ["clip,speaker,language,duration,text"]
    for number, speaker in enumerate(SPEAKERS):
        failed = number == len(SPEAKERS) - 1
        for metric, value in (("tsne_1", number + shift), ("tsne_2", -number)):
            written = "nan" if failed else value
            lines.append(f"r,a,0,clip{number},latents,{metric},{written},")
        lines.append(f"r,a,0,clip{number},latents,sec,99,")
        lines.append(f"r,a,0,clip{number},reconstruction,tsne_1,99,")
        labels.append(f'clip{number},{speaker},{"en" if number < 3 else "NA"},1.0,"a, b"')
    (folder / "analysis").mkdir(parents=True)
    (folder / "analysis" / "table.csv").write_text("\n".join(lines))
    (folder / "analysis" / "clips.csv").write_text("\n".join(labels))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    root, runs = tmp_path_factory.mktemp("maps"), []
    for name, rate in FLOATS.items():
        for seed in (0, 1):
            folder = root / name / f"seed{seed}"
            write_map(folder, seed * 100.0)
            described = {
                "ablation": name, "size": "tiny", "seed": seed, "floats_per_second": rate,
            }  # fmt: skip
            runs.append(Run(folder, described))
    return Study("tiny", runs, results_of(statistics_rows()))


@pytest.fixture
def page() -> Iterator[Style]:
    with styled(LIGHT, list(FLOATS), 4.8) as style:
        yield style


def drawn(plot: Plot, study: Study) -> Figure:
    figure = plot.draw(plot.table(study))
    FigureCanvasAgg(figure).draw()
    return figure


def test_rate_has_one_row_an_ablation_and_the_published_systems(study: Study) -> None:
    found = rate_distortion.table(study, "pesq_wb")
    ours = found[found["source"] == ""]
    assert list(ours["system"]) == list(FLOATS)
    assert list(ours["floats_per_second"]) == [430, 430, 861]
    assert list(ours["mean"]) == [2.0, 2.5, 2.25]
    assert list(ours["high"]) == [2.125, 2.625, 2.375]
    others = found[found["source"] != ""]
    assert list(others[["system", "floats_per_second", "mean"]].itertuples(index=False)) == [
        (SIGMA, 480, 2.53), (VIBE, 480, 3.07), ("LongCat Wav-VAE", 500, 3.09),
    ]  # fmt: skip
    percent = rate_distortion.table(study, "dwer")
    assert list(percent["mean"]) == pytest.approx([20, 25, 22.5])
    assert set(percent["source"]) == {""}  # no paper reports a dWER


def test_published_numbers_say_what_they_are_of() -> None:
    read = pd.read_csv(rate_distortion.REFERENCES)
    assert not read.duplicated(["system", "codebooks", "test_set", "source"]).any()
    assert read["source"].notna().all()
    assert read["pesq"].dropna().between(1, 4.644).all()
    assert read[["stoi", "similarity"]].stack().dropna().between(0, 1).all()
    assert set(read["pesq_band"].dropna()) == {"wb"}
    coded = read[read["pesq_nb"].notna()]  # of one protocol, which says all of it
    assert coded[["hz", "codebooks", "pesq", "stoi", "similarity", "test_set"]].notna().all(None)
    assert coded["floats_per_second"].isna().all()


def test_rate_draws_points_intervals_and_hollow_references(study: Study, page: Style) -> None:
    [axes] = drawn(rate_distortion.PLOTS[0], study).axes
    points = [container.lines[0] for container in axes.containers]
    places = sorted((line.get_xdata()[0], line.get_ydata()[0]) for line in points)
    assert places == [(430, 2.0), (430, 2.5), (861, 2.25)]
    left, right = (line.get_transform().transform(line.get_xydata())[0, 0] for line in points[:2])
    assert right - left == pytest.approx(rate_distortion.APART / 72 * axes.figure.dpi)
    [bars] = axes.containers[1].lines[2]
    assert [list(end) for end in bars.get_segments()[0]] == [[430, 2.375], [430, 2.625]]
    colours = [to_hex(line.get_color()).upper() for line in points]
    assert colours == [page.look(name).colour.upper() for name in FLOATS]
    hollow = [line for line in axes.lines if line.get_markerfacecolor() == "none"]
    assert sorted(line.get_ydata()[0] for line in hollow) == [2.53, 3.07, 3.09]
    assert {text.get_text() for text in axes.texts} == {SIGMA, VIBE, "LongCat Wav-VAE"}
    boxes = [text.get_window_extent() for text in axes.texts]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    assert all(box.x1 <= axes.figure.bbox.x1 for box in boxes)
    low, high = axes.get_ylim()
    assert low < 1.875
    assert high > 3.09


def test_separability_has_what_was_measured(study: Study, page: Style) -> None:
    found = separability.table(study)
    assert len(found) == 2 * 3 * 2 - 1
    assert not found.query("system == 'plain_ae' and measure == 'knn' and label == 'speaker'").empty
    assert found.query("system == 'plain_ae' and measure == 'knn' and label == 'language'").empty
    speaker, language = drawn(separability.PLOTS[0], study).axes
    assert [len(axes.containers) for axes in (speaker, language)] == [6, 5]
    for axes, chance in ((speaker, 0.25), (language, 0.5)):
        assert [line.get_xdata()[0] for line in axes.lines[-2:]] == [chance + 0.125, chance]
    rows = [round(one.lines[0].get_ydata()[0]) for one in speaker.containers]
    assert rows == [0, 0, 1, 1, 2, 2]
    assert [one.lines[0].get_xdata()[0] for one in speaker.containers] == [0.75, 0.625] * 3
    assert [text.get_text() for text in speaker.get_yticklabels()] == list(FLOATS)


def test_spectrum_is_cumulative_with_the_effective_rank(study: Study, page: Style) -> None:
    found = spectrum.table(study)
    baseline = found[found["system"] == "baseline"]
    assert list(baseline["component"]) == [1, 2, 3, 4]
    assert list(baseline["cumulative"]) == pytest.approx([0.4, 0.7, 0.9, 1.0])
    figure = drawn(spectrum.PLOTS[0], study)
    [axes] = figure.axes
    assert [list(line.get_xdata()) for line in axes.lines] == [[1, 2, 3, 4], [1, 2]]
    np.testing.assert_allclose(axes.lines[1].get_ydata(), [0.9, 1.0])
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["baseline (3.5)", "plain_ae (1.5)"]


def test_components_beyond_a_hundred_are_in_order() -> None:
    rows = {
        ("baseline", f"component_{number:02}", "eigenvalue_share"): row(1 / 2**number)
        for number in range(1, 102)
    }
    runs = [Run(Path(), {"ablation": "baseline", "size": "tiny", "seed": 0})]
    shares = spectrum.table(Study("tiny", runs, results_of(rows)))["share"]
    assert list(shares) == sorted(shares, reverse=True)


def test_map_is_of_the_first_seed_with_its_labels(study: Study, page: Style) -> None:
    found = tsne.table(study)
    assert len(found) == 3 * 4  # the failed clip is on no map
    one = found[found["system"] == "plain_ae"]
    assert list(one["tsne_1"]) == [0, 1, 2, 3]
    assert list(one["tsne_2"]) == [0, -1, -2, -3]
    assert list(one["speaker"]) == ["Allison", "Allison", "June", ""]
    assert list(one["language"]) == ["en", "en", "en", "NA"]
    axes = drawn(tsne.PLOTS[0], study).axes
    grey, allison, june = (group.get_offsets() for group in axes[0].collections)
    assert grey.tolist() == [[3, -3]]
    assert allison.tolist() == [[0, 0], [1, -1]]
    assert june.tolist() == [[2, -2]]


def test_only_the_most_frequent_labels_have_a_colour(page: Style) -> None:
    labels = [f"voice{number}" for number in range(10) for _ in range(number + 1)]
    shown = tsne.styles_of(pd.Series([*labels, *[""] * 99]))
    assert list(shown) == [f"voice{number}" for number in range(9, 1, -1)]
    assert len(set(shown.values())) == len({colour for colour, _ in shown.values()}) == 8


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.name)
def test_nothing_measured_is_an_empty_table(plot: Plot, tmp_path: Path) -> None:
    described = {"ablation": "baseline", "size": "tiny", "seed": 0, "floats_per_second": 430.0}
    nothing = Study(
        "tiny",
        [Run(tmp_path, described)],
        Results(pd.DataFrame(columns=[*KEY, "value", "low", "high"])),
    )
    assert plot.table(nothing).empty


@pytest.mark.parametrize("width", [3.5, 4.8, 7.2])
@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.name)
def test_all_is_within_the_figure(plot: Plot, width: float, study: Study) -> None:
    with styled(PAPER, list(FLOATS), width):
        figure = drawn(plot, study)
        box, (across, high) = figure.get_tightbbox(), figure.get_size_inches()
        assert across == width
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= across
        assert box.y1 <= high
        panels = [axes.get_tightbbox() for axes in figure.axes if axes.get_visible()]
        renderer = FigureCanvasAgg(figure).get_renderer()
        for legend in figure.legends:
            legend_box = legend.get_window_extent(renderer)
            assert not any(legend_box.overlaps(one) for one in panels)
