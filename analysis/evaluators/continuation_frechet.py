"""How far is what a model of the latents goes on with from real speech? As distributions of mels.

Held-out prompts of 1.5 s, continued and decoded, by condition as in
analysis/evaluators/continuations.py, which listens to them.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from statistics import fmean

from torch import Tensor

from analysis.context import Batch, EvalContext
from analysis.evaluator import Cell, Evaluator, Needs
from analysis.evaluators import latent_lm
from analysis.latent_lm.continuation import CONDITIONS, Continuations, changes, spectra
from analysis.latent_lm.probe import probe_of
from analysis.metrics.frechet import frechet_by_clip
from analysis.metrics.score import Array, Score, Unmeasurable, series
from analysis.outputs.table import Row
from dcvae.data.manifest import Clip

Spread = Callable[[Sequence[Tensor]], list[Array]]  # mels [M, F] to rows [L, D] of each

CHANGE = 16  # mel frames, 0.19 s, over which the change of a spectrum is taken
FEWEST = 8  # clips to be continued
TOO_SHORT = "too short to be continued"
DISTANCES: dict[str, Spread] = {
    "continuation_frechet": spectra,
    "continuation_change_frechet": partial(changes, apart=CHANGE),
}
CELLS = [(condition, metric) for condition in CONDITIONS for metric in DISTANCES]


def measure(batches: Iterator[Batch], context: EvalContext) -> Iterator[list[Row]]:
    """Frechet distances to real speech at equal numbers of frames, as a jackknife gives each clip.

    `continuation_frechet` is of log-mel frames. Frames without any order could have a low one, so
    `continuation_change_frechet`, of how frames change within 0.19 s, stands beside it. By
    condition: of the models of standardised and raw latents, of a Gaussian without context, and of
    the clip's own latents ("reconstruction"), which is what a perfect model would reach.
    """
    probe = probe_of(context, batches)
    faults = probe.faults | dict.fromkeys(probe.sequences if probe.reason else (), probe.reason)
    yield [Row(name, *cell, math.nan, why) for name, why in faults.items() for cell in CELLS]
    if probe.fitted:
        long = {prompt.name for prompt in probe.prompts}
        short = [name for name in probe.sequences if name not in long]
        yield distance_rows(probe.continuations(context), short)


def distance_rows(found: Continuations, short: Sequence[str]) -> list[Row]:
    """The rows of the continued clips, and of those too short to be continued."""
    names = [prompt.name for prompt in found.prompts]
    rows = []
    for metric, of in DISTANCES.items():
        real = of([prompt.spoken for prompt in found.prompts])
        for condition in CONDITIONS:
            scores = series(len(names), partial(pseudo_values, found, condition, of, real))
            pairs = zip(names, scores, strict=True)
            rows += [Row(name, condition, metric, *one) for name, one in pairs]
            rows += [Row(name, condition, metric, math.nan, TOO_SHORT) for name in short]
    return rows


def pseudo_values(
    found: Continuations, condition: str, of: Spread, real: Sequence[Array]
) -> list[Score]:
    """Each clip's, the mean over the draws."""
    if len(real) < FEWEST:
        raise Unmeasurable(
            f"{len(real)} held-out clips are long enough to be continued, {FEWEST} needed"
        )
    draws = range(len(found.mels[condition]))
    values = [frechet_by_clip(of(found.spoken(condition, draw)), real) for draw in draws]
    return [Score(fmean(one)) for one in zip(*values, strict=True)]


def cells(context: EvalContext, clip: Clip) -> list[Cell]:
    """What a clip has a row of, whether it is continued or cannot be."""
    return CELLS


EVALUATOR = Evaluator(
    name="continuation_frechet",
    version=1,
    measure=measure,
    cells=cells,
    settings=latent_lm.settings,
    needs=Needs.LATENTS,
    by_clip=False,  # one set of models is trained for all clips
)
