"""Distances between two log-mel spectrograms of one clip."""

import math

import numpy as np

from analysis.metrics.score import Array, Unmeasurable

COEFFICIENTS = 24  # of the mel cepstrum, from the first on: the level, number 0, is left out


def mel_l1(reference: Array, output: Array) -> float:
    """Mean absolute difference of two log-mels [M, F], in natural-log units."""
    check_mels(reference, output)
    return float(np.abs(reference.astype(np.float64) - output.astype(np.float64)).mean())


def mel_cepstral_distortion(reference: Array, output: Array) -> float:
    """Mel-cepstral distortion in dB of two log-mels [M, F] (natural log of magnitude).

    (10 / ln 10) sqrt(2 sum_k d_k^2), averaged over the frames (Kubichek, 1993), where d_k is the
    difference of the k-th of COEFFICIENTS mel cepstra: those of
    log|S(w)| = c_0 + sum_k c_k cos(k w), that is the DCT-II times 2 / M (the orthonormal one
    times sqrt(2 / M)). So it is the root-mean-square difference in dB of the two smoothed
    spectra, level aside. The frames are aligned already: nothing is warped in time.
    """
    check_mels(reference, output)
    bins = reference.shape[0]
    order = np.arange(1, COEFFICIENTS + 1)[:, None]
    cosines = np.cos(math.pi / bins * order * (np.arange(bins) + 0.5)) * 2 / bins  # [K, M]
    difference = cosines @ (reference.astype(np.float64) - output.astype(np.float64))  # [K, F]
    per_frame = np.sqrt(2 * np.square(difference).sum(0))
    return float(10 / math.log(10) * per_frame.mean())


def check_mels(reference: Array, output: Array) -> None:
    """Unmeasurable unless both [M, F] are finite, of one shape, and the original is not silent.

    Silence has one value throughout: a model that gives silence for it would seem perfect.
    """
    if reference.shape != output.shape or reference.size == 0:
        raise Unmeasurable(f"mels of {list(reference.shape)} and {list(output.shape)}")
    if not (np.isfinite(reference).all() and np.isfinite(output).all()):
        raise Unmeasurable("a mel holds NaN or infinity")
    if not np.ptp(reference) > 0:
        raise Unmeasurable("the original is silent")
