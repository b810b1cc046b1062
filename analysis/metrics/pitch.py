"""Does the output keep the melody? F0 and voicing by Praat's autocorrelation tracker.

Workers of the process pool import this file, so it stays free of torch.
"""

from functools import cache, partial

import numpy as np
import numpy.typing as npt

from analysis.metrics.score import Array, Score, Unmeasurable, score
from analysis.metrics.waves import WavePair

FLOOR, CEILING = 60.0, 500.0  # Hz, where F0 is sought
HOP = 256 / 22050  # seconds between frames, as the mel's
METRICS = ("log_f0_rmse", "voicing_error")

Track = npt.NDArray[np.float64]  # F0 in Hz [F], 0 where there is no voice


def pitch_scores(reference: Array, degraded: Array, sample_rate: int) -> dict[str, Score]:
    """Each of METRICS for two waves [T]: one unit of work for the pool."""
    pair = WavePair(reference, degraded, sample_rate)
    tracks = cache(partial(track_both, pair))
    return {
        "log_f0_rmse": score(lambda: log_f0_rmse(*tracks())),
        "voicing_error": score(lambda: voicing_error(*tracks())),
    }


def track_both(pair: WavePair) -> tuple[Track, Track]:
    """The original's track and the output's, of one length since the waves are."""
    reference, degraded = pair.checked
    return track(reference, pair.sample_rate), track(degraded, pair.sample_rate)


def track(wave: Array, sample_rate: int) -> Track:
    """F0 of a wave [T] every HOP seconds (Boersma, 1993, as Praat has it)."""
    import parselmouth

    sound = parselmouth.Sound(wave.astype(np.float64), sampling_frequency=sample_rate)
    pitch = sound.to_pitch_ac(time_step=HOP, pitch_floor=FLOOR, pitch_ceiling=CEILING)
    frequencies: Track = pitch.selected_array["frequency"]
    return frequencies


def log_f0_rmse(reference: Track, degraded: Track) -> float:
    """Root-mean-square error of natural-log F0 over the frames that are voiced in both.

    Times 1200 / ln 2, that is 1731, it is in cents: .058 is a semitone.
    """
    voiced = (reference > 0) & (degraded > 0)
    if not voiced.any():
        raise Unmeasurable("no frame is voiced in both")
    return float(np.sqrt(np.mean(np.log(degraded[voiced] / reference[voiced]) ** 2)))


def voicing_error(reference: Track, degraded: Track) -> float:
    """The share of frames, 0 to 1, that are voiced in one and not in the other."""
    if not (reference > 0).any():
        raise Unmeasurable("no frame of the original is voiced")
    return float(np.mean((reference > 0) != (degraded > 0)))
