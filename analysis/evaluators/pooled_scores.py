"""Metrics of waves in the process pool, some batches there while the next one is vocoded here."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future

import numpy as np
import numpy.typing as npt
from torch import Tensor

from analysis.context import Batch, EvalContext
from analysis.metrics.score import Score
from analysis.outputs.table import Row
from analysis.resources import beside_the_pool
from dcvae.audio.mel import SAMPLE_RATE

AHEAD = os.cpu_count() or 1  # batches in the pool
Wave = npt.NDArray[np.float32]
WaveScores = Callable[[Wave, Wave, int], dict[str, Score]]  # original, output, Hz -> by metric
Pending = list[tuple[str, str, "Future[dict[str, Score]]"]]  # clip, condition, scores to come


def score_waves(
    batches: Iterator[Batch],
    context: EvalContext,
    evaluator: str,
    scores: WaveScores,
    original: bool,
) -> Iterator[list[Row]]:
    """The rows of each batch's reconstructions and ceilings, and of the originals if asked for.

    What does not depend on the run is scored once for all runs. `scores` runs in another process:
    a function of a module that imports little.
    """

    def submit(condition: str, batch: Batch, outputs: Sequence[Tensor]) -> Pending:
        pool, pairs = context.resources.pool, zip(batch.samples, outputs, strict=True)
        return [
            (one.name, condition, pool.submit(scores, one.wave.numpy(), wave.numpy(), SAMPLE_RATE))
            for one, wave in pairs
        ]

    def start(batch: Batch) -> tuple[Batch, Pending, Pending]:
        pending = submit("reconstruction", batch, batch.waves)
        common: Pending = []
        if not context.references.has(evaluator, batch.names):
            common = submit("ceiling", batch, batch.ceilings)
            if original:
                common += submit("original", batch, [sample.wave for sample in batch.samples])
        return batch, pending, common

    def finish(batch: Batch, pending: Pending, common: Pending) -> list[Row]:
        return rows(pending) + context.rows_once(evaluator, batch.names, lambda: rows(common))

    with beside_the_pool():
        started: deque[tuple[Batch, Pending, Pending]] = deque()
        for batch in batches:
            started.append(start(batch))
            if len(started) > AHEAD:
                yield finish(*started.popleft())
        for one in started:
            yield finish(*one)


def rows(pending: Pending) -> list[Row]:
    """Wait for the pool's scores and give a row for each."""
    return [
        Row(clip, condition, metric, *result)
        for clip, condition, future in pending
        for metric, result in future.result().items()
    ]
