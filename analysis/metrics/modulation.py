"""How much of a log-mel's fast movement a reconstruction keeps: a blurred one moves slowly."""

from itertools import pairwise

import numpy as np

from analysis.metrics.score import Array, Unmeasurable
from analysis.metrics.spectral import check_mels
from dcvae.audio.mel import FRAMES_PER_SECOND, NYQUIST, band_edges

SLOWEST = 10.0  # Hz: syllables come at 4 Hz; what lies above is onsets, bursts and voicing
SHORTEST = 0.5  # seconds: bins of 2 Hz, of which the window blurs two; in less, slow counts as fast
EDGES = (0, 1000, 2000, 4000, int(NYQUIST))  # Hz: the first, second and higher formants, fricatives


def band_groups() -> dict[str, Array]:
    """Which of the mel's bands [M] have their centre between two of the EDGES, as "0_1000hz"."""
    centres = band_edges()[1:-1].numpy()
    return {f"{low}_{high}hz": (low <= centres) & (centres < high) for low, high in pairwise(EDGES)}


def log_modulation_ratio(reference: Array, output: Array) -> float:
    """Natural log of the modulation energy above SLOWEST, output's against the original's.

    Both are log-mels [M, F] of one clip, or the same bands of them. 0: as much as the original has;
    negative: blurred; positive: rougher than it. Unmeasurable for clips under SHORTEST, and where
    either has none.
    """
    check_mels(reference, output)
    if reference.shape[1] < SHORTEST * FRAMES_PER_SECOND:
        raise Unmeasurable(f"shorter than {SHORTEST:g} s")
    energies = fast_energy(reference), fast_energy(output)
    for name, energy in zip(("the original", "the output"), energies, strict=True):
        if not energy > 0:
            raise Unmeasurable(f"{name} has no modulations above {SLOWEST:g} Hz")
    return float(np.log(energies[1]) - np.log(energies[0]))


def fast_energy(mel: Array) -> float:
    """Energy above SLOWEST in the spectra over time of a log-mel's bands [M, F], summed.

    Under a Hann window: without one, most of what is found there has leaked from slow modulations,
    which have far more energy, and which a blurred reconstruction keeps.
    """
    frames = mel.shape[1]
    bands = mel.astype(np.float64)
    window = np.hanning(frames + 1)[:-1]  # periodic: whole periods leak into two bins alone
    spectra = np.fft.rfft((bands - bands.mean(1, keepdims=True)) * window)  # [M, K]
    frequencies = np.fft.rfftfreq(frames, 1 / FRAMES_PER_SECOND)  # Hz, [K]
    return float(np.square(np.abs(spectra[:, frequencies > SLOWEST])).sum())
