"""A codec of anyone's as a system: one wave in, latents or a wave out, at its own sample rate.

    class MyCodec:
        name = "my codec"
        sample_rate = 24_000  # Hz, of the waves that it takes and gives

        def encode(self, wave):  # [T] -> latents [D, L]
        def decode(self, latents):  # [D, L] -> wave [T or more]

or, without latents, `reconstruct(wave)`, [T] -> [T]. It may also say `latent_rate` (latent frames
a second; else it is measured), `bits_per_second` and `codebooks` (of a codec whose latents are
embedded codes), and `identity`, a text that changes with whatever changes its outputs beside its
module's file and its options: a digest of its weights, or a library's version.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, TypeGuard, runtime_checkable

import torch
from torch import Tensor
from torch.nn import functional

from analysis.batching import Sample
from analysis.systems.system import LatentSystem, Rates, System, SystemFault, WaveOutputs
from dcvae.audio.mel import FRAMES_PER_SECOND, HOP, SAMPLE_RATE
from dcvae.audio.streaming import resampled
from dcvae.utils.errors import one_line

RATE_SECONDS = (8, 24)  # between which latent frames are counted, where no rate is told


@runtime_checkable
class SpeechCodec(Protocol):
    """What every codec has; see the module's docstring for what it has beside it."""

    name: str
    sample_rate: int


class WaveCodec(SpeechCodec, Protocol):
    """A codec whose latents are not had."""

    def reconstruct(self, wave: Tensor) -> Tensor: ...


class LatentCodec(SpeechCodec, Protocol):
    """A codec with latents."""

    def encode(self, wave: Tensor) -> Tensor: ...

    def decode(self, latents: Tensor) -> Tensor: ...


def has_latents(codec: SpeechCodec) -> TypeGuard[LatentCodec]:
    return callable(getattr(codec, "encode", None)) and callable(getattr(codec, "decode", None))


def is_wave_codec(codec: SpeechCodec) -> TypeGuard[WaveCodec]:
    return callable(getattr(codec, "reconstruct", None))


def wrap(codec: object, identity: Mapping[str, Any]) -> System:
    """A codec as a system, tried on a second of noise; SystemFault where it breaks the protocol."""
    name = getattr(codec, "name", None) or type(codec).__name__
    if not isinstance(codec, SpeechCodec):
        raise SystemFault(f"{name} is no codec: it must have `name` and `sample_rate`")
    if not isinstance(codec.sample_rate, int) or codec.sample_rate <= 0:
        raise SystemFault(f"{name}: a sample rate is a positive number, not {codec.sample_rate!r}")
    system: CodecSystem | WaveCodecSystem
    if has_latents(codec):
        system = CodecSystem(codec)
    elif is_wave_codec(codec):
        system = WaveCodecSystem(codec)
    else:
        raise SystemFault(f"{name} is no codec: it has neither encode and decode nor reconstruct")
    system.identity = identity
    return system


def at_rate(wave: Tensor, source: int, target: int) -> Tensor:
    """A wave [T] at another sample rate."""
    return torch.cat(list(resampled([wave[None]], source, target)), -1)[0]


def checked(name: str, what: str, values: Any, dims: int) -> Tensor:
    """What a codec gave, in float32 on the CPU; SystemFault where it is not so or not finite."""
    if not isinstance(values, Tensor) or values.ndim != dims or not values.numel():
        shape = list(values.shape) if isinstance(values, Tensor) else type(values).__name__
        wanted = "[T]" if dims == 1 else "[D, L]"
        raise SystemFault(f"{name}: {what} must be a tensor {wanted}, not {shape}")
    values = values.detach().float().cpu()
    if not bool(torch.isfinite(values).all()):
        raise SystemFault(f"{name}: {what} holds NaN or infinity")
    return values


@torch.no_grad()
def called(name: str, function: Callable[[Tensor], Any], values: Tensor) -> Any:
    """What a codec gives; whatever it raises becomes one line that names it."""
    try:
        return function(values)
    except SystemFault:
        raise
    except Exception as error:  # a codec is anyone's code
        reason = one_line(error)
        raise SystemFault(f"{name}: {type(error).__name__}: {reason}") from error


class WaveCodecSystem(System):
    """A codec that gives a wave for a wave."""

    def __init__(self, codec: WaveCodec) -> None:
        self.codec = codec
        self.rates = rates_of(codec)
        trial = torch.randn(SAMPLE_RATE, generator=torch.Generator().manual_seed(0)) / 10
        self.output(trial)

    def reconstruct(self, samples: Sequence[Sample]) -> WaveOutputs:
        return WaveOutputs(lambda: [self.output(sample.wave) for sample in samples])

    def output(self, wave: Tensor) -> Tensor:
        """A wave [T] at 22,050 Hz, coded and decoded: as many samples."""
        codec = self.codec
        taken = at_rate(wave, SAMPLE_RATE, codec.sample_rate)
        given = called(codec.name, codec.reconstruct, taken)
        given = checked(codec.name, "its output", given, 1)
        if len(given) != len(taken):
            raise SystemFault(f"{codec.name} gives {len(given)} samples for {len(taken)}")
        return fit(at_rate(given, codec.sample_rate, SAMPLE_RATE), len(wave))


class CodecSystem(LatentSystem):
    """A codec with latents [D, L], which stand as D channels of one bin."""

    def __init__(self, codec: LatentCodec) -> None:
        self.codec = codec
        trial = torch.randn(codec.sample_rate, generator=torch.Generator().manual_seed(0)) / 10
        latents = self.encode_wave(trial)
        self.latent_shape = len(latents), 1
        rate = getattr(codec, "latent_rate", None) or self.measured_rate()
        self.rates = rates_of(codec, float(rate), len(latents))
        self.decode_wave(latents, len(trial))
        self.lengths: dict[int, int] = {}  # latent frames by mel frames, once encoded

    def measured_rate(self) -> float:
        """Latent frames a second: what so many seconds more have more, whatever the ends add."""
        short, long = (
            self.encode_wave(torch.full((seconds * self.codec.sample_rate,), 1e-4)).shape[1]
            for seconds in RATE_SECONDS
        )
        return (long - short) / (RATE_SECONDS[1] - RATE_SECONDS[0])

    def encode(self, samples: Sequence[Sample], frames: int) -> Tensor:
        """Each wave by itself, without padding; the latents are filled up with zeros."""
        found = []
        for sample in samples:
            wave = at_rate(sample.wave, SAMPLE_RATE, self.codec.sample_rate)
            latents = self.encode_wave(wave)
            if len(latents) != self.latent_shape[0]:
                raise SystemFault(
                    f"{self.codec.name} gives latents of {len(latents)} dims after some of"
                    f" {self.latent_shape[0]}"
                )
            self.lengths[sample.frames] = latents.shape[1]
            found.append(latents)
        longest = max(latents.shape[1] for latents in found)
        return torch.stack(
            [functional.pad(one, (0, longest - one.shape[1]))[:, None] for one in found]
        )

    def decode_later(self, latents: Callable[[], Tensor], frames: Sequence[int]) -> WaveOutputs:
        return WaveOutputs(partial(self.decode_all, latents, frames))

    def decode_all(self, latents: Callable[[], Tensor], frames: Sequence[int]) -> list[Tensor]:
        """Each row by itself, without the padding."""
        pairs = zip(latents(), frames, strict=True)
        return [self.output(row[:, 0], count) for row, count in pairs]

    def output(self, latents: Tensor, frames: int) -> Tensor:
        """Latents [D, padded L] to a wave of so many mel frames at 22,050 Hz."""
        rate, samples = self.codec.sample_rate, frames * HOP
        own = latents[:, : self.latent_frames(frames)]
        wave = self.decode_wave(own, round(samples * rate / SAMPLE_RATE))
        return fit(at_rate(wave, rate, SAMPLE_RATE), samples)

    def latent_frames(self, frames: int) -> int:
        """As encoding gave them; of a length that was not encoded, those that lie within it."""
        return self.lengths.get(frames) or self.whole_latent_frames(frames)

    def whole_latent_frames(self, frames: int) -> int:
        return max(1, math.floor(frames / FRAMES_PER_SECOND * self.latent_rate + 1e-6))

    def encode_wave(self, wave: Tensor) -> Tensor:
        """A wave [T] at the codec's rate to latents [D, L]."""
        latents = called(self.codec.name, self.codec.encode, wave)
        return checked(self.codec.name, "what it encodes", latents, 2)

    def decode_wave(self, latents: Tensor, samples: int) -> Tensor:
        """Latents [D, L] to a wave of so many samples at the codec's rate.

        SystemFault where the codec gives fewer or more, by more than two latent frames.
        """
        wave = called(self.codec.name, self.codec.decode, latents)
        wave = checked(self.codec.name, "its output", wave, 1)
        frame = self.codec.sample_rate / self.latent_rate
        if abs(len(wave) - samples) > 2 * frame:
            raise SystemFault(
                f"{self.codec.name} gives {len(wave)} samples where {samples} were encoded"
            )
        return fit(wave, samples)


def rates_of(
    codec: SpeechCodec, latent_rate: float | None = None, dims: int | None = None
) -> Rates:
    """What a codec says of itself, beside what was measured."""
    bits, books = getattr(codec, "bits_per_second", None), getattr(codec, "codebooks", None)
    said = latent_rate or getattr(codec, "latent_rate", None)
    return Rates(codec.sample_rate, said, dims, bits, books)


def fit(wave: Tensor, samples: int) -> Tensor:
    """A wave [T] cut to so many samples, or filled up with zeros."""
    return functional.pad(wave[:samples], (0, max(0, samples - len(wave))))
