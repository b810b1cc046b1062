import librosa
import numpy as np
import pytest
import torch

from dcvae import LogMel
from dcvae.audio.mel import HOP, N_FFT, N_MELS, SAMPLE_RATE, SILENCE, mel_filters

EPS = torch.finfo(torch.float32).eps


def test_equals_bigvgans_front_end(speech, assert_same_mel):
    """BigVGAN v2's steps with its own parts: librosa's filters and torch's float32 STFT."""
    filters = torch.from_numpy(librosa.filters.mel(sr=22050, n_fft=1024, n_mels=80, fmin=0))
    padded = torch.nn.functional.pad(speech[:, None], (384, 384), mode="reflect")[:, 0]
    spectrum = torch.stft(
        padded, 1024, 256, 1024, torch.hann_window(1024), center=False, return_complex=True
    )
    magnitude = torch.sqrt(torch.view_as_real(spectrum).pow(2).sum(-1) + 1e-9)
    expected = torch.log(torch.clamp(filters @ magnitude, min=1e-5))
    ours = LogMel()(speech)
    assert ours.shape == (len(speech), 80, speech.shape[1] // 256)
    assert_same_mel(ours, expected, speech, computations=2)


def test_equals_librosa_in_double_precision(speech, assert_same_mel):
    filters = librosa.filters.mel(sr=22050, n_fft=1024, n_mels=80, fmin=0)
    padded = np.pad(speech[0].numpy(), 384, mode="reflect")
    spectrum = librosa.stft(
        padded, n_fft=1024, hop_length=256, window="hann", center=False, dtype=np.complex128
    )
    expected = np.log(np.clip(filters @ np.sqrt(np.abs(spectrum) ** 2 + 1e-9), 1e-5, None))
    assert_same_mel(LogMel()(speech[:1]), torch.from_numpy(expected)[None], speech[:1])


def test_filters_equal_librosas():
    expected = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=N_FFT, n_mels=N_MELS, fmin=0, fmax=None)
    # both are rounded to float32 at the end, librosa's once more before; 1e-10 of a filter's 0.05
    np.testing.assert_allclose(mel_filters().numpy(), expected, rtol=2 * EPS, atol=1e-10)


def test_silence_is_near_the_floor():
    """1e-9 under the root keeps a little: log of the filter's sum times sqrt(1e-9)."""
    mel = LogMel()(torch.zeros(1, 8 * HOP))
    expected = torch.log((mel_filters().sum(1) * 1e-9**0.5).clamp(min=1e-5))
    # relative, of a logarithm of -11.5: the sums below it add their terms in any order
    torch.testing.assert_close(mel[0], expected[:, None].expand(-1, 8), rtol=4 * EPS, atol=0)
    assert mel.min() >= SILENCE * (1 + 2 * EPS)


def test_is_float32_under_autocast(speech):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = LogMel()(speech)
    torch.testing.assert_close(mixed, LogMel()(speech), rtol=0, atol=0)


@pytest.mark.parametrize("shape", [(1000,), (1, 1, 1000), (1, 384)])
def test_refuses_what_is_no_wave_or_too_short(shape):
    with pytest.raises(ValueError, match="LogMel"):
        LogMel()(torch.zeros(shape))
