"""Reading and writing audio, against scipy's resampler, soundfile's decoder and known tones."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from scipy.signal import resample_poly

from dcvae.audio import io as audio
from dcvae.audio.io import AudioError, probe_audio, read_audio, write_audio
from dcvae.audio.mel import SAMPLE_RATE

SPEECH = Path(__file__).parents[2] / "data" / "en_pm_invalid_option.flac"


def tone(rate: int, seconds: float, hertz: float = 440.0) -> np.ndarray:
    """A sine of half amplitude, float64 [T]."""
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)


@pytest.fixture(params=["torchcodec", "soundfile"])
def decoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both decoders in turn; the second as where FFmpeg is missing."""
    if request.param == "soundfile":
        monkeypatch.setattr(audio, "torchcodec_decoders", lambda: None)
    elif audio.decoder_name() != "torchcodec":
        pytest.skip("torchcodec cannot load here")
    return str(request.param)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 128000])
def test_a_tone_of_any_rate_arrives_as_the_same_tone(
    tmp_path: Path, decoder: str, rate: int
) -> None:
    soundfile.write(tmp_path / "tone.wav", tone(rate, 1.5), rate, subtype="FLOAT")
    wave = read_audio(tmp_path / "tone.wav").numpy()
    assert len(wave) == round(1.5 * SAMPLE_RATE)
    expected = tone(SAMPLE_RATE, 1.5)
    middle = slice(1000, -1000)  # a resampler rings at the cut ends
    assert np.abs(wave[middle] - expected[middle]).max() < 2e-4


def test_resampling_agrees_with_scipy_on_speech(decoder: str) -> None:
    original, rate = soundfile.read(SPEECH)
    expected = resample_poly(original, 441, 320, window=("kaiser", 12.0))
    wave = read_audio(SPEECH).numpy()
    assert rate == 16000
    assert abs(len(wave) - len(expected)) <= 1
    size = min(len(wave), len(expected))
    error = np.linalg.norm(wave[:size] - expected[:size]) / np.linalg.norm(expected)
    assert error < 0.02  # the two filters differ near 8 kHz alone


def test_stereo_becomes_the_mean_of_its_channels(tmp_path: Path, decoder: str) -> None:
    left, right = tone(22050, 0.5, 300.0), tone(22050, 0.5, 700.0)
    soundfile.write(tmp_path / "two.wav", np.stack([left, right], 1), 22050, subtype="FLOAT")
    wave = read_audio(tmp_path / "two.wav").numpy()
    assert np.abs(wave - (left + right) / 2).max() < 1e-6
    assert probe_audio(tmp_path / "two.wav").channels == 2


@pytest.mark.parametrize("rate", [16000, 22050, 44100, 48000, 22051])
@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_a_crop_equals_the_whole_file_s_samples(
    tmp_path: Path, decoder: str, rate: int, suffix: str
) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(rate * 3)
    path = tmp_path / f"noise.{suffix}"
    soundfile.write(path, noise, rate)
    whole = read_audio(path)
    for first, size in ((0, 5000), (1, 4097), (30001, 20000), (len(whole) - 3000, 3000)):
        crop = read_audio(path, start=first / SAMPLE_RATE, stop=(first + size) / SAMPLE_RATE)
        assert len(crop) == size
        torch.testing.assert_close(crop, whole[first : first + size], atol=2e-6, rtol=0)


def test_a_crop_deep_in_a_long_file_is_exact(tmp_path: Path, decoder: str) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(16000 * 25)
    soundfile.write(tmp_path / "long.flac", noise, 16000)
    crop = read_audio(tmp_path / "long.flac", 16000, start=20.0, stop=21.0).numpy()
    assert np.abs(crop - noise[320000:336000]).max() < 1 / 32768


def test_a_crop_past_the_end_is_shorter(decoder: str) -> None:
    whole = read_audio(SPEECH)
    crop = read_audio(SPEECH, start=3.0, stop=5.0)
    torch.testing.assert_close(crop, whole[round(3.0 * SAMPLE_RATE) :], atol=2e-6, rtol=0)
    with pytest.raises(AudioError, match="no audio from 9 s"):
        read_audio(SPEECH, start=9.0)


def test_probe_says_what_soundfile_says(decoder: str) -> None:
    info, expected = probe_audio(SPEECH), soundfile.info(SPEECH)
    assert info.duration == pytest.approx(expected.duration, abs=1e-9)
    assert (info.sample_rate, info.channels) == (expected.samplerate, expected.channels)
    assert info.peak == pytest.approx(np.abs(soundfile.read(SPEECH)[0]).max(), abs=1e-6)


def test_probe_counts_across_chunks(
    tmp_path: Path, decoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audio, "LONG", 0.7)
    for seconds in (0.5, 0.7, 1.4, 3.0):
        soundfile.write(tmp_path / "a.wav", tone(8000, seconds), 8000)
        assert probe_audio(tmp_path / "a.wav").duration == pytest.approx(seconds)


def test_a_file_cut_short_is_as_long_as_what_is_left(tmp_path: Path, decoder: str) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(22050 * 4)
    soundfile.write(tmp_path / "whole.wav", noise, 22050)
    content = (tmp_path / "whole.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(content[: len(content) // 2])
    assert probe_audio(tmp_path / "cut.wav").duration == pytest.approx(2.0, abs=0.01)


def test_short_and_silent_files_are_read_as_they_are(tmp_path: Path, decoder: str) -> None:
    soundfile.write(tmp_path / "quarter.wav", tone(22050, 0.25), 22050)
    assert len(read_audio(tmp_path / "quarter.wav")) == 5512
    soundfile.write(tmp_path / "silent.wav", np.zeros(22050), 22050)
    assert probe_audio(tmp_path / "silent.wav").peak == 0
    assert read_audio(tmp_path / "silent.wav").abs().max() == 0


@pytest.mark.parametrize("read", [read_audio, probe_audio])
def test_bad_files_give_one_line_that_names_them(tmp_path: Path, decoder: str, read) -> None:
    (tmp_path / "empty.wav").touch()
    (tmp_path / "corrupt.wav").write_bytes(b"no audio at all " * 100)
    (tmp_path / "corrupt.ogg").write_bytes(b"OggS" + b"x" * 1000)
    (tmp_path / "folder").mkdir()
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 22050)
    soundfile.write(tmp_path / "nan.wav", np.full(999, np.nan), 22050, subtype="FLOAT")
    reasons = {
        "missing.wav": "no such audio file",
        "empty.wav": "is empty",
        "corrupt.wav": "cannot be decoded",
        "corrupt.ogg": "cannot be decoded",
        "folder": "is a folder",
        "none.wav": "no(ne)?.*audio|cannot be decoded",
        "nan.wav": "not finite",
    }
    for name, reason in reasons.items():
        with pytest.raises(AudioError, match=reason) as caught:
            read(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)
        assert ".cpp" not in str(caught.value)


def test_written_audio_is_16_bit_mono_and_clipped(tmp_path: Path) -> None:
    wave = torch.tensor([[0.0, 0.5, -0.25, 3.0, -3.0]])
    write_audio(tmp_path / "new" / "a.wav", wave, 16000)
    info = soundfile.info(tmp_path / "new" / "a.wav")
    assert (info.subtype, info.samplerate, info.channels) == ("PCM_16", 16000, 1)
    written, _ = soundfile.read(tmp_path / "new" / "a.wav", dtype="int16")
    assert written.tolist() == [0, 16384, -8192, 32767, -32767]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_audio(tmp_path / "a.wav", torch.zeros(100))
    before = (tmp_path / "a.wav").read_bytes()
    with pytest.raises(AudioError, match="not finite"):
        write_audio(tmp_path / "a.wav", torch.tensor([float("nan")]))

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(OSError, match=r"a\.wav cannot be written: No space left"):
        write_audio(tmp_path / "a.wav", torch.ones(100))
    assert (tmp_path / "a.wav").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_without_ffmpeg_a_warning_says_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise RuntimeError("Could not load libtorchcodec")

    with monkeypatch.context() as patch:
        patch.setattr(audio.importlib, "import_module", absent)
        audio.torchcodec_decoders.cache_clear()
        with pytest.warns(UserWarning, match="install FFmpeg") as said:
            assert audio.decoder_name() == audio.decoder_name() == "soundfile"
        assert len(said) == 1
    audio.torchcodec_decoders.cache_clear()
