"""Signal quality of one reconstructed clip: PESQ, STOI and mel L1.

Workers of a process pool import this file, so it stays free of torch.
"""

import math
import warnings
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
import pesq as pesq_library
import pystoi
import soxr
from threadpoolctl import threadpool_limits

Array = npt.NDArray[Any]

PESQ_RATE = 16000  # Hz, the only rate of wide-band PESQ (ITU-T P.862.2)

# Raise a number when its metric changes: tables of another version are computed again.
VERSIONS = {
    "pesq_wb": f"1 (pesq {version('pesq')})",
    "stoi": f"1 (pystoi {version('pystoi')})",
    "mel_l1": "1",
}


def scorable(reference: Array, degraded: Array) -> bool:
    """Two finite waves of one length, the reference not silent."""
    return (
        reference.shape == degraded.shape
        and bool(np.isfinite(reference).all() and np.isfinite(degraded).all())
        and bool(np.any(reference))
    )


def pesq_wb(reference: Array, degraded: Array, sample_rate: int) -> float:
    """Wide-band PESQ (MOS-LQO, 1.04 to 4.64) of waves [T]; NaN where it cannot be had.

    Both are resampled to 16 kHz. The library's errors (no utterance, under a quarter second)
    are NaN here; its error codes, negative numbers, are never asked for.
    """
    if not scorable(reference, degraded):
        return math.nan
    reference, degraded = (
        soxr.resample(wave, sample_rate, PESQ_RATE) for wave in (reference, degraded)
    )
    try:
        return float(pesq_library.pesq(PESQ_RATE, reference, degraded, "wb"))
    except (pesq_library.PesqError, ValueError):
        return math.nan


def stoi(reference: Array, degraded: Array, sample_rate: int) -> float:
    """STOI (Taal et al., 2011; 0 to 1) of waves [T]; NaN where it cannot be had.

    pystoi resamples to 10 kHz itself. It warns and returns 1e-5 below about 0.4 s of speech.
    """
    if not scorable(reference, degraded):
        return math.nan
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            return float(pystoi.stoi(reference, degraded, sample_rate))
    except (RuntimeWarning, ValueError, IndexError):
        return math.nan


def mel_l1(reference: Array, reconstruction: Array) -> float:
    """Mean absolute difference of two log-mels [M, F] (natural log); NaN for silence.

    A silent clip has one value throughout: a model that outputs silence would seem perfect.
    """
    if reference.shape != reconstruction.shape or reference.size == 0:
        return math.nan
    if not np.ptp(reference) > 0:
        return math.nan
    error = np.abs(reference.astype(np.float64) - reconstruction.astype(np.float64))
    return float(error.mean())


def one_thread() -> None:
    """Keep this process's linear algebra on one thread: the pool has a process for each core."""
    threadpool_limits(1)


def wave_scores(reference: Array, degraded: Array, sample_rate: int) -> dict[str, float]:
    """Every metric of two waves [T], by name: one unit of work for the pool."""
    return {
        "pesq_wb": pesq_wb(reference, degraded, sample_rate),
        "stoi": stoi(reference, degraded, sample_rate),
    }
