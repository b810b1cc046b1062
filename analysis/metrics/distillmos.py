"""Listeners' opinion as DistillMOS predicts it, from the output alone.

Workers of the process pool import this file, so torch is imported where it is first needed.
"""

import importlib
import importlib.util
import io
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import cache
from types import ModuleType

import numpy as np

from analysis.metrics.score import Array, Score, check_audible, score
from analysis.metrics.waves import WavePair

RATE = 16_000  # Hz
UNUSED = "torchaudio"  # the package imports it, and uses it on its own command line alone


def distillmos_scores(reference: Array, degraded: Array, sample_rate: int) -> dict[str, Score]:
    """DistillMOS of the second of two waves [T]: one unit of work for the pool."""
    return {"distillmos": score(distillmos, WavePair(reference, degraded, sample_rate))}


def distillmos(pair: WavePair) -> float:
    """DistillMOS (Stahl and Gamper, 2025; arXiv 2502.05356), 1 to 5.

    A small network that was distilled from one on XLS-R features. It takes 7.68 s at once: a
    shorter clip is padded with silence, of a longer one overlapping windows are averaged. The peak
    is normalised, so level does not count.
    """
    check_audible(pair.degraded)
    return distillmos_model()(pair.at(RATE)[1].astype(np.float32))


@cache
def distillmos_model() -> Callable[[Array], float]:
    """The package's network on one thread, as the pool has a process for each core."""
    import torch

    with redirect_stdout(io.StringIO()):  # it tells where its weights lie
        network = library().ConvTransformerSQAModel().eval()

    def opinion(wave: Array) -> float:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with torch.inference_mode():
                return float(network(torch.from_numpy(wave)[None]))
        finally:
            torch.set_num_threads(threads)

    return opinion


def library() -> ModuleType:
    """The package, with an empty module in place of UNUSED where that is not installed."""
    if importlib.util.find_spec(UNUSED) is not None:
        return importlib.import_module("distillmos")
    sys.modules[UNUSED] = ModuleType(UNUSED)
    try:
        return importlib.import_module("distillmos")
    finally:
        del sys.modules[UNUSED]
