"""What would listeners say, as DistillMOS predicts it from the output alone?"""

from collections.abc import Iterator

from analysis.context import Batch, EvalContext
from analysis.evaluator import Cell, Evaluator
from analysis.evaluators.pooled_scores import score_waves
from analysis.metrics.distillmos import RATE, distillmos_scores
from analysis.outputs.table import Row
from dcvae.data.manifest import Clip

NAME = "distillmos"
CONDITIONS = ("original", "ceiling", "reconstruction")


def measure(batches: Iterator[Batch], context: EvalContext) -> Iterator[list[Row]]:
    """DistillMOS of each clip's original, ceiling and reconstruction."""
    yield from score_waves(batches, context, NAME, distillmos_scores, original=True)


def cells(context: EvalContext, clip: Clip) -> list[Cell]:
    return [(condition, NAME) for condition in CONDITIONS]


EVALUATOR = Evaluator(
    name=NAME,
    version=1,
    measure=measure,
    cells=cells,
    libraries=("distillmos", "xls-r-sqa"),
    install="--no-deps distillmos xls-r-sqa",  # they name torchaudio, and need none
    protocol=f"DistillMOS of the output alone at {RATE:,} Hz, with the package's weights.",
)
