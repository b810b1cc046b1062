"""Anyone's codec as a system: rates, lengths and latents by hand, and what breaks the protocol."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from analysis.batching import Sample
from analysis.systems.codec import CodecSystem, WaveCodecSystem, at_rate, wrap
from analysis.systems.system import SystemFault
from dcvae import LogMel
from dcvae.audio.mel import HOP
from dcvae.data.manifest import Clip

FRAME = 320  # samples of a latent frame
DIMS = 161


class Spectra:
    """A lossless codec: the spectrum of each frame of 20 ms, real and imaginary part."""

    name = "spectra"
    sample_rate = 16_000

    def encode(self, wave: Tensor) -> Tensor:
        frames = -(-len(wave) // FRAME)
        padded = torch.nn.functional.pad(wave, (0, frames * FRAME - len(wave)))
        spectrum = torch.fft.rfft(padded.view(frames, FRAME), norm="ortho")
        return torch.cat([spectrum.real, spectrum.imag], 1).T

    def decode(self, latents: Tensor) -> Tensor:
        real, imaginary = latents.T[:, :DIMS], latents.T[:, DIMS:]
        return torch.fft.irfft(torch.complex(real, imaginary), n=FRAME, norm="ortho").flatten()


class Echo:
    """A codec without latents that gives back what it takes."""

    name = "echo"

    def __init__(self, sample_rate: int = 22_050) -> None:
        self.sample_rate = sample_rate

    def reconstruct(self, wave: Tensor) -> Tensor:
        return wave


def sample(frames: int, seed: int = 0) -> Sample:
    """Smooth noise, so that a lower sample rate loses little of it."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(frames * HOP, generator=generator)
    smooth = torch.nn.functional.avg_pool1d(noise[None], 9, 1, 4)[0] / 5
    clip = Clip(Path(f"/clips/{frames}-{seed}.wav"), len(smooth) / 22_050, 22_050)
    return Sample(clip, smooth, LogMel()(smooth[None])[0])


def test_a_codec_at_the_suites_own_rate_gives_back_its_wave() -> None:
    samples = [sample(90), sample(100)]
    outputs = wrap(Echo(), {}).reconstruct(samples)
    for one, wave, mel in zip(samples, outputs.waves, outputs.mels, strict=True):
        assert torch.equal(wave, one.wave)
        assert torch.equal(mel, one.mel)


def test_latents_are_those_of_the_wave_at_the_codecs_rate() -> None:
    system = wrap(Spectra(), {"weights": "none"})
    assert isinstance(system, CodecSystem)
    assert system.identity == {"weights": "none"}
    assert system.latent_shape == (2 * DIMS, 1)
    assert system.latent_rate == pytest.approx(50, rel=1e-6)
    samples = [sample(90), sample(100)]
    latents = system.encode(samples, 128)
    for number, one in enumerate(samples):
        expected = Spectra().encode(at_rate(one.wave, 22_050, 16_000))
        assert system.latent_frames(one.frames) == expected.shape[1]
        assert torch.equal(latents[number, :, 0, : expected.shape[1]], expected)
        assert not latents[number, :, 0, expected.shape[1] :].any()


def test_each_clip_is_decoded_without_the_others_padding() -> None:
    system = wrap(Spectra(), {})
    samples = [sample(90), sample(100)]
    together = system.reconstruct(samples)
    for number, one in enumerate(samples):
        alone = system.reconstruct([one])
        assert torch.equal(alone.waves[0], together.waves[number])
        assert torch.equal(together.one(number).waves[0], together.waves[number])
        error = (together.waves[number] - one.wave)[HOP:-HOP].square().mean()
        assert error < 0.02 * one.wave.square().mean()  # above 8 kHz there is a little


def test_changed_latents_are_decoded() -> None:
    """Half the spectrum is half the wave."""
    system = wrap(Spectra(), {})
    one = sample(90)
    latents = system.encode([one], 128)
    whole, half = (system.decode(scale * latents, [90]).waves[0] for scale in (1, 0.5))
    torch.testing.assert_close(half, whole / 2, atol=1e-6, rtol=1e-5)


def test_so_many_latents_lie_within_a_stretch_that_was_never_encoded() -> None:
    system = wrap(Spectra(), {})
    for frames in (64, 128, 161):
        assert system.whole_latent_frames(frames) == math.floor(frames * HOP / 22_050 * 50)
        assert system.latent_frames(frames) == system.whole_latent_frames(frames)
    latents = torch.zeros(1, 2 * DIMS, 1, system.whole_latent_frames(128))
    assert system.decode(latents, [128]).waves[0].shape == (128 * HOP,)


def test_what_a_codec_says_of_itself_is_kept() -> None:
    codec = Echo(16_000)
    codec.bits_per_second, codec.codebooks = 6000, 8
    rates = wrap(codec, {}).rates
    assert (rates.sample_rate, rates.bits_per_second, rates.codebooks) == (16_000, 6000, 8)
    assert rates.floats_per_second is None
    spectra = wrap(Spectra(), {}).rates
    assert spectra.floats_per_second == pytest.approx(2 * DIMS * 50, rel=1e-6)


class Faulty(Echo):
    """An echo that spoils what it gives."""

    def __init__(self, spoil) -> None:
        super().__init__(16_000)
        self.name, self.spoil = "faulty", spoil

    def reconstruct(self, wave: Tensor) -> Tensor:
        return self.spoil(wave)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda wave: wave[:-7], "gives 15993 samples for 16000"),
        (lambda wave: wave * math.nan, "holds NaN or infinity"),
        (lambda wave: wave[None], r"must be a tensor \[T\], not \[1, 16000\]"),
        (lambda wave: wave.numpy(), "not ndarray"),
        (lambda wave: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_a_broken_codec_is_named_before_anything_is_scored(spoil, reason: str) -> None:
    with pytest.raises(SystemFault, match=f"faulty.*{reason}"):
        wrap(Faulty(spoil), {})


class Growing(Spectra):
    """Latents whose dims depend on the length."""

    def encode(self, wave: Tensor) -> Tensor:
        return torch.zeros(len(wave) // 8000, len(wave) // FRAME)


class Short(Spectra):
    """A decoder that loses a tenth of a second."""

    def decode(self, latents: Tensor) -> Tensor:
        return super().decode(latents)[:-1600]


@pytest.mark.parametrize(
    ("codec", "reason"),
    [
        (object(), "must have `name` and `sample_rate`"),
        (type("Silent", (), {"name": "n", "sample_rate": 8000})(), "neither encode and decode"),
        (type("Odd", (Echo,), {})(-1), "a sample rate is a positive number"),
        (Short(), "gives 14400 samples where 16000 were encoded"),
    ],
)
def test_what_is_no_codec_is_refused(codec: object, reason: str) -> None:
    with pytest.raises(SystemFault, match=reason):
        wrap(codec, {})


def test_dims_that_change_are_refused() -> None:
    codec = Growing()
    codec.decode = lambda latents: torch.zeros(latents.shape[1] * FRAME)  # type: ignore[method-assign]
    system = wrap(codec, {})
    with pytest.raises(SystemFault, match="latents of 4 dims after some of 2"):
        system.encode([sample(173)], 192)


def test_a_wave_system_has_no_latents() -> None:
    assert isinstance(wrap(Echo(), {}), WaveCodecSystem)
