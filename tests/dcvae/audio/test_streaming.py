"""Block by block against the whole, on real speech."""

import itertools
import math
import subprocess

import numpy as np
import pytest
import soundfile
import soxr
import torch

from dcvae.audio import io as audio
from dcvae.audio import streaming
from dcvae.audio.io import AudioError, decoder_name, read_audio
from dcvae.audio.streaming import Speech, cut, padded, resampled

EPS = float(np.finfo(np.float32).eps)


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(streaming, "BLOCK", 0.5)
    monkeypatch.setattr(streaming, "DECODED_AGAIN", 1.0)


@pytest.fixture
def stereo(tmp_path, clips):
    """Six channels of one clip, at levels that differ, and their mean."""
    wave, rate = soundfile.read(clips[0].path, dtype="float32")
    channels = wave[:, None] * np.linspace(0.1, 1.0, 6, dtype="float32")
    soundfile.write(tmp_path / "six.wav", channels, rate, subtype="FLOAT")
    return tmp_path / "six.wav", channels.mean(1), rate


def test_blocks_joined_are_the_mono_file(small_blocks, stereo):
    path, mean, rate = stereo
    speech = Speech(path)
    blocks = list(speech)
    assert len(blocks) > 2
    assert speech.sample_rate == rate
    assert speech.samples == len(mean)
    # six terms of one sign and a quotient, in float32 and in any order
    np.testing.assert_allclose(torch.cat(blocks).numpy(), mean, rtol=4 * EPS)


@pytest.mark.skipif(decoder_name() != "torchcodec", reason="only FFmpeg knows AAC")
def test_what_libsndfile_does_not_know_goes_through_ffmpeg(small_blocks, tmp_path, clips):
    path = tmp_path / "clip.m4a"
    made = subprocess.run(["ffmpeg", "-loglevel", "error", "-i", clips[0].path, path], check=False)
    if made.returncode:
        pytest.skip("no ffmpeg command to write AAC with")
    speech = Speech(path)
    joined = torch.cat(list(speech))
    torch.testing.assert_close(joined, read_audio(path, speech.sample_rate), atol=1e-6, rtol=0)
    assert speech.samples == len(joined)


@pytest.mark.parametrize("rates", [(16000, 22050), (22050, 192000), (48000, 22050), (8000, 8000)])
@pytest.mark.parametrize("channels", [1, 3])
def test_resampling_in_blocks_is_resampling(rates, channels):
    signal = torch.randn(channels, 30000)
    joined = torch.cat(list(resampled(signal.split(7001, 1), *rates)), 1)
    whole = np.stack([soxr.resample(one.numpy(), *rates) for one in signal])
    # its filters are long sums, or FFTs of a block: eps log2(N) of the largest sample
    off = EPS * math.log2(signal.shape[1]) * float(signal.abs().max())
    np.testing.assert_allclose(joined.numpy(), whole, rtol=0, atol=off)


def test_padded_fills_the_last_unit_with_zeros():
    blocks = [torch.ones(2, 7), torch.ones(2, 4)]
    joined = torch.cat(list(padded(blocks, 8)), 1)
    assert joined.tolist() == [[1.0] * 11 + [0.0] * 5] * 2
    assert len(list(padded([torch.ones(1, 16)], 8))) == 1


def test_cut_gives_exactly_so_many():
    signal = torch.arange(20.0)[None]
    for wanted in (1, 6, 7, 20):
        pieces = list(cut(signal.split(7, 1), lambda n=wanted: n))
        assert torch.equal(torch.cat(pieces, 1), signal[:, :wanted])
    short = torch.cat(list(cut([signal], lambda: 22)), 1)
    assert short[0, -3:].tolist() == [19.0, 0.0, 0.0]


def test_cut_follows_a_length_that_is_still_counted():
    """As with a file that is being read: two samples more are known at each block."""
    counted = itertools.count(2, 2)
    known = 0

    def blocks():
        nonlocal known
        for block in torch.arange(12.0)[None].split(2, 1):
            known = min(next(counted), 9)
            yield block

    assert torch.cat(list(cut(blocks(), lambda: known)), 1)[0].tolist() == list(range(9))


def write(path, samples, **options):
    soundfile.write(path, samples, 22050, subtype="FLOAT", **options)
    return path


def test_bad_files_are_one_line_that_names_them(small_blocks, tmp_path):
    late = np.zeros(22050, "float32")
    late[20000] = np.nan
    (tmp_path / "text.wav").write_text("this is no audio at all")
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "empty.wav").touch()
    write(tmp_path / "none.wav", np.zeros(0, "float32"))
    write(tmp_path / "silent.wav", np.zeros(22050, "float32"))
    write(tmp_path / "late.wav", late)
    for name, words in {
        "missing.wav": "no such audio file",
        "text.wav": "cannot be decoded",
        "folder.wav": "is a folder",
        "empty.wav": "0 bytes",
        "none.wav": "holds no audio",
        "silent.wav": "silent",
        "late.wav": "not finite",
    }.items():
        with pytest.raises(AudioError, match=words) as told:
            list(Speech(tmp_path / name))
        assert name in str(told.value)
        assert "\n" not in str(told.value)


def test_without_ffmpeg_an_unknown_file_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(streaming, "torchcodec_decoders", lambda: None)
    monkeypatch.setattr(audio, "torchcodec_decoders", lambda: None)
    (tmp_path / "a.m4a").write_bytes(b"\x00\x00\x00\x20ftypM4A " + bytes(100))
    with pytest.raises(AudioError, match="without FFmpeg"):
        Speech(tmp_path / "a.m4a")
