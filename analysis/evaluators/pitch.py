"""Is it still the same melody? F0 and voicing of the output against the original's."""

from collections.abc import Iterator

from analysis.context import Batch, EvalContext
from analysis.evaluator import Cell, Evaluator
from analysis.evaluators.pooled_scores import score_waves
from analysis.metrics.pitch import CEILING, FLOOR, HOP, METRICS, pitch_scores
from analysis.outputs.table import Row
from dcvae.data.manifest import Clip

NAME = "pitch"
CONDITIONS = ("ceiling", "reconstruction")


def measure(batches: Iterator[Batch], context: EvalContext) -> Iterator[list[Row]]:
    """Per clip the error of log F0 and the share of frames with another voicing."""
    return score_waves(batches, context, NAME, pitch_scores, original=False)


def cells(context: EvalContext, clip: Clip) -> list[Cell]:
    return [(condition, metric) for condition in CONDITIONS for metric in METRICS]


EVALUATOR = Evaluator(
    name=NAME,
    version=1,
    measure=measure,
    cells=cells,
    libraries=("praat-parselmouth",),
    install="'dcvae[pitch]'",
    protocol=(
        f"F0 by Praat's autocorrelation between {FLOOR:g} and {CEILING:g} Hz, a value every"
        f" {HOP * 1000:.2f} ms; `log_f0_rmse` in natural-log units over frames voiced in both."
    ),
)
