"""Each metric equals its library's own direct call, and is NaN where that cannot be had."""

import math
from pathlib import Path

import numpy as np
import pesq as pesq_library
import pystoi
import pytest
import soxr

from analysis import quality
from dcvae import LogMel
from dcvae.audio import read_audio
from dcvae.manifest import read_manifest
from dcvae.mel import SAMPLE_RATE

MANIFEST = Path(__file__).parents[1] / "data" / "manifest.csv"


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    return read_audio(read_manifest(MANIFEST)[0].path).numpy()


@pytest.fixture(scope="module")
def noisy(speech: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).standard_normal(len(speech)).astype(np.float32)
    return speech + 0.01 * noise


def test_pesq_is_the_librarys_at_16_khz(speech: np.ndarray, noisy: np.ndarray) -> None:
    at_16k = [soxr.resample(wave, SAMPLE_RATE, 16000) for wave in (speech, noisy)]
    expected = pesq_library.pesq(16000, *at_16k, "wb")
    assert quality.pesq_wb(speech, noisy, SAMPLE_RATE) == expected
    assert 1.0 < expected < 4.0
    assert quality.pesq_wb(speech, speech, SAMPLE_RATE) == pytest.approx(4.64, abs=0.01)


def test_stoi_is_the_librarys(speech: np.ndarray, noisy: np.ndarray) -> None:
    expected = pystoi.stoi(speech, noisy, SAMPLE_RATE)
    assert quality.stoi(speech, noisy, SAMPLE_RATE) == expected
    assert 0.3 < expected < 0.999


def test_mel_l1_is_the_mean_absolute_difference(speech: np.ndarray, noisy: np.ndarray) -> None:
    import torch

    first, second = (LogMel()(torch.from_numpy(one)[None])[0].numpy() for one in (speech, noisy))
    assert quality.mel_l1(first, second) == pytest.approx(np.abs(first - second).mean(), rel=1e-5)
    assert quality.mel_l1(first, first) == 0


@pytest.mark.parametrize("metric", [quality.pesq_wb, quality.stoi])
def test_what_cannot_be_judged_is_nan(metric, speech: np.ndarray) -> None:
    silence = np.zeros_like(speech)
    broken = speech.copy()
    broken[1000] = np.nan
    assert math.isnan(metric(silence, speech, SAMPLE_RATE))
    assert math.isnan(metric(silence, silence, SAMPLE_RATE))
    assert math.isnan(metric(speech, broken, SAMPLE_RATE))
    assert math.isnan(metric(speech, speech[:-1], SAMPLE_RATE))
    tenth = slice(8000, 8000 + SAMPLE_RATE // 10)
    assert math.isnan(metric(speech[tenth], speech[tenth], SAMPLE_RATE))
    assert math.isnan(metric(speech[:0], speech[:0], SAMPLE_RATE))


def test_a_silent_reconstruction_of_speech_never_scores_well(speech: np.ndarray) -> None:
    silence = np.zeros_like(speech)
    for metric, bad in ((quality.pesq_wb, 1.5), (quality.stoi, 0.1)):
        value = metric(speech, silence, SAMPLE_RATE)
        assert math.isnan(value) or value < bad


def test_mel_l1_of_silence_or_of_nan_is_nan() -> None:
    silence = np.full((80, 9), -11.5, dtype=np.float32)
    speech = np.random.default_rng(0).normal(size=(80, 9)).astype(np.float32)
    assert math.isnan(quality.mel_l1(silence, silence))
    assert math.isnan(quality.mel_l1(speech, np.full_like(speech, np.nan)))
    assert math.isnan(quality.mel_l1(speech, speech[:, :5]))
