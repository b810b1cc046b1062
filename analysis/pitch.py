"""Is it still the same melody? F0 and voicing of the output against the original's."""

from collections.abc import Iterator

from analysis.metrics.pitch import METRICS, pitch_scores
from analysis.pooled import score_waves
from analysis.question import Cell, Question
from analysis.subject import Batch, Subject
from analysis.table import Row
from dcvae.data.manifest import Clip

NAME = "pitch"
CONDITIONS = ("ceiling", "reconstruction")


def measure(batches: Iterator[Batch], subject: Subject) -> Iterator[list[Row]]:
    """Per clip the error of log F0 and the share of frames with another voicing."""
    return score_waves(batches, subject, NAME, pitch_scores, original=False)


def cells(subject: Subject, clip: Clip) -> list[Cell]:
    return [(condition, metric) for condition in CONDITIONS for metric in METRICS]


QUESTION = Question(
    name=NAME,
    version=1,
    measure=measure,
    cells=cells,
    libraries=("praat-parselmouth",),
    extra="pitch",
)
