"""Listeners' opinion as two models predict it: DNSMOS without a reference, ViSQOL with one.

Workers of the process pool import this file, so it stays free of torch.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from analysis.metrics.score import Array, Score, check_audible, score
from analysis.metrics.waves import WavePair

RATE = 16_000  # Hz, of both models
DNSMOS = {  # speechmos' name of each metric
    "dnsmos_overall": "ovrl_mos",
    "dnsmos_signal": "sig_mos",
    "dnsmos_background": "bak_mos",
    "dnsmos_p808": "p808_mos",
}


def dnsmos_scores(reference: Array, degraded: Array, sample_rate: int) -> dict[str, Score]:
    """Each of DNSMOS for the second of two waves [T]: one unit of work for the pool."""
    scores = cache(partial(dnsmos, WavePair(reference, degraded, sample_rate)))

    def opinion(name: str) -> float:
        return scores()[name]

    return {metric: score(opinion, name) for metric, name in DNSMOS.items()}


def dnsmos(pair: WavePair) -> dict[str, float]:
    """DNSMOS P.835 and P.808 (Reddy et al., 2021 and 2022), 1 to 5, by speechmos' names.

    The models take 9.01 s; a shorter clip is repeated to that length. speechmos itself repeats
    it to as much as twice that and averages up to nine windows of it: on 24 clips the means
    differ by .015 at most, and it takes four times as long.
    """
    wave = np.clip(pair.at(RATE)[1], -1, 1)  # a resampler overshoots; a file would be clipped too
    check_audible(pair.degraded)
    model, window = dnsmos_model()
    padded = np.resize(wave, window) if len(wave) < window else wave
    return {name: float(value) for name, value in model(padded, RATE, False).items()}


@cache
def dnsmos_model() -> tuple[Callable[[Array, int, bool], dict[str, Any]], int]:
    """The model of speechmos, and the samples it takes at once.

    On one thread, as the pool has a process for each core.
    """
    from onnxruntime import InferenceSession, SessionOptions
    from speechmos import dnsmos as library

    models = Path(library.__file__).parent / "dnsmos_models"
    paths = [str(models / name) for name in ("sig_bak_ovr.onnx", "model_v8.onnx")]
    options = SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    model = library.DNSMOS(*paths)
    model.onnx_sess, model.p808_onnx_sess = (InferenceSession(path, options) for path in paths)
    return model, int(library.INPUT_LENGTH * RATE)


def visqol_scores(reference: Array, degraded: Array, sample_rate: int) -> dict[str, Score]:
    """ViSQOL of two waves [T]: one unit of work for the pool."""
    return {"visqol": score(visqol, WavePair(reference, degraded, sample_rate))}


def visqol(pair: WavePair) -> float:
    """ViSQOL v3 in speech mode (Chinen et al., 2020), MOS-LQO from 1 to 5.

    With the lattice network that the original uses by default: what equals the original gets
    4.1 to 4.7 of it, and not always more than what nearly does.
    """
    reference, degraded = pair.at(RATE)
    check_audible(degraded)  # levels are matched first, and of silence there is none
    model = visqol_model()
    waves = (wave.astype(np.float64) for wave in (reference, degraded))
    return float(model.measure_from_arrays(*waves, RATE).moslqo)


@cache
def visqol_model() -> Any:
    """The library's model on one thread, as the pool has a process for each core."""
    from visqol import VisqolApi
    from visqol.numba_accel import has_numba

    if has_numba():
        import numba

        numba.set_num_threads(1)
    model = VisqolApi()
    with silent_stderr():
        model.create(mode="speech", use_lattice_model=True)
    return model


@contextmanager
def silent_stderr() -> Iterator[None]:
    """Drop what native code writes to stderr: the network's runtime greets on it, unasked."""
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
