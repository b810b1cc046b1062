"""Audio files in and out: read, mono, resample, crop, write.

torchcodec (FFmpeg) decodes first. Where it cannot load, libsndfile does (WAV, FLAC, Ogg, MP3)
and a warning says so once. Both take the same path after decoding, so they agree.
"""

import importlib
import math
import os
import re
import threading
import warnings
import wave as wave_file
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dcvae.audio.checks import (
    AudioError,
    PathLike,
    check_rate,
    check_samples,
    existing_file,
)
from dcvae.audio.mel import SAMPLE_RATE
from dcvae.utils.files import replacing

MARGIN = 0.05  # seconds read beyond a crop, so that its resampled edges equal the whole file's
OVERSHOOT = 0.5  # seconds: a Vorbis page's time stamp can be off by less than this
SEEKABLE = (".wav", ".flac", ".ogg", ".oga", ".mp3")  # where libsndfile finds a sample soon
EXACT = ("WAV", "WAVEX", "FLAC", "OGG", "MP3")  # and exactly, but for Opus in Ogg
PREROLL = 0.3  # seconds decoded before a place in a lossy file: an MP3 frame builds on earlier ones
SEEK_FROM = 10.0  # seconds; before it, decoding from the start is as fast
SILENCE = threading.Lock()  # over the process's one stderr
LONG = 600.0  # seconds of a file held at once while probing
LONGEST_WAV = (2**32 - 64) // 2  # samples: the header counts bytes in 32 bits


@dataclass(frozen=True)
class AudioInfo:
    """What decoding found: seconds, Hz, channels, and the largest absolute sample."""

    duration: float
    sample_rate: int
    channels: int
    peak: float


@cache
def torchcodec_decoders() -> Any:
    """The torchcodec.decoders module, or None (said once) where FFmpeg's libraries are missing."""
    try:
        return importlib.import_module("torchcodec.decoders")
    except (ImportError, OSError, RuntimeError):
        warnings.warn(
            "torchcodec cannot load FFmpeg's libraries: audio is read with libsndfile, which knows"
            " WAV, FLAC, Ogg and MP3 only (install FFmpeg for the rest)",
            stacklevel=2,
        )
        return None


def decoder_name() -> str:
    """Which library decodes here: "torchcodec" or "soundfile"."""
    return "soundfile" if torchcodec_decoders() is None else "torchcodec"


def _first_sample(start: float, rate: int, target: int) -> int:
    """The last sample before `start` seconds at which the clocks of both rates agree."""
    period = rate // math.gcd(rate, target)
    return math.floor(start * rate) // period * period


def _decode_torchcodec(
    path: Path, start: float, stop: float | None, target: int
) -> tuple[Tensor, int, int]:
    """Samples [channels, T] from about `start` to `stop` seconds, their index, the file's rate.

    torchcodec decodes from the start of the file whichever range is asked for (so what libsndfile
    can read goes there once the range lies SEEK_FROM into it), and cuts by time
    stamps, which Ogg Vorbis has only once a page: a range in the middle came out displaced in 4%
    of our files. Counting samples from the start costs the same and is exact.
    """
    decoder = torchcodec_decoders().AudioDecoder(path)
    rate = decoder.metadata.sample_rate
    check_rate(path, rate)
    samples = decoder.get_samples_played_in_range(0.0, None if stop is None else stop + OVERSHOOT)
    first = _first_sample(start, rate, target)
    last = None if stop is None else math.ceil(stop * rate)
    return samples.data[:, first:last], first, rate


@contextmanager
def _silenced() -> Iterator[None]:
    """Keep quiet what C code says on stderr: mpg123 of each frame whose past it did not decode."""
    with SILENCE, open(os.devnull, "w") as nothing:
        kept = os.dup(2)
        try:
            os.dup2(nothing.fileno(), 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _decode_soundfile(
    path: Path, start: float, stop: float | None, target: int
) -> tuple[Tensor, int, int]:
    """The same through libsndfile, which seeks exactly: what comes is what decoding all gives."""
    soundfile = importlib.import_module("soundfile")
    with soundfile.SoundFile(path) as file:
        if file.subtype == "OPUS" and torchcodec_decoders() is not None:
            raise RuntimeError("Opus is decoded by FFmpeg")
        rate = file.samplerate
        check_rate(path, rate)
        first = min(_first_sample(start, rate, target), file.frames)
        last = file.frames if stop is None else min(math.ceil(stop * rate), file.frames)
        origin = 0
        if file.format in EXACT and file.subtype != "OPUS":  # where it was found to be exact
            origin = max(first - math.ceil(PREROLL * rate), 0)
        with _silenced() if origin and file.format == "MP3" else nullcontext():
            file.seek(origin)
            samples = file.read(max(last - origin, 0), dtype="float32", always_2d=True)
        samples = samples[first - origin :]
    return torch.from_numpy(np.ascontiguousarray(samples.T)), first, rate


def _decode(
    path: PathLike, start: float, stop: float | None, target: int = SAMPLE_RATE
) -> tuple[Tensor, int, int]:
    """Decode with the library that fits; every failure is an AudioError that names the file."""
    file = existing_file(path)
    decoders: list[Callable[..., tuple[Tensor, int, int]]] = [_decode_soundfile]
    if torchcodec_decoders() is not None:
        seek = start >= SEEK_FROM and file.suffix.lower() in SEEKABLE
        decoders = [_decode_soundfile, _decode_torchcodec] if seek else [_decode_torchcodec]
    try:
        for decode in decoders[:-1]:
            try:
                return decode(file, start, stop, target)
            except (RuntimeError, ImportError):  # torchcodec may know this kind of file
                continue
        return decoders[-1](file, start, stop, target)
    except AudioError:
        raise
    except (RuntimeError, ValueError, IndexError) as error:
        raise undecodable(file, error) from error


def undecodable(file: Path, error: Exception) -> AudioError:
    """A decoder's complaint as one line."""
    reason = re.sub(r"^\w+, \S+\.cpp:\d+, |\s+", " ", str(error)).replace(str(file), "it")
    reason = reason.strip().split(". ")[0].rstrip(".")[:120]
    hint = "" if decoder_name() == "torchcodec" else " without FFmpeg"
    return AudioError(f"{file} cannot be decoded as audio{hint} ({reason})")


def probe_audio(path: PathLike) -> AudioInfo:
    """Decode the whole file, LONG seconds at a time, and say what is in it; AudioError if nothing.

    The header is not believed: a file cut short still claims its full length there.
    """
    end, peak, channels, rate, begin = 0, 0.0, 0, 1, 0.0
    while begin == 0.0 or end >= math.floor(begin * rate):
        samples, first, rate = _decode(path, begin, begin + LONG)
        if samples.numel() == 0:
            break
        end, channels = first + samples.shape[1], samples.shape[0]
        check_samples(path, samples)
        peak = max(peak, float(samples.abs().max()))
        begin += LONG
    if end == 0:
        raise AudioError(f"{path} holds no audio")
    return AudioInfo(end / rate, rate, channels, peak)


def read_audio(
    path: PathLike, sample_rate: int = SAMPLE_RATE, start: float = 0.0, stop: float | None = None
) -> Tensor:
    """Mono float32 wave [T] at `sample_rate` from `start` to `stop` seconds of the file.

    T = round(stop * sample_rate) - round(start * sample_rate), less where the file ends earlier.
    A crop equals the same samples of the whole file to 1e-6. Channels are averaged. AudioError
    when the file cannot be decoded or has nothing in that range.
    """
    if start < 0 or (stop is not None and stop <= start):
        raise ValueError(f"{path}: the range {start} to {stop} seconds holds nothing")
    samples, first, rate = _decode(
        path, max(start - MARGIN, 0.0), None if stop is None else stop + MARGIN, sample_rate
    )
    wave = samples.mean(0)  # [T] at the file's rate
    if rate != sample_rate and wave.numel() > 0:
        soxr = importlib.import_module("soxr")
        wave = torch.from_numpy(soxr.resample(wave.numpy(), rate, sample_rate))
    origin = first * sample_rate // rate  # whole: both clocks agree at `first`
    begin = round(start * sample_rate) - origin
    wave = wave[begin : None if stop is None else round(stop * sample_rate) - origin]
    if wave.numel() == 0:
        raise AudioError(f"{path} holds no audio from {start:g} s on")
    check_samples(path, wave)
    return wave.contiguous()


def write_audio(
    path: PathLike, wave: Tensor | Iterable[Tensor], sample_rate: int = SAMPLE_RATE
) -> None:
    """Write a wave [T] or [1, T] as 16-bit mono WAV, whole or not at all; clips at +-1.

    A wave too long for the memory comes as blocks, which are written as they come.
    """
    blocks = [wave] if isinstance(wave, Tensor) else wave
    with (
        replacing(path) as temporary,
        temporary.open("wb") as opened,  # here, as wave's own opening bears no Ctrl-C
        wave_file.open(opened, "wb") as file,
    ):
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        written = 0
        for block in blocks:
            samples = to_int16(path, block)
            written += len(samples)
            if written > LONGEST_WAV:
                raise AudioError(f"{path} is not written: a WAV file holds no more than 4 GiB")
            file.writeframes(samples.tobytes())


def to_int16(path: PathLike, wave: Tensor) -> np.ndarray:
    """A wave [T] or [1, T] as little-endian 16-bit integers."""
    mono = wave.detach().float().cpu()
    mono = mono.squeeze(0) if mono.ndim == 2 else mono
    if mono.ndim != 1:
        raise ValueError(f"{path}: a wave has shape [T] or [1, T], not {list(wave.shape)}")
    if not bool(torch.isfinite(mono).all()):
        raise AudioError(f"{path} is not written: the wave holds samples that are not finite")
    return (mono.clamp(-1.0, 1.0) * 32767).round().to(torch.int16).numpy().astype("<i2")
