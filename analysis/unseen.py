"""Does it hold for voices that training never heard? Other questions, asked of their clips."""

from collections.abc import Iterator
from dataclasses import replace

from analysis import quality, speaker
from analysis.errors import Unavailable
from analysis.question import Cell, Question
from analysis.subject import UNSEEN, Batch, Subject
from analysis.table import Row
from dcvae.data.manifest import Clip, read_manifest, select_clips


def unseen_clips(subject: Subject) -> list[Clip]:
    """So many of the split as the options say; Unavailable where none are, or training has some."""
    clips = subject.split(UNSEEN)
    if not len(clips):
        raise Unavailable("the manifest has no clip of split 'unseen' that is long enough")
    trained = read_manifest(subject.run.manifest).where("train")
    shared = sorted(clips.unique("speaker") & trained.unique("speaker"))
    if shared:
        raise Unavailable(f"speaker {shared[0]!r} of split 'unseen' is in split 'train' too")
    return select_clips(clips, UNSEEN, subject.tools.options.unseen_clips)


def renamed(condition: str) -> str:
    """Reads reconstruction, ceiling as unseen, unseen_ceiling."""
    return UNSEEN if condition == "reconstruction" else f"{UNSEEN}_{condition}"


def of_unseen(question: Question, name: str) -> Question:
    """The same question of unseen voices: the same metrics, in conditions of their own."""

    def measure(batches: Iterator[Batch], subject: Subject) -> Iterator[list[Row]]:
        for rows in question.measure(batches, subject):
            yield [row._replace(condition=renamed(row.condition)) for row in rows]

    def cells(subject: Subject, clip: Clip) -> list[Cell]:
        found = question.cells(subject, clip)
        return [(renamed(condition), metric) for condition, metric in found]

    return replace(question, name=name, measure=measure, cells=cells, clips=unseen_clips)


QUALITY = of_unseen(quality.QUESTION, "unseen")
SPEAKER = of_unseen(speaker.QUESTION, "unseen_speaker")
