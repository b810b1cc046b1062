"""The mel front end: BigVGAN v2's own, and the only home of its constants."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

SAMPLE_RATE = 22050  # Hz
NYQUIST = SAMPLE_RATE / 2
N_FFT = 1024  # samples, also the window's length
HOP = 256  # samples a frame
N_MELS = 80
FLOOR = 1e-5  # smallest magnitude before the logarithm
SILENCE = math.log(FLOOR)  # what digital silence is in this scale
FRAMES_PER_SECOND = SAMPLE_RATE / HOP

LINEAR_HZ_PER_MEL = 200.0 / 3.0  # Slaney's scale: linear below 1 kHz,
BREAK_HZ = 1000.0
LOG_STEP = math.log(6.4) / 27  # logarithmic above


def mel_to_hz(mel: Tensor) -> Tensor:
    """Slaney's mel scale (Auditory Toolbox, 1998) back to Hz, element by element."""
    break_mel = BREAK_HZ / LINEAR_HZ_PER_MEL
    logarithmic = BREAK_HZ * torch.exp(LOG_STEP * (mel - break_mel))
    return torch.where(mel < break_mel, LINEAR_HZ_PER_MEL * mel, logarithmic)


def band_edges() -> Tensor:
    """Hz of the filters' edges [M + 2], equal steps in mel: filter m rises from number m to its
    centre, number m + 1, and falls to number m + 2.
    """
    top_mel = BREAK_HZ / LINEAR_HZ_PER_MEL + math.log(NYQUIST / BREAK_HZ) / LOG_STEP
    return mel_to_hz(torch.linspace(0, top_mel, N_MELS + 2, dtype=torch.float64))


def mel_filters() -> Tensor:
    """Area-normalised triangular filters from 0 Hz to Nyquist: [M, N_FFT // 2 + 1]."""
    edges = band_edges()
    bins = torch.linspace(0, NYQUIST, N_FFT // 2 + 1, dtype=torch.float64)  # [K]
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising = (bins - low) / (centre - low)
    falling = (high - bins) / (high - centre)
    triangles = torch.minimum(rising, falling).clamp(min=0)
    return (triangles * 2 / (high - low)).float()


class LogMel(nn.Module):
    """Wave [B, T] at 22,050 Hz to natural-log mel magnitudes [B, M, F], F = T // HOP.

    The front end of BigVGAN v2 (22 kHz, 80 bands, hop 256): reflect padding of
    (N_FFT - HOP) / 2 samples and an un-centred STFT, so frame k is centred on sample
    k * HOP + HOP / 2. Always float32: a bfloat16 FFT would cost more than it saves.
    """

    filters: Tensor
    window: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("filters", mel_filters(), persistent=False)
        self.register_buffer("window", torch.hann_window(N_FFT), persistent=False)

    def forward(self, wave: Tensor) -> Tensor:
        if wave.ndim != 2:
            raise ValueError(f"LogMel takes a wave of shape [B, T], not {list(wave.shape)}")
        padding = (N_FFT - HOP) // 2
        if wave.shape[1] <= padding:
            raise ValueError(
                f"LogMel needs more than {padding} samples ({padding / SAMPLE_RATE * 1000:.0f} ms),"
                f" not {wave.shape[1]}"
            )
        with torch.autocast(wave.device.type, enabled=False):
            padded = functional.pad(wave.float(), (padding, padding), mode="reflect")
            spectrum = torch.stft(
                padded, N_FFT, HOP, window=self.window, center=False, return_complex=True
            )
            magnitude = torch.sqrt(spectrum.real.square() + spectrum.imag.square() + 1e-9)
            return torch.log(torch.clamp(self.filters @ magnitude, min=FLOOR))
