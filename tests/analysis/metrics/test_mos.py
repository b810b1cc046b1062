"""DNSMOS and ViSQOL equal their libraries' own direct calls, and are NaN where there is none."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soxr

from analysis.evaluators.dnsmos import changes
from analysis.metrics import mos
from analysis.metrics.mos import DNSMOS, dnsmos_scores, visqol_scores
from analysis.outputs.table import Row
from dcvae.audio.io import read_audio
from dcvae.data.manifest import read_manifest

pytest.importorskip("speechmos")
pytest.importorskip("visqol")

MANIFEST = Path(__file__).parents[2] / "data" / "manifest.csv"
RATE = 22050
BOTH = pytest.mark.parametrize("score", [dnsmos_scores, visqol_scores])


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    return read_audio(read_manifest(MANIFEST)[0].path).numpy()


@pytest.fixture(scope="module")
def noisy(speech: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).standard_normal(len(speech)).astype(np.float32)
    return speech + 0.03 * noise


def test_dnsmos_is_the_librarys_of_the_clip_repeated_to_its_window(speech, noisy) -> None:
    from speechmos import dnsmos as library

    wave = np.clip(soxr.resample(noisy, RATE, 16000), -1, 1)
    repeated = np.concatenate([wave] * 5)[:144160]
    assert len(wave) * 5 > 144160 > len(wave)
    expected = library.run(repeated, 16000)
    scores = dnsmos_scores(speech, noisy, RATE)
    assert {name: scores[name].value for name in DNSMOS} == pytest.approx(
        {name: expected[theirs] for name, theirs in DNSMOS.items()}, abs=1e-4
    )
    clean = dnsmos_scores(speech, speech, RATE)
    assert clean["dnsmos_overall"].value > scores["dnsmos_overall"].value + 0.5
    assert clean["dnsmos_background"].value > scores["dnsmos_background"].value + 1


def test_dnsmos_of_a_clip_longer_than_its_window_is_the_librarys_of_the_clip(speech) -> None:
    from speechmos import dnsmos as library

    long = np.concatenate([speech] * 4)[: round(9.8 * RATE)]
    expected = library.run(np.clip(soxr.resample(long, RATE, 16000), -1, 1), 16000)
    value = dnsmos_scores(long, long, RATE)["dnsmos_overall"].value
    assert value == pytest.approx(expected["ovrl_mos"], abs=1e-4)


def test_dnsmos_takes_a_wave_beyond_full_scale_as_a_file_would(speech) -> None:
    from speechmos import dnsmos as library

    loud = np.concatenate([speech / np.abs(speech).max() * 1.2] * 3)[: round(9.5 * RATE)]
    wave = soxr.resample(loud, RATE, 16000)
    with pytest.raises(ValueError, match="between -1 and 1"):
        library.run(wave, 16000)
    expected = library.run(np.clip(wave, -1, 1), 16000)["ovrl_mos"]
    value = dnsmos_scores(loud, loud, RATE)["dnsmos_overall"].value
    assert value == pytest.approx(expected, abs=1e-4)


def test_visqol_is_the_librarys_with_the_lattice(speech, noisy) -> None:
    from visqol import VisqolApi

    score = VisqolApi()
    score.create(mode="speech", use_lattice_model=True)
    waves = [soxr.resample(wave, RATE, 16000).astype(np.float64) for wave in (speech, noisy)]
    expected = score.measure_from_arrays(*waves, 16000).moslqo
    assert visqol_scores(speech, noisy, RATE)["visqol"] == (pytest.approx(expected, abs=1e-9), "")
    assert 1 < expected < 3.5
    assert visqol_scores(speech, speech, RATE)["visqol"].value > 4


def test_visqol_starts_without_a_word_on_stderr() -> None:
    code = "from analysis.metrics.mos import visqol_model; visqol_model()"
    said = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, cwd=Path(__file__).parents[3]
    )
    assert said.stderr == b""


@BOTH
def test_waves_that_cannot_be_scored_are_nan_with_a_reason(score, speech) -> None:
    broken = speech.copy()
    broken[1000] = np.nan
    cases = {
        "the original is silent": (np.zeros_like(speech), speech),
        "the output is silent": (speech, np.zeros_like(speech)),
        "the output holds NaN": (speech, broken),
        "lengths differ": (speech, speech[: RATE // 10]),
        "only 0.10 s long": (speech[: RATE // 10], speech[: RATE // 10]),
    }
    for reason, waves in cases.items():
        for value, told in score(*waves, RATE).values():
            assert math.isnan(value)
            assert reason in told


@BOTH
def test_a_clipped_output_never_scores_well(score, speech) -> None:
    clipped = np.clip(speech * 100, -0.5, 0.5)
    for name, (value, _) in score(speech, clipped, RATE).items():
        clean = score(speech, speech, RATE)[name].value
        assert value < clean - 0.2


def test_a_dnsmos_that_raises_is_nan_with_a_reason(speech, monkeypatch) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError("the network is gone")

    monkeypatch.setattr(mos, "dnsmos_model", lambda: (fail, 144160))
    scores = dnsmos_scores(speech, speech, RATE)
    assert set(scores) == set(DNSMOS)
    for value, told in scores.values():
        assert math.isnan(value)
        assert told == "RuntimeError: the network is gone"


def test_a_visqol_that_raises_is_nan_with_a_reason(speech, monkeypatch) -> None:
    def fail(*arguments: object) -> None:
        raise ValueError("no patch")

    monkeypatch.setattr(type(mos.visqol_model()), "measure_from_arrays", fail)
    value, told = visqol_scores(speech, speech, RATE)["visqol"]
    assert math.isnan(value)
    assert told == "ValueError: no patch"


def test_a_change_is_against_the_original_of_the_same_clip_and_metric() -> None:
    rows = [
        Row("a", "original", "dnsmos_overall", 3.0),
        Row("a", "reconstruction", "dnsmos_overall", 2.5),
        Row("a", "ceiling", "dnsmos_overall", math.nan, "odd"),
        Row("b", "original", "dnsmos_overall", math.nan, "the original is silent"),
        Row("b", "reconstruction", "dnsmos_overall", 2.0),
    ]
    first, second, third = changes(rows)
    assert first == Row("a", "reconstruction", "dnsmos_overall_change", -0.5)
    assert (second.condition, second.reason) == ("ceiling", "ceiling: odd")
    assert math.isnan(second.value)
    assert third.reason == "original: the original is silent"
    assert math.isnan(third.value)
