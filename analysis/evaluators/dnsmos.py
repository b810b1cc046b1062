"""What would listeners say, as DNSMOS predicts it from the output alone?"""

import math
from collections.abc import Iterator, Sequence

from analysis.context import Batch, EvalContext
from analysis.evaluator import Cell, Evaluator
from analysis.evaluators.pooled_scores import score_waves
from analysis.metrics.mos import DNSMOS, RATE, dnsmos_scores
from analysis.outputs.table import Row
from dcvae.data.manifest import Clip

NAME = "dnsmos"
OUTPUTS = ("ceiling", "reconstruction")


def measure(batches: Iterator[Batch], context: EvalContext) -> Iterator[list[Row]]:
    """Per clip DNSMOS of original, ceiling and reconstruction, and the latter two's change."""
    for rows in score_waves(batches, context, NAME, dnsmos_scores, original=True):
        yield rows + changes(rows)


def changes(rows: Sequence[Row]) -> list[Row]:
    """The difference to the original's value of the same clip and metric, as `<metric>_change`."""
    originals = {(row.clip, row.metric): row for row in rows if row.condition == "original"}
    return [
        change(originals[row.clip, row.metric], row) for row in rows if row.condition in OUTPUTS
    ]


def change(original: Row, output: Row) -> Row:
    """NaN where one of the two is, for its reason."""
    name = f"{output.metric}_change"
    for row in (original, output):
        if row.reason:
            reason = f"{row.condition}: {row.reason}"
            return Row(row.clip, output.condition, name, math.nan, reason)
    return Row(output.clip, output.condition, name, output.value - original.value)


def cells(context: EvalContext, clip: Clip) -> list[Cell]:
    values = [(condition, metric) for condition in ("original", *OUTPUTS) for metric in DNSMOS]
    return values + [(condition, f"{metric}_change") for condition in OUTPUTS for metric in DNSMOS]


EVALUATOR = Evaluator(
    name=NAME,
    version=1,
    measure=measure,
    cells=cells,
    libraries=("speechmos", "onnxruntime", "librosa", "requests"),
    install="'dcvae[dnsmos]'",
    protocol=(
        f"DNSMOS P.835 and P.808 of the output alone at {RATE:,} Hz, with the package's weights; a"
        " clip of less than 9.01 s is repeated to that length."
    ),
)
