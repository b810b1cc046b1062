"""PESQ, STOI and ESTOI equal their libraries' own direct calls, and are NaN where there is none."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pesq as pesq_library
import pystoi
import pytest
import soxr

from analysis.metrics import perceptual
from analysis.metrics.delay import estimate_delay, without_delay
from analysis.metrics.perceptual import METRICS, pesq_and_stoi, wave_scores
from analysis.metrics.score import score
from analysis.metrics.waves import WavePair
from dcvae.audio.io import read_audio
from dcvae.data.manifest import read_manifest

MANIFEST = Path(__file__).parents[2] / "data" / "manifest.csv"
RATE = 22050


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    return read_audio(read_manifest(MANIFEST)[0].path).numpy()


@pytest.fixture(scope="module")
def noisy(speech: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).standard_normal(len(speech)).astype(np.float32)
    return speech + 0.01 * noise


@pytest.fixture(scope="module")
def scores(speech: np.ndarray, noisy: np.ndarray) -> dict:
    return wave_scores(speech, noisy, RATE)


@pytest.mark.parametrize(("name", "rate", "band"), [("wb", 16000, "wb"), ("nb", 8000, "nb")])
def test_pesq_is_the_librarys(speech, noisy, scores, name: str, rate: int, band: str) -> None:
    waves = [soxr.resample(wave, RATE, rate) for wave in (speech, noisy)]
    expected = pesq_library.pesq(rate, *waves, band)
    assert scores[f"pesq_{name}"] == (expected, "")
    assert 1.0 < expected < 4.0
    top = wave_scores(speech, speech, RATE)[f"pesq_{name}"].value
    assert top == pytest.approx({"wb": 4.64, "nb": 4.55}[name], abs=0.01)


def test_stoi_is_the_librarys_of_the_waves_as_they_are(speech, noisy, scores) -> None:
    expected = pystoi.stoi(speech, noisy, RATE)
    assert scores["stoi"] == (expected, "")
    assert 0.3 < expected < 0.999


def test_estoi_is_the_librarys_up_to_the_noise_that_it_adds(speech, noisy, scores) -> None:
    expected = pystoi.stoi(speech, noisy, RATE, extended=True)
    assert scores["estoi"].value == pytest.approx(expected, abs=1e-9)
    assert 0.3 < expected < scores["stoi"].value


def test_a_score_repeats_and_leaves_the_generator_alone(speech, noisy) -> None:
    quiet = np.where(np.arange(len(noisy)) < len(noisy) // 2, 0, noisy)  # half digital silence
    state = np.random.get_state()[1].copy()
    assert wave_scores(speech, quiet, RATE) == wave_scores(speech, quiet, RATE)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_robustness_asks_for_two_of_the_same_values(speech, noisy, scores) -> None:
    few = pesq_and_stoi(speech, noisy, RATE)
    assert few == {name: scores[name] for name in ("pesq_wb", "stoi")}


def late(wave: np.ndarray, delay: int) -> np.ndarray:
    """The wave [T] moved by so many samples, silence let in."""
    moved = np.zeros_like(wave)
    if delay >= 0:
        moved[delay:] = wave[: len(wave) - delay]
    else:
        moved[:delay] = wave[-delay:]
    return moved


@pytest.mark.parametrize("delay", [-900, -333, -48, 0, 48, 333, 900])  # up to 41 ms
def test_a_known_delay_is_found(speech, noisy, delay: int) -> None:
    assert estimate_delay(speech, late(noisy, delay), RATE) == pytest.approx(delay, abs=12)
    reference, degraded = without_delay(speech, late(speech, delay), delay)
    np.testing.assert_array_equal(reference, degraded)
    assert len(reference) == len(speech) - abs(delay)


def test_a_delay_under_a_millisecond_is_none(speech) -> None:
    assert estimate_delay(speech, late(speech, 15), RATE) == 0


def test_a_delay_costs_stoi_and_not_its_aligned_value(speech, noisy, scores) -> None:
    delayed = wave_scores(speech, late(noisy, 661), RATE)  # 30 ms
    for name in ("stoi", "estoi"):
        assert delayed[name].value < scores[name].value - 0.1
        aligned = delayed[f"{name}_aligned"].value
        assert aligned == pytest.approx(scores[name].value, abs=0.01)


def test_without_a_delay_the_aligned_value_is_the_same(scores) -> None:
    assert scores["stoi_aligned"] is scores["stoi"]
    assert scores["estoi_aligned"] is scores["estoi"]


def test_waves_are_resampled_once_for_all_metrics(speech, noisy, monkeypatch) -> None:
    calls = []
    real = pystoi.utils.resample_oct
    monkeypatch.setattr(pystoi.utils, "resample_oct", lambda *x: calls.append(1) or real(*x))
    wave_scores(speech, noisy, RATE)
    assert len(calls) == 2


TENTH = slice(8000, 8000 + RATE // 10)


def spoiled(speech: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Pairs that no metric of waves can score."""
    broken = speech.copy()
    broken[1000] = np.nan
    silence = np.zeros_like(speech)
    return {
        "the original is silent": (silence, speech),
        "the output holds NaN or infinity": (speech, broken),
        "the original holds NaN or infinity": (broken, speech),
        "lengths differ": (speech, speech[:-1]),
        "lengths differ:": (speech, speech[TENTH]),
        "only 0.10 s long": (speech[TENTH], speech[TENTH]),
        "the original is empty": (speech[:0], speech[:0]),
    }


@pytest.mark.parametrize("case", range(7))
def test_what_cannot_be_judged_is_nan_with_a_reason(speech, case: int) -> None:
    reason, waves = list(spoiled(speech).items())[case]
    scores = wave_scores(*waves, RATE)
    assert set(scores) == set(METRICS)
    for value, told in scores.values():
        assert math.isnan(value)
        assert reason in told


def test_silent_and_clipped_outputs_never_score_well(speech) -> None:
    silent = wave_scores(speech, np.zeros_like(speech), RATE)
    for name, (value, reason) in silent.items():
        if name.startswith("pesq"):
            assert math.isnan(value)
            assert reason == "the output is silent"
        else:
            assert abs(value) < 0.1
    clipped = wave_scores(speech, np.clip(speech * 100, -0.5, 0.5), RATE)
    assert clipped["pesq_wb"].value < 2
    assert clipped["stoi"].value < 0.95


def test_too_little_speech_for_stoi_is_nan_and_not_its_stand_in(speech) -> None:
    third = speech[12000 : 12000 + RATE // 3]
    scores = wave_scores(third, third, RATE)
    for name in ("stoi", "estoi", "stoi_aligned", "estoi_aligned"):
        assert math.isnan(scores[name].value)
        assert "too little speech" in scores[name].reason
    assert scores["pesq_wb"].value > 4


def failing(error: Exception):
    def call(*arguments: object, **options: object) -> float:
        raise error

    return call


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (failing(pesq_library.NoUtterancesError(b"No utterances detected")), "No utterances"),
        (failing(pesq_library.OutOfMemoryError()), "PESQ: OutOfMemoryError"),
        (failing(ZeroDivisionError()), "ZeroDivisionError"),
        (lambda *_: -1, "PESQ gave -1, which is no score"),
        (lambda *_: math.nan, "no finite value"),
    ],
)
def test_a_pesq_that_fails_is_nan_with_a_reason(speech, monkeypatch, function, reason) -> None:
    monkeypatch.setattr(pesq_library, "pesq", function)
    for metric in (perceptual.pesq_wb, perceptual.pesq_nb):
        value, told = score(metric, WavePair(speech, speech, RATE))
        assert math.isnan(value)
        assert reason in told


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (failing(IndexError("no frame")), "IndexError: no frame"),
        (lambda *_, **__: math.nan, "no finite value"),
        (lambda *_, **__: np.float64(1) / np.float64(0), "RuntimeWarning: divide by zero"),
    ],
)
def test_a_stoi_that_fails_is_nan_with_a_reason(speech, monkeypatch, function, reason) -> None:
    monkeypatch.setattr(pystoi, "stoi", function)
    scores = perceptual.stoi_scores(WavePair(speech, speech, RATE))
    for value, told in scores.values():
        assert math.isnan(value)
        assert reason in told


def test_a_delay_that_cannot_be_estimated_is_no_delay_of_none(speech, monkeypatch) -> None:
    monkeypatch.setattr(perceptual, "estimate_delay", failing(MemoryError("too long")))
    scores = perceptual.stoi_scores(WavePair(speech, speech, RATE))
    assert scores["stoi"].value > 0.99
    assert math.isnan(scores["stoi_aligned"].value)
    assert "too long" in scores["estoi_aligned"].reason


def test_the_pools_workers_need_no_torch() -> None:
    modules = "perceptual, pitch, mos"
    code = f"import sys; from analysis.metrics import {modules}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])
