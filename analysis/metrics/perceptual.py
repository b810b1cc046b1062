"""PESQ, STOI and ESTOI of an output against its original.

Workers of the process pool import this file, so it stays free of torch; they alone use pesq and
pystoi, which take more than a second to import.
"""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from analysis.metrics.delay import estimate_delay, without_delay
from analysis.metrics.score import Array, Score, Unmeasurable, check_audible, score
from analysis.metrics.waves import WavePair

STOI_RATE = 10_000  # Hz, the one at which STOI is defined
METRICS = ("pesq_wb", "pesq_nb", "stoi", "estoi", "stoi_aligned", "estoi_aligned")


def wave_scores(reference: Array, degraded: Array, sample_rate: int) -> dict[str, Score]:
    """Every one of METRICS for two waves [T]: one unit of work for the pool."""
    pair = WavePair(reference, degraded, sample_rate)
    pesqs = {"pesq_wb": score(pesq_wb, pair), "pesq_nb": score(pesq_nb, pair)}
    return pesqs | stoi_scores(pair)


def pesq_and_stoi(reference: Array, degraded: Array, sample_rate: int) -> dict[str, Score]:
    """The two that are asked for under many conditions."""
    pair = WavePair(reference, degraded, sample_rate)
    return {"pesq_wb": score(pesq_wb, pair), "stoi": score(stoi, pair)}


def pesq_wb(pair: WavePair) -> float:
    """Wide-band PESQ at 16 kHz (ITU-T P.862.2), as MOS-LQO from 1.04 to 4.64."""
    return pesq(pair, 16_000, "wb")


def pesq_nb(pair: WavePair) -> float:
    """Narrow-band PESQ at 8 kHz (ITU-T P.862, mapped by P.862.1), as MOS-LQO from 1.02 to 4.55."""
    return pesq(pair, 8_000, "nb")


def pesq(pair: WavePair, rate: int, band: str) -> float:
    """The library's PESQ of both at `rate` Hz; Unmeasurable where it gives none."""
    import pesq as pesq_library

    waves = pair.at(rate)
    check_audible(pair.degraded)  # the library levels both, and divides by 0
    try:
        value = float(pesq_library.pesq(rate, *waves, band))
    except pesq_library.PesqError as error:
        message = error.args[0] if error.args else type(error).__name__
        text = message.decode() if isinstance(message, bytes) else str(message)
        raise Unmeasurable(f"PESQ: {text}") from None
    if value < 1:  # the library's error codes are negative numbers
        raise Unmeasurable(f"PESQ gave {value:g}, which is no score")
    return value


def resample_for_stoi(wave: Array, sample_rate: float, rate: float) -> Array:
    """As pystoi does within: its value is that of the wave at any rate, but this is done once."""
    from pystoi.utils import resample_oct

    resampled: Array = resample_oct(wave, rate, sample_rate)
    return resampled


def stoi(pair: WavePair, extended: bool = False, delay: int = 0) -> float:
    """STOI (Taal et al., 2011) or ESTOI (Jensen and Taal, 2016), at most 1.

    `delay` is that of the output in samples at STOI_RATE, and is taken out first. pystoi warns
    and returns 1e-5 below about 0.4 s of speech: Unmeasurable.
    """
    import pystoi

    waves = without_delay(*pair.at(STOI_RATE, resample_for_stoi), delay)
    try:
        with warnings.catch_warnings(), fixed_seed():
            warnings.simplefilter("error", RuntimeWarning)
            return float(pystoi.stoi(*waves, STOI_RATE, extended=extended))
    except RuntimeWarning as warning:
        if "Not enough STFT frames" in str(warning):
            raise Unmeasurable("too little speech for STOI, which takes 0.4 s") from None
        raise


@contextmanager
def fixed_seed() -> Iterator[None]:
    """ESTOI adds noise of the size of a rounding error: in digital silence it hears nothing else.

    So that the same waves give the same value, the noise is the same and numpy's state is kept.
    """
    state = np.random.get_state()
    np.random.seed(0)
    try:
        yield
    finally:
        np.random.set_state(state)


def stoi_scores(pair: WavePair) -> dict[str, Score]:
    """STOI and ESTOI as they are, and with the output's delay taken out.

    Without a delay the two are one value, and it is not computed again.
    """
    delay = score(stoi_delay, pair)
    scores = {}
    for name, extended in (("stoi", False), ("estoi", True)):
        scores[name] = score(stoi, pair, extended)
        if delay.reason:
            aligned = Score(math.nan, delay.reason)
        elif delay.value == 0:
            aligned = scores[name]
        else:
            aligned = score(stoi, pair, extended, int(delay.value))
        scores[f"{name}_aligned"] = aligned
    return scores


def stoi_delay(pair: WavePair) -> int:
    """By how many samples at STOI_RATE the output is late."""
    return estimate_delay(*pair.at(STOI_RATE, resample_for_stoi), STOI_RATE)
