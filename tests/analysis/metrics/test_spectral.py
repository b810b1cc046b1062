"""Mel L1 and mel-cepstral distortion against hand-worked cases and scipy's transform."""

import math

import numpy as np
import pytest
from scipy.fft import dct

from analysis.metrics.score import score
from analysis.metrics.spectral import mel_cepstral_distortion, mel_l1

MELS = 80
BIN = np.arange(MELS)[:, None] + 0.5


@pytest.fixture(scope="module")
def mel() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(MELS, 50)).astype(np.float32)


def test_mel_l1_is_the_mean_absolute_difference(mel) -> None:
    other = mel.copy()
    other[:40] += 0.5
    other[40:] -= 1.5
    assert mel_l1(mel, other) == pytest.approx(1.0, rel=1e-6)
    assert mel_l1(mel, mel) == 0


def test_a_ripple_of_a_nepers_is_its_root_mean_square_in_decibels(mel) -> None:
    """One cosine over the mel axis is one cepstrum: 20 / ln 10 dB a neper, over sqrt 2."""
    ripple = 0.3 * np.cos(math.pi * 5 * BIN / MELS)
    expected = 0.3 * 20 / math.log(10) / math.sqrt(2)  # 1.8426 dB
    assert mel_cepstral_distortion(mel, mel + ripple) == pytest.approx(expected, rel=1e-6)
    decibels = 20 / math.log(10) * np.broadcast_to(ripple, mel.shape)
    assert np.sqrt(np.mean(decibels**2)) == pytest.approx(expected, rel=1e-9)


def test_two_ripples_add_in_squares_and_frames_are_averaged(mel) -> None:
    ripples = 0.3 * np.cos(math.pi * BIN / MELS) + 0.4 * np.cos(math.pi * 24 * BIN / MELS)
    half = np.where(np.arange(50) < 25, ripples, 0)
    expected = 10 / math.log(10) * math.sqrt(2 * 0.25) / 2
    assert mel_cepstral_distortion(mel, mel + half) == pytest.approx(expected, rel=1e-6)


def test_distortion_is_that_of_scipys_orthonormal_transform(mel) -> None:
    other = np.random.default_rng(1).normal(size=mel.shape)
    both = [dct(one, axis=0, norm="ortho")[1:25] * math.sqrt(2 / MELS) for one in (mel, other)]
    expected = 10 / math.log(10) * np.sqrt(2 * ((both[0] - both[1]) ** 2).sum(0)).mean()
    assert mel_cepstral_distortion(mel, other) == pytest.approx(expected, rel=1e-6)


def test_distortion_ignores_level_and_detail_beyond_its_order(mel) -> None:
    detail = 2.0 * np.cos(math.pi * 25 * BIN / MELS)
    # mels of 3 in float32 round by 1e-7, and a neper is 6 dB
    assert mel_cepstral_distortion(mel, mel + 3.0) == pytest.approx(0, abs=1e-5)
    assert mel_cepstral_distortion(mel, mel + detail) == pytest.approx(0, abs=1e-5)
    assert mel_cepstral_distortion(mel, mel) == 0


def test_distortion_scales_with_the_difference_and_is_symmetric(mel) -> None:
    other = np.random.default_rng(1).normal(size=mel.shape)
    once, twice = (mel_cepstral_distortion(mel, mel + k * other) for k in (1, 2))
    assert twice == pytest.approx(2 * once, rel=1e-6)
    assert mel_cepstral_distortion(mel, other) == mel_cepstral_distortion(other, mel)


@pytest.mark.parametrize("metric", [mel_l1, mel_cepstral_distortion])
def test_mels_that_cannot_be_judged_are_nan_with_a_reason(metric, mel) -> None:
    silence = np.full_like(mel, math.log(1e-5))
    cases = {
        "the original is silent": (silence, silence),
        "a mel holds NaN": (mel, np.full_like(mel, np.nan)),
        "a mel holds NaN or infinity": (mel, np.full_like(mel, -np.inf)),
        "mels of [80, 50] and [80, 8]": (mel, mel[:, :8]),
        "mels of [80, 0] and [80, 0]": (mel[:, :0], mel[:, :0]),
    }
    for reason, mels in cases.items():
        value, told = score(metric, *mels)
        assert math.isnan(value)
        assert reason in told
    assert score(metric, mel, silence).value > 1  # a silent output of speech is far away
