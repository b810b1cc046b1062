"""The forest plot: effects in margins, their intervals and verdicts, and that it fits."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from reports.figures import claims_forest
from reports.figures.style import COLUMN, DOUBLE, LIGHT, PAPER, WIDTH, styled
from reports.study.results import CLAIMS_COLUMNS, TEXTS, Record
from reports.study.study import Study

FOUR = ["baseline", "no_adversary", "plain_ae", "no_noise"]
MANY = ["baseline", *(f"another_long_name_{number:02d}" for number in range(15))]

ByHand = Callable[..., Study]


def claim(
    system: str,
    metric: str,
    direction: str,
    numbers: tuple[float, ...] = (math.nan,) * 5,
    verdict: str = "not measured",
    **more: str,
) -> Record:
    """A row of claims.csv of margin .05; numbers: difference, low, high, low_90 and high_90."""
    condition, _, metric = metric.rpartition("/")
    names = ("difference", "low", "high", "low_90", "high_90")
    return {
        **{name: "" if name in TEXTS else math.nan for name in CLAIMS_COLUMNS},
        **dict(zip(names, numbers, strict=True)),
        "system": system,
        "condition": condition,
        "metric": metric,
        "direction": direction,
        "margin": 0.05,
        "family": "study",
        "verdict": verdict,
        "seeds": 3.0,
        "clips": 40.0,
        **more,
    }


def some() -> list[Record]:
    """One contradicted, one supported with its strata, one unmeasured, one exploratory."""
    noise = "latent_noise_1.0/mel_l1"
    large = (0.6, 0.5, 0.7, 0.55, 0.65)
    return [
        claim(
            "no_adversary",
            "reconstruction/pesq_wb",
            "down",
            (0.1, 0.05, 0.2, 0.075, 0.15),
            "contradicted",
        ),
        claim("no_noise", noise, "up"),
        claim("plain_ae", noise, "up", large, "supported"),
        claim("plain_ae", noise, "up", large, "supported", stratum="noise in place"),
        claim("no_noise", "stoi", "up", (0.0, -0.2, 0.2, -0.1, 0.1), "undecided", family="other"),
    ]


def many() -> list[Record]:
    metrics = ["reconstruction/pesq_wb", "latent_noise_1.0/mel_l1", "latents/speaker_probe"]
    verdicts = ["supported", "contradicted", "negligible", "undecided", "one seed"]
    found = []
    for number, name in enumerate(MANY[1:]):
        middle = 0.05 * (0.2 * number**1.5 - 2)
        spread = (middle, middle - 0.1, middle + 0.1, middle - 0.08, middle + 0.08)
        family = "study" if number < 12 else "exploratory"
        found.append(
            claim(name, metrics[number % 3], "up", spread, verdicts[number % 5], family=family)
        )
    return found


def drawn(study: Study, width: float) -> Figure:
    with styled(PAPER if width != WIDTH else LIGHT, study.systems, width):
        return claims_forest.draw(claims_forest.table(study))


def test_an_effect_is_in_margins_and_positive_where_it_lies_as_claimed(by_hand: ByHand) -> None:
    table = claims_forest.table(by_hand(FOUR, {}, some()))
    noise = "mel L1 at latent noise 1.0"
    assert list(table["group"]) == ["PESQ-wb", *[noise] * 3, "exploratory: STOI"]
    assert list(table["label"]) == [
        "no_adversary", "plain_ae", "· noise in place", "no_noise", "no_noise",
    ]  # fmt: skip
    numbers = table[["effect", "low", "high", "low_90", "high_90"]].to_numpy(dtype=float)
    assert numbers[0] == pytest.approx((-2, -4, -1, -3, -1.5))
    assert numbers[1] == pytest.approx((12, 10, 14, 11, 13))
    assert np.isnan(numbers[3]).all()


def test_each_row_has_marker_whiskers_and_the_band_is_one_margin_wide(by_hand: ByHand) -> None:
    (axes,) = (figure := drawn(by_hand(FOUR, {}, some()), WIDTH)).axes
    marked = [line for line in axes.lines if line.get_marker() != "None"]
    marks = [(line.get_marker(), *np.asarray(line.get_xydata()).ravel()) for line in marked]
    expected = {("X", -2, 1), ("o", 12, 3), ("o", 12, 4), ("s", 0, 7)}
    assert {(mark, round(float(x), 6), y) for mark, x, y in marks} == expected
    assert marked[-1].get_markerfacecolor() == LIGHT.paper  # undecided is hollow
    assert marked[-1].get_color() == LIGHT.muted  # exploratory is grey
    (band,) = axes.patches
    box = band.get_extents().transformed(axes.transData.inverted())
    assert (box.x0, box.x1) == pytest.approx((-1, 1))
    words = [one.get_text() for one in axes.texts if isinstance(one, Annotation)]
    noise = "mel L1 at latent noise 1.0:"
    assert words == ["PESQ-wb:", noise, "not measured", "exploratory: STOI:"]
    (legend,) = figure.legends
    named = [text.get_text() for text in legend.get_texts()]
    assert named == ["supported", "contradicted", "undecided"]


@pytest.mark.parametrize(
    "found", [[], [claim("plain_ae", "latent_noise_1.0/mel_l1", "up")]], ids=["none", "unmeasured"]
)
def test_nothing_measured_is_an_empty_table(found: list[Record], by_hand: ByHand) -> None:
    assert claims_forest.table(by_hand(FOUR, {}, found)).empty


def test_small_effects_have_a_linear_axis(by_hand: ByHand) -> None:
    for effect, scale in ((0.5, "linear"), (20.0, "symlog")):
        one = 0.05 * effect
        numbers = (one, 0.5 * one, 1.5 * one, 0.6 * one, 1.4 * one)
        found = [claim("plain_ae", "mel_l1", "up", numbers, "undecided")]
        (axes,) = drawn(by_hand(FOUR, {}, found), WIDTH).axes
        assert axes.get_xscale() == scale
        low, high = axes.get_xlim()
        assert low < -1
        assert high > max(1.5 * effect, 1)


@pytest.mark.parametrize("width", [COLUMN, WIDTH, DOUBLE])
def test_all_is_on_the_canvas(
    width: float, by_hand: ByHand, fits: Callable[[Figure], None]
) -> None:
    for systems, found in ((FOUR, some()), (MANY, many())):
        figure = drawn(by_hand(systems, {}, found), width)
        fits(figure)
        for words in figure.axes[0].texts:
            assert words.get_window_extent().x1 <= width * figure.dpi
