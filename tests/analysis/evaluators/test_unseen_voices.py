"""Unseen voices: the other evaluators' own rows, of clips that no other split has a voice of."""

import csv
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.context import Batch, EvalContext
from analysis.errors import Unavailable
from analysis.evaluator import Evaluator
from analysis.evaluators import audio_quality, unseen_voices
from analysis.metrics.modulation import band_groups
from analysis.outputs.examples import write_clips
from analysis.outputs.table import Row
from analysis.resources import Options
from analysis.stores.reference_store import References
from dcvae.data.manifest import Clip, read_manifest, write_manifest


def split_of(clip: Clip) -> str:
    if clip.language in ("it", "ru"):
        return "unseen"
    return "test" if clip.language == "en" else "train"


@pytest.fixture
def corpus(spoken: Path, tmp_path: Path) -> Path:
    """The ten clips: Italian and Russian unseen, English for test, the rest for training."""
    clips = [replace(clip, split=split_of(clip)) for clip in read_manifest(spoken)]
    write_manifest(tmp_path / "manifest.csv", clips)
    return tmp_path / "manifest.csv"


@pytest.fixture
def context(corpus: Path, make_context: Callable[..., EvalContext]) -> EvalContext:
    """With its pool in this process."""
    made: EvalContext = make_context(corpus)
    made.resources.__dict__["pool"] = ThreadPoolExecutor(1)
    return made


def ask(evaluator: Evaluator, clips: list[Clip], context: EvalContext) -> list[Row]:
    return [row for rows in evaluator.measure(context.batches(clips), context) for row in rows]


def test_the_rows_are_those_of_quality_under_other_names(context: EvalContext) -> None:
    clips = unseen_voices.QUALITY.clips(context)
    assert {clip.language for clip in clips} == {"it", "ru"}
    assert not {clip.name for clip in clips} & {clip.name for clip in context.clips}
    names = {
        "unseen": "reconstruction",
        "unseen_ceiling": "ceiling",
        "unseen_untrained": "untrained",
        **{f"unseen_bands_{name}": f"bands_{name}" for name in band_groups()},
    }
    found = ask(unseen_voices.QUALITY, clips, context)
    assert {row.condition for row in found} == set(names)
    expected = ask(audio_quality.EVALUATOR, clips, replace(context, references=References()))
    assert sorted(row._replace(condition=names[row.condition]) for row in found) == sorted(expected)
    cells = {
        (clip.name, *cell) for clip in clips for cell in unseen_voices.QUALITY.cells(context, clip)
    }
    assert {row[:3] for row in found} == cells
    assert unseen_voices.QUALITY.stamp() == audio_quality.EVALUATOR.stamp()


def test_the_set_as_a_whole_is_renamed_too() -> None:
    def measure(batches: Iterator[Batch], context: EvalContext) -> Iterator[list[Row]]:
        yield [Row("", "original", "eer", 0.5)]

    evaluator = Evaluator("x", 1, measure, lambda context, clip: [], by_clip=False)
    (rows,) = unseen_voices.of_unseen(evaluator, "y").measure(iter(()), None)  # type: ignore[arg-type]
    assert rows == [Row("", "unseen_original", "eer", 0.5)]


def test_so_many_clips_as_the_options_say_from_every_voice(
    context: EvalContext, spoken: Path
) -> None:
    clips = [replace(clip, split="unseen") for clip in read_manifest(spoken)]
    write_manifest(context.run.manifest, clips)
    context.resources.options = Options(unseen_clips=5)
    chosen = unseen_voices.unseen_clips(context)
    assert len({(clip.language, clip.speaker) for clip in chosen}) == len(chosen) == 5


def test_a_manifest_without_unseen_voices_is_skipped_with_a_reason(
    context: EvalContext, corpus: Path
) -> None:
    clips = list(read_manifest(corpus))
    write_manifest(corpus, [clip for clip in clips if clip.split != "unseen"])
    with pytest.raises(Unavailable, match="no clip of split 'unseen'"):
        unseen_voices.unseen_clips(context)
    short = [replace(clip, duration=0.9) if clip.split == "unseen" else clip for clip in clips]
    write_manifest(corpus, short)
    with pytest.raises(Unavailable, match="no clip of split 'unseen'"):
        unseen_voices.unseen_clips(replace(context))  # reads the manifest again


def test_a_voice_that_was_trained_on_is_not_unseen(context: EvalContext, corpus: Path) -> None:
    clips = list(read_manifest(corpus))
    known = [replace(clip, speaker="June") if clip.language == "ru" else clip for clip in clips]
    write_manifest(corpus, known)
    with pytest.raises(Unavailable, match="speaker 'June' of split 'unseen' is in split 'train'"):
        unseen_voices.unseen_clips(replace(context))
    unnamed = [replace(clip, speaker="") for clip in clips]
    write_manifest(corpus, unnamed)
    assert unseen_voices.unseen_clips(replace(context))


def test_labels_are_kept_of_every_split_that_is_scored(corpus: Path, tmp_path: Path) -> None:
    clips = list(read_manifest(corpus))
    write_clips(tmp_path / "clips.csv", clips)
    with (tmp_path / "clips.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["clip"], row["speaker"], row["split"]) for row in rows] == [
        (clip.name, clip.speaker, clip.split) for clip in clips
    ]
