"""What is kept beside the table: example clips to listen to, and every clip's labels."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from analysis.batching import Sample
from analysis.context import EvalContext
from analysis.runs import ScoredRun
from dcvae.audio.io import write_audio
from dcvae.data.manifest import Clip
from dcvae.utils.files import replacing, replacing_folder

EXAMPLES_FOLDER = "examples"
EXAMPLES = 6  # clips kept as audio
CANDIDATES = 12  # tried for them: some may be silent or unreadable
EXAMPLE_SECONDS = (1.5, 6.0)  # so long, where there are such: a listening page stays small

Output = tuple[Sample, Tensor, Tensor, Tensor]  # with its ceiling, reconstruction and mel


def candidates(clips: Sequence[Clip]) -> list[Clip]:
    """The first of the selection, those of a handy length before others."""
    shortest, longest = EXAMPLE_SECONDS
    return sorted(clips, key=lambda clip: not shortest <= clip.duration <= longest)[:CANDIDATES]


def examples(context: EvalContext) -> list[Output]:
    """The first EXAMPLES that are usable; no more are vocoded than are needed."""
    found: list[Output] = []
    left = candidates(context.clips)
    while left and len(found) < EXAMPLES:
        count = EXAMPLES - len(found)
        found += usable_outputs(context, left[:count])
        left = left[count:]
    return found


def usable_outputs(context: EvalContext, clips: Sequence[Clip]) -> list[Output]:
    """Audible clips with finite outputs, in the order of `clips`."""
    outputs: dict[str, Output] = {}
    for batch in context.batches(clips):
        made = zip(batch.samples, batch.ceilings, batch.waves, batch.mels, strict=True)
        for sample, ceiling, wave, mel in made:
            finite = bool(torch.isfinite(mel).all() and torch.isfinite(wave).all())
            if finite and bool(sample.wave.any()):
                outputs[sample.name] = sample, ceiling, wave, mel
    return [outputs[clip.name] for clip in clips if clip.name in outputs]


def write_examples(run: ScoredRun, context: EvalContext) -> None:
    """A folder for each example: three waves and both mels."""
    with replacing_folder(run.analysis / EXAMPLES_FOLDER) as folder:
        for sample, ceiling, wave, mel in examples(context):
            place = folder / sample.name
            place.mkdir()
            write_audio(place / "original.wav", sample.wave)
            write_audio(place / "ceiling.wav", ceiling)
            write_audio(place / "reconstruction.wav", wave)
            np.savez_compressed(
                place / "mel.npz", original=sample.mel.numpy(), reconstruction=mel.numpy()
            )


def write_clips(path: Path, clips: Iterable[Clip]) -> None:
    """The labels by which figures and statistics group the table's clips, as CSV."""
    with (
        replacing(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("clip", "speaker", "language", "duration", "text", "split"))
        for clip in clips:
            labels = (clip.speaker, clip.language, f"{clip.duration:.6f}", clip.text, clip.split)
            writer.writerow((clip.name, *labels))
