"""What is scored: a system that gives speech back, perhaps by way of latents.

Evaluators know systems by this interface alone. Clips come as samples with wave and mel, and a
system takes whichever it works on; its outputs have both as well. Lengths are in mel frames F of
HOP samples at 22,050 Hz, whatever a system's own rates are.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from torch import Tensor

from analysis.batching import Sample
from dcvae import LogMel
from dcvae.audio.mel import FRAMES_PER_SECOND

Waves = list[Tensor]  # [F * HOP] each
Mels = list[Tensor]  # [M, F] each
Keep = Callable[[str, Callable[[], list[Tensor]]], list[Tensor]]  # "mel" or "wave", how made


class SystemFault(ValueError):
    """A system that cannot be had, or that breaks its protocol; the message names it."""


def compute(what: str, make: Callable[[], list[Tensor]]) -> list[Tensor]:
    """Keeps nothing."""
    return make()


class Outputs(ABC):
    """What a system makes of some clips, computed when asked for."""

    mels: Mels
    waves: Waves
    keep: Keep

    @abstractmethod
    def as_inputs(self, samples: Sequence[Sample]) -> list[Sample]:
        """The samples with what the system made of them, for another round trip."""

    @abstractmethod
    def one(self, number: int) -> "Outputs":
        """Those of a single clip."""


@dataclass
class MelOutputs(Outputs):
    """Of a system that makes mels, and waves of them with a vocoder."""

    make: Callable[[], Mels]
    vocode: Callable[[Mels], Waves]
    keep: Keep = compute

    @cached_property
    def mels(self) -> Mels:  # type: ignore[override]
        return self.keep("mel", self.make)

    @cached_property
    def waves(self) -> Waves:  # type: ignore[override]
        return self.keep("wave", lambda: self.vocode(self.mels))

    def as_inputs(self, samples: Sequence[Sample]) -> list[Sample]:
        """No vocoder lies between two trips: the wave, which is not encoded, stays as it was."""
        pairs = zip(samples, self.mels, strict=True)
        return [Sample(one.clip, one.wave, mel) for one, mel in pairs]

    def one(self, number: int) -> "MelOutputs":
        return MelOutputs(lambda: [self.mels[number]], self.vocode)


@dataclass
class WaveOutputs(Outputs):
    """Of a system that makes waves."""

    make: Callable[[], Waves]
    keep: Keep = compute

    @cached_property
    def waves(self) -> Waves:  # type: ignore[override]
        return self.keep("wave", self.make)

    @cached_property
    def mels(self) -> Mels:  # type: ignore[override]
        log_mel = LogMel()
        return [log_mel(wave[None])[0] for wave in self.waves]

    def as_inputs(self, samples: Sequence[Sample]) -> list[Sample]:
        pairs = zip(samples, self.waves, self.mels, strict=True)
        return [Sample(one.clip, wave, mel) for one, wave, mel in pairs]

    def one(self, number: int) -> "WaveOutputs":
        return WaveOutputs(lambda: [self.waves[number]])


@dataclass(frozen=True)
class Rates:
    """What a system sends for a second of speech; NaN or None where it does not apply."""

    sample_rate: int
    latent_rate: float | None = None  # latent frames a second
    dims: int | None = None  # floats a latent frame
    bits_per_second: float | None = None
    codebooks: int | None = None

    @property
    def floats_per_second(self) -> float | None:
        """Of continuous latents; a system that sends bits has none."""
        if self.latent_rate is None or self.dims is None or self.bits_per_second is not None:
            return None
        return self.latent_rate * self.dims

    def as_dict(self) -> dict[str, Any]:
        """What is known, floats a second included."""
        said = {**vars(self), "floats_per_second": self.floats_per_second}
        return {name: value for name, value in said.items() if value is not None}


class System(ABC):
    """One system under study."""

    rates: Rates
    identity: Mapping[str, Any]  # what its results depend on beside its settings, such as weights
    takes_any_speech = True  # False where its outputs exist already and no other can be made

    @abstractmethod
    def reconstruct(self, samples: Sequence[Sample]) -> Outputs:
        """Samples of one padded length, coded and decoded."""


class LatentSystem(System):
    """A system whose latents can be had, changed and decoded."""

    latent_shape: tuple[int, int]  # channels C and bins H
    compression: int | None = None  # mel frames a latent frame, where latents lie on the mel's grid

    @abstractmethod
    def encode(self, samples: Sequence[Sample], frames: int) -> Tensor:
        """Clean latents [B, C, H, L] on the CPU, of samples padded to so many mel frames."""

    @abstractmethod
    def decode_later(self, latents: Callable[[], Tensor], frames: Sequence[int]) -> Outputs:
        """`decode` of latents that are asked for once something is computed."""

    @abstractmethod
    def latent_frames(self, frames: int) -> int:
        """The latent frames of so many mel frames, of which the last may be filled up."""

    @abstractmethod
    def whole_latent_frames(self, frames: int) -> int:
        """The latent frames that lie within so many mel frames."""

    def decode(self, latents: Tensor, frames: Sequence[int]) -> Outputs:
        """Latents [B, C, H, L] to so many mel frames of each row."""
        return self.decode_later(lambda: latents, frames)

    @property
    def latent_rate(self) -> float:
        """Latent frames a second."""
        assert self.rates.latent_rate is not None
        return self.rates.latent_rate

    @property
    def frames_per_latent(self) -> float:
        """Mel frames a latent frame."""
        return self.compression or FRAMES_PER_SECOND / self.latent_rate

    def normalise(self, latents: Tensor) -> Tensor:
        """Latents as all are that the decoder knows: through the model's own norm, if any."""
        return latents

    def untrained(self) -> "LatentSystem | None":
        """The same architecture with random weights, the same each time; None where none is had."""
        return None

    @property
    def architecture(self) -> str:
        """The sizes, as the name of what depends on them and on no trained weights."""
        return ""

    def reconstruct(self, samples: Sequence[Sample]) -> Outputs:
        encoded = cache(lambda: self.encode(samples, samples[0].padded_frames))
        return self.decode_later(encoded, [sample.frames for sample in samples])
