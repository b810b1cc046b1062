"""What would listeners say, as ViSQOL predicts it from output and original?"""

from collections.abc import Iterator

from analysis.metrics.mos import visqol_scores
from analysis.pooled import score_waves
from analysis.question import Cell, Question
from analysis.subject import Batch, Subject
from analysis.table import Row
from dcvae.data.manifest import Clip

NAME = "visqol"


def measure(batches: Iterator[Batch], subject: Subject) -> Iterator[list[Row]]:
    """Per clip ViSQOL of ceiling and reconstruction."""
    return score_waves(batches, subject, NAME, visqol_scores, original=False)


def cells(subject: Subject, clip: Clip) -> list[Cell]:
    return [("ceiling", NAME), ("reconstruction", NAME)]


QUESTION = Question(
    name=NAME,
    version=1,
    measure=measure,
    cells=cells,
    libraries=("visqol-python", "ai-edge-litert"),
    extra="visqol",
)
