"""FFmpeg's codecs on real clips, against FFmpeg and the metrics' libraries called by hand."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import torch
from pesq import pesq
from pystoi import stoi

from analysis.systems import ffmpeg
from analysis.systems.codec import wrap
from analysis.systems.ffmpeg import ENCODERS, encoders, load_ffmpeg_codec
from analysis.systems.system import SystemFault
from dcvae.audio.io import read_audio
from dcvae.audio.mel import SAMPLE_RATE
from dcvae.data.manifest import read_manifest

DATA = Path(__file__).parents[2] / "data" / "manifest.csv"
LATE = {"speex": 0.0143, "g722": 0.0012}  # seconds, as correlation of envelopes finds by ear's rate
BY_HAND = {
    "opus@6k": (24_000, "ogg", ["-c:a", "libopus", "-b:a", "6k"]),
    "gsm": (8_000, "gsm", ["-c:a", "libgsm"]),
    "g722": (16_000, "g722", ["-c:a", "g722"]),
    "speex": (16_000, "ogg", ["-c:a", "libspeex"]),
}


def code_by_hand(wave: np.ndarray, spec: str, folder: Path) -> np.ndarray:
    """A wave at 22,050 Hz through files, and back."""
    rate, suffix, options = BY_HAND[spec]
    before, packed, after = folder / "in.wav", folder / f"coded.{suffix}", folder / "out.wav"
    soundfile.write(before, soxr.resample(wave, SAMPLE_RATE, rate), rate, subtype="FLOAT")
    quiet = ["ffmpeg", "-y", "-loglevel", "error", "-i"]
    subprocess.run([*quiet, before, *options, packed], check=True)
    subprocess.run([*quiet, packed, "-ar", str(rate), "-c:a", "pcm_f32le", after], check=True)
    output = soundfile.read(after, dtype="float32")[0][round(LATE.get(spec, 0) * rate) :]
    found = soxr.resample(output, rate, SAMPLE_RATE)[: len(wave)]
    return np.pad(found, (0, len(wave) - len(found)))


@pytest.mark.parametrize("spec", BY_HAND)
@pytest.mark.slow
def test_scores_are_those_of_ffmpeg_and_the_libraries_by_hand(spec: str, tmp_path: Path) -> None:
    system = wrap(load_ffmpeg_codec(spec), {})
    for clip in list(read_manifest(DATA))[:3]:
        wave = read_audio(clip.path).numpy()
        ours = system.output(torch.from_numpy(wave)).numpy()
        theirs = code_by_hand(wave, spec, tmp_path)
        pair = [soxr.resample(one, SAMPLE_RATE, 16_000) for one in (wave, ours, theirs)]
        scores = [pesq(16_000, pair[0], one, "wb") for one in pair[1:]]
        assert scores[0] == pytest.approx(scores[1], abs=0.05)
        heard = [stoi(wave, one, SAMPLE_RATE) for one in (ours, theirs)]
        assert heard[0] == pytest.approx(heard[1], abs=0.01)


@pytest.mark.parametrize("spec", ["opus@12k", "codec2@3200", "speex", "gsm", "g722"])
def test_as_many_samples_come_back_at_any_length(spec: str) -> None:
    codec = load_ffmpeg_codec(spec)
    for samples in (1, 399, 8_000, 12_345):
        wave = torch.sin(torch.arange(samples) / 20) / 3
        assert codec.reconstruct(wave).shape == wave.shape


def test_delays_are_those_of_the_codecs() -> None:
    """Opus' container tells its own; GSM has none; Speex looks ahead, as G.722's filters do."""
    late = {spec: load_ffmpeg_codec(spec) for spec in ("opus@12k", "gsm", "speex", "g722")}
    seconds = {spec: codec.delay / codec.sample_rate for spec, codec in late.items()}
    assert seconds["opus@12k"] == seconds["gsm"] == 0
    assert seconds["speex"] == pytest.approx(LATE["speex"], abs=0.001)
    assert seconds["g722"] == pytest.approx(LATE["g722"], abs=0.0005)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("amr", "no codec 'amr', choose from opus"),
        ("opus@loud", "a bit rate reads 1300 or 6k, not 'loud'"),
        ("codec2@1000", "codec2 has the bit rates 700, 1200"),
        ("gsm@6k", "gsm has one bit rate, 13000"),
    ],
)
def test_what_there_is_not_is_told(spec: str, reason: str) -> None:
    with pytest.raises(SystemFault, match=f"ffmpeg:{spec}: {reason}"):
        load_ffmpeg_codec(spec)


def test_an_encoder_that_is_lacking_is_named(monkeypatch) -> None:
    have = encoders() - {"libopus"}
    monkeypatch.setattr(ffmpeg, "encoders", lambda: have)
    with pytest.raises(SystemFault, match="lacks the encoder libopus; of these it has codec2"):
        load_ffmpeg_codec("opus@6k")


def test_no_ffmpeg_is_told(monkeypatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SystemFault, match="the program ffmpeg is not installed"):
        ffmpeg.run(["-version"], b"", "opus@6k")


def test_every_encoder_is_one_that_debians_ffmpeg_has() -> None:
    assert {one.encoder for one in ENCODERS.values()} <= encoders()
