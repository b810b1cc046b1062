"""What would listeners say, as ViSQOL predicts it from output and original?"""

from collections.abc import Iterator

from analysis.context import Batch, EvalContext
from analysis.evaluator import Cell, Evaluator
from analysis.evaluators.pooled_scores import score_waves
from analysis.metrics.mos import RATE, visqol_scores
from analysis.outputs.table import Row
from dcvae.data.manifest import Clip

NAME = "visqol"


def measure(batches: Iterator[Batch], context: EvalContext) -> Iterator[list[Row]]:
    """Per clip ViSQOL of ceiling and reconstruction."""
    return score_waves(batches, context, NAME, visqol_scores, original=False)


def cells(context: EvalContext, clip: Clip) -> list[Cell]:
    return [("ceiling", NAME), ("reconstruction", NAME)]


EVALUATOR = Evaluator(
    name=NAME,
    version=1,
    measure=measure,
    cells=cells,
    libraries=("visqol-python", "ai-edge-litert"),
    install="'dcvae[visqol]'",
    protocol=f"ViSQOL v3 at {RATE:,} Hz in speech mode, with the lattice network.",
)
