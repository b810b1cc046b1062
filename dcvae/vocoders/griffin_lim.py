"""Fast Griffin-Lim for the mel front end of dcvae.audio.mel: a vocoder without weights."""

import math

import torch
from torch import Tensor, nn

from dcvae.audio.mel import HOP, N_FFT, SILENCE, mel_filters
from dcvae.utils.threads import torch_threads
from dcvae.vocoders.checks import check_mel

OVERLAP = N_FFT // HOP  # frames over each sample
PADDING = (N_FFT - HOP) // 2  # samples that the front end adds at either end
LOUDEST = math.log(N_FFT)  # above any log-mel that a wave within +-1 can have
TINY = 1e-12  # keeps 0 / 0 at 0; far below the magnitude of a 24-bit step
FRAMES_AT_ONCE = 1024  # on a CPU: more leave its caches and take up to twice as long


class GriffinLim(nn.Module):
    """Log-mel [B, M, F] to wave [B, F * HOP] at 22,050 Hz, aligned with the wave it came from.

    Magnitudes by non-negative factorisation under the Kullback-Leibler divergence
    (multiplicative updates, Lee and Seung, 2001); phases by the accelerated Griffin-Lim
    algorithm (Perraudin, Balazs and Sondergaard, 2013), started from stationary sinusoids.
    Nothing is drawn at random. A clip's wave depends on its own mel alone, not on its batch.
    """

    filters: Tensor
    window: Tensor

    def __init__(
        self, iterations: int = 64, magnitude_iterations: int = 20, momentum: float = 0.99
    ) -> None:
        super().__init__()
        if iterations < 0 or magnitude_iterations < 0:
            raise ValueError(
                "griffin_lim needs iterations and magnitude_iterations of 0 or more,"
                f" not {iterations} and {magnitude_iterations}"
            )
        if not 0 <= momentum < 1:
            raise ValueError(f"griffin_lim needs 0 <= momentum < 1, not {momentum}")
        self.iterations = iterations
        self.magnitude_iterations = magnitude_iterations
        self.momentum = momentum
        self.register_buffer("filters", mel_filters(), persistent=False)
        self.register_buffer("window", torch.hann_window(N_FFT), persistent=False)

    @property
    def context(self) -> int:
        """Each iteration hears OVERLAP - 1 frames further; starting phases repeat every OVERLAP."""
        return (self.iterations + 1) * OVERLAP

    @torch.no_grad()
    def forward(self, mel: Tensor) -> Tensor:
        check_mel(mel, "griffin_lim")
        at_once = FRAMES_AT_ONCE // mel.shape[2] if mel.device.type == "cpu" else len(mel)
        with torch.autocast(mel.device.type, enabled=False), torch_threads(1):
            waves = [
                self._waves(part.to(self.filters.dtype)) for part in mel.split(max(1, at_once))
            ]
        return torch.cat(waves)

    def _waves(self, mel: Tensor) -> Tensor:
        padded = find_phase(self.magnitude(mel), self.window, self.iterations, self.momentum)
        return padded[:, PADDING:-PADDING]

    def magnitude(self, mel: Tensor) -> Tensor:
        """Log-mel [B, M, F] to magnitudes [B, F, K] that are non-negative and explain it.

        The start spreads each band evenly over its bins; a bin in no band stays 0.
        """
        # The floor stands for anything below it: silence, but for a rounding error.
        level = torch.where(mel < SILENCE + 1e-4, -math.inf, mel.clamp(max=LOUDEST))
        target = level.exp().transpose(1, 2).contiguous()  # [B, F, M]
        to_mel = self.filters.T.contiguous()  # [K, M]
        share = self.filters / self.filters.sum(0).clamp(min=TINY)  # of a bin in each band
        estimate = (target / self.filters.sum(1)) @ share
        for _ in range(self.magnitude_iterations):
            estimate = estimate * ((target / (estimate @ to_mel).clamp(min=TINY)) @ share)
        return estimate


def find_phase(magnitude: Tensor, window: Tensor, iterations: int, momentum: float) -> Tensor:
    """Magnitudes [B, F, K] to a wave [B, F * HOP + 2 * PADDING] with nearly that spectrum.

    The mel's reflected ends are part of the wave that is sought, so no frame is special.
    """
    envelope = overlap_add(window.square().expand(1, magnitude.shape[1], -1)).clamp(min=1e-6)

    def to_wave(spectrum: Tensor) -> Tensor:
        return overlap_add(torch.fft.irfft(spectrum, N_FFT) * window) / envelope

    bins = torch.arange(magnitude.shape[2], device=magnitude.device)
    frames = torch.arange(magnitude.shape[1], device=magnitude.device)
    whole = (frames[:, None] * bins * HOP % N_FFT).to(magnitude.dtype)
    turns = whole / N_FFT  # of a sinusoid in each bin, in step
    spectrum = torch.polar(magnitude, (2 * math.pi * turns).expand_as(magnitude))
    previous = torch.zeros_like(spectrum)
    weight = momentum / (1 + momentum)  # the step past the new spectrum, up to a scale
    for _ in range(iterations):
        consistent = torch.fft.rfft(to_wave(spectrum).unfold(1, N_FFT, HOP) * window)
        ahead = torch.sub(consistent, previous, alpha=weight)
        power = ahead.real.square() + ahead.imag.square()  # abs() costs more than both FFTs
        spectrum = ahead * (magnitude * (power + TINY**2).rsqrt())
        previous = consistent
    return to_wave(spectrum)


def overlap_add(frames: Tensor) -> Tensor:
    """Frames [B, F, N_FFT], a hop apart, to their sum [B, (F + OVERLAP - 1) * HOP]."""
    batch, count, _ = frames.shape
    hops = frames.reshape(batch, count, OVERLAP, HOP)
    total = frames.new_zeros(batch, count + OVERLAP - 1, HOP)
    for offset in range(OVERLAP):
        total[:, offset : offset + count] += hops[:, :, offset]
    return total.reshape(batch, -1)
