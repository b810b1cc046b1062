"""Does it hold for voices that training never heard? Other evaluators, on their clips."""

from collections.abc import Iterator
from dataclasses import replace

from analysis.context import UNSEEN, Batch, EvalContext
from analysis.errors import Unavailable
from analysis.evaluator import Cell, Evaluator
from analysis.evaluators import audio_quality, speaker_similarity
from analysis.outputs.table import Row
from dcvae.data.manifest import Clip, select_clips


def unseen_clips(context: EvalContext) -> list[Clip]:
    """So many of the split as the options say; Unavailable where none are, or training has some."""
    clips = context.split(UNSEEN)
    if not len(clips):
        raise Unavailable("the manifest has no clip of split 'unseen' that is long enough")
    trained = context.manifest.where("train")
    shared = sorted(clips.unique("speaker") & trained.unique("speaker"))
    if shared:
        raise Unavailable(f"speaker {shared[0]!r} of split 'unseen' is in split 'train' too")
    return select_clips(clips, UNSEEN, context.resources.options.unseen_clips)


def renamed(condition: str) -> str:
    """Reads reconstruction, ceiling as unseen, unseen_ceiling."""
    return UNSEEN if condition == "reconstruction" else f"{UNSEEN}_{condition}"


def of_unseen(evaluator: Evaluator, name: str) -> Evaluator:
    """The same evaluator for unseen voices: the same metrics, in conditions of their own."""

    def measure(batches: Iterator[Batch], context: EvalContext) -> Iterator[list[Row]]:
        for rows in evaluator.measure(batches, context):
            yield [row._replace(condition=renamed(row.condition)) for row in rows]

    def cells(context: EvalContext, clip: Clip) -> list[Cell]:
        found = evaluator.cells(context, clip)
        return [(renamed(condition), metric) for condition, metric in found]

    return replace(evaluator, name=name, measure=measure, cells=cells, clips=unseen_clips)


QUALITY = of_unseen(audio_quality.EVALUATOR, "unseen")
SPEAKER = of_unseen(speaker_similarity.EVALUATOR, "unseen_speaker")
