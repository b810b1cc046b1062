"""The forest plot: effects as claimed, their intervals and verdicts, and that it fits."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from reports.figures import claims_forest
from reports.statistics import CLAIMS, TEXTS, Record
from reports.study import Study
from reports.style import COLUMN, DOUBLE, LIGHT, PAPER, WIDTH, styled

FOUR = ["baseline", "no_adversary", "plain_ae", "no_noise"]
MANY = ["baseline", *(f"another_long_name_{number:02d}" for number in range(15))]

ByHand = Callable[..., Study]


def claim(
    ablation: str,
    metric: str,
    direction: str,
    numbers: tuple[float, ...] = (math.nan,) * 4,
    verdict: str = "not measured",
) -> Record:
    """A row of claims.csv; its numbers are difference, low, high and effect."""
    condition, _, metric = metric.rpartition("/")
    return {
        **{name: "" if name in TEXTS else math.nan for name in CLAIMS},
        **dict(zip(("difference", "low", "high", "effect"), numbers, strict=True)),
        "ablation": ablation,
        "condition": condition,
        "metric": metric,
        "direction": direction,
        "verdict": verdict,
    }


def some() -> list[Record]:
    """One supported and large, one contradicted, one without a measurement."""
    return [
        claim(
            "no_adversary",
            "reconstruction/pesq_wb",
            "down",
            numbers=(0.2, 0.1, 0.4, 0.5),
            verdict="contradicted",
        ),
        claim(
            "plain_ae",
            "latent_noise_1.0/mel_l1",
            "up",
            numbers=(0.6, 0.5, 0.7, 9.0),
            verdict="supported",
        ),
        claim("no_noise", "latent_noise_1.0/mel_l1", "up"),
        claim("not_run", "latent_noise_1.0/mel_l1", "up", numbers=(1.0, 0.5, 1.5, 1.0)),
    ]


def many() -> list[Record]:
    metrics = ["reconstruction/pesq_wb", "latent_noise_1.0/mel_l1", "latents/speaker_probe"]
    return [
        claim(
            name,
            metrics[number % 3],
            "up",
            numbers=(0.1, 0.05, 0.3, 0.2 * number**1.5 - 2),
            verdict=["supported", "undecided"][number % 2],
        )
        for number, name in enumerate(MANY[1:])
    ]


def drawn(study: Study, width: float) -> Figure:
    with styled(PAPER if width != WIDTH else LIGHT, study.ablations, width):
        return claims_forest.draw(claims_forest.table(study))


def test_an_effect_is_positive_where_it_lies_as_claimed_and_its_interval_is_scaled(
    by_hand: ByHand,
) -> None:
    study = by_hand(FOUR, {}, some())
    table = claims_forest.table(study)
    assert list(table["ablation"]) == ["no_adversary", "plain_ae", "no_noise"]
    assert list(table["family"]) == ["PESQ-wb", *["mel L1 at latent noise 1.0"] * 2]
    numbers = table[["effect", "low", "high"]].to_numpy()
    assert numbers[0] == pytest.approx((-0.5, -1.0, -0.25))
    assert numbers[1] == pytest.approx((9, 7.5, 10.5))
    assert np.isnan(numbers[2]).all()
    figure = drawn(study, WIDTH)
    (axes,) = figure.axes
    marked = [line for line in axes.lines if line.get_marker() != "None"]
    marks = {line.get_marker(): np.asarray(line.get_xydata()).tolist() for line in marked}
    assert marks == {"X": [[-0.5, 1]], "o": [[9, 3]]}
    (text,) = axes.texts
    assert isinstance(text, Annotation)
    assert (text.get_text(), text.xy) == ("not measured", (0, 4))
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["supported", "contradicted"]
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert names == [
        "PESQ-wb:",
        "no_adversary",
        "mel L1 at latent noise 1.0:",
        "plain_ae",
        "no_noise",
    ]


@pytest.mark.parametrize(
    "found", [[], [claim("plain_ae", "latent_noise_1.0/mel_l1", "up")]], ids=["none", "unmeasured"]
)
def test_nothing_measured_is_an_empty_table(found: list[Record], by_hand: ByHand) -> None:
    assert claims_forest.table(by_hand(FOUR, {}, found)).empty


def test_small_effects_have_a_linear_axis(by_hand: ByHand) -> None:
    for effect, scale in ((0.5, "linear"), (5.0, "symlog")):
        found = [claim("plain_ae", "mel_l1", "up", (1.0, 0.5, 1.5, effect), "undecided")]
        (axes,) = drawn(by_hand(FOUR, {}, found), WIDTH).axes
        assert axes.get_xscale() == scale
        low, high = axes.get_xlim()
        assert low < 0 < 1.5 * effect < high


@pytest.mark.parametrize("width", [COLUMN, WIDTH, DOUBLE])
def test_all_is_on_the_canvas(
    width: float, by_hand: ByHand, fits: Callable[[Figure], None]
) -> None:
    for ablations, found in ((FOUR, some()), (MANY, many())):
        fits(drawn(by_hand(ablations, {}, found), width))
