"""F0 and voicing errors of synthesised tones whose pitch is known."""

import math
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("parselmouth")

import parselmouth

from analysis.metrics.pitch import HOP, METRICS, pitch_scores, track
from dcvae.audio.io import read_audio
from dcvae.data.manifest import read_manifest

MANIFEST = Path(__file__).parents[2] / "data" / "manifest.csv"
RATE = 22050


def glide(ratio: float = 1.0, seconds: float = 1.5) -> np.ndarray:
    """Ten harmonics of a fundamental that rises from 110 to 220 Hz, times `ratio`."""
    time = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * math.pi * np.cumsum(ratio * 110 * 2 ** (time / seconds)) / RATE
    return sum(np.sin(k * phase) / k for k in range(1, 11)).astype(np.float32) * 0.2


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    return read_audio(read_manifest(MANIFEST)[0].path).numpy()


def test_the_track_follows_a_glide() -> None:
    frequencies = track(glide(), RATE)
    frames = np.arange(len(frequencies)) - (len(frequencies) - 1) / 2  # Praat centres them
    expected = 110 * 2 ** (0.5 + frames * HOP / 1.5)
    np.testing.assert_allclose(frequencies, expected, rtol=1e-3)


@pytest.mark.parametrize("cents", [-300, 50, 100, 700])
def test_a_known_interval_is_the_log_error(cents: int) -> None:
    scores = pitch_scores(glide(), glide(2 ** (cents / 1200)), RATE)
    expected = abs(cents) / 1200 * math.log(2)
    assert scores["log_f0_rmse"].value == pytest.approx(expected, rel=0.02)
    assert scores["log_f0_rmse"].value * 1731 == pytest.approx(abs(cents), rel=0.02)
    assert scores["voicing_error"].value < 0.02


def test_half_a_tone_silenced_is_half_the_frames_in_error() -> None:
    tone = glide()
    half = np.where(np.arange(len(tone)) < len(tone) / 2, tone, 0).astype(np.float32)
    for waves in ((tone, half), (half, tone)):  # a voice lost, a voice made up
        scores = pitch_scores(*waves, RATE)
        assert scores["voicing_error"].value == pytest.approx(0.5, abs=0.03)
        assert scores["log_f0_rmse"].value < 0.01


def test_speech_at_another_level_has_no_error(speech) -> None:
    scores = pitch_scores(speech, 0.25 * speech, RATE)
    assert scores["log_f0_rmse"].value < 1e-3
    assert scores["voicing_error"].value < 0.01
    assert 0.2 < np.mean(track(speech, RATE) > 0) < 0.95


def test_noise_for_speech_is_a_voicing_error(speech) -> None:
    noise = np.random.default_rng(0).standard_normal(len(speech)).astype(np.float32)
    voiced = np.mean(track(speech, RATE) > 0)
    assert pitch_scores(speech, noise, RATE)["voicing_error"].value > 0.8 * voiced


def test_a_silent_output_loses_every_voiced_frame(speech) -> None:
    scores = pitch_scores(speech, np.zeros_like(speech), RATE)
    assert scores["voicing_error"].value == np.mean(track(speech, RATE) > 0)
    assert scores["log_f0_rmse"].reason == "no frame is voiced in both"


def test_pitch_that_cannot_be_judged_is_nan_with_a_reason(speech) -> None:
    broken = speech.copy()
    broken[1000] = np.nan
    noise = np.random.default_rng(0).standard_normal(len(speech)).astype(np.float32)
    cases = {
        "the original is silent": (np.zeros_like(speech), speech),
        "the output holds NaN": (speech, broken),
        "lengths differ": (speech, speech[: RATE // 10]),
        "only 0.10 s long": (speech[: RATE // 10], speech[: RATE // 10]),
        "voiced": (noise, np.zeros_like(noise)),  # nothing to keep, so silence does not win
    }
    for reason, waves in cases.items():
        scores = pitch_scores(*waves, RATE)
        assert set(scores) == set(METRICS)
        for value, told in scores.values():
            assert math.isnan(value)
            assert reason in told


def test_a_tracker_that_raises_is_nan_with_a_reason(speech, monkeypatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise parselmouth.PraatError("no pitch today")

    monkeypatch.setattr(parselmouth, "Sound", fail)
    for value, told in pitch_scores(speech, speech, RATE).values():
        assert math.isnan(value)
        assert "no pitch today" in told
