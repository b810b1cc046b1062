"""Ask the questions of one run after another; what is answered already is not asked again."""

import hashlib
import json
import math
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from torch import nn
from tqdm import tqdm

from analysis.cache import WaveCache
from analysis.card import write_card
from analysis.errors import Unavailable
from analysis.examples import write_clips, write_examples
from analysis.parts import Key, Part
from analysis.question import Question
from analysis.questions import QUESTIONS
from analysis.references import References
from analysis.runs import TrainedRun
from analysis.subject import SHORTEST, TEST, UNSEEN, Batch, Subject
from analysis.table import Row, describe, make_table, write_table
from analysis.tools import Tools
from dcvae import SpeechAutoencoder
from dcvae.data.manifest import Clip, ManifestError, read_manifest, select_clips
from dcvae.runs import CLIPS, SUMMARY, replace_object
from dcvae.utils.files import files_sha256
from dcvae.utils.locks import folder_lock
from dcvae.vocoders import Vocoder, load_vocoder


class Scorer:
    """Scores runs; what they share is computed once. Use it in a with block."""

    def __init__(self, questions: Sequence[Question], clips: int, tools: Tools) -> None:
        self.questions = questions
        self.clips = clips
        self.tools = tools
        self.waves = WaveCache()
        self.selections: dict[Path, list[Clip]] = {}
        self.vocoders: dict[str, Vocoder] = {}
        self.references: dict[Path, References] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.tools.close()
        self.waves.close()

    def score(self, run: TrainedRun) -> str:
        """Ask what is not answered yet, write the run's table and say in one line what it holds."""
        subject = self.subject(run)
        basis = basis_of(run)
        with folder_lock(run.analysis):  # two that append to one part would spoil it
            return self.answer(run, subject, basis)

    def answer(self, run: TrainedRun, subject: Subject, basis: Key) -> str:
        """The part of `score` that writes."""
        asked, skipped = 0, {}
        for question in self.questions:
            clips, reason = fit_clips(question, subject)
            if reason:
                skipped[question.name] = reason
                say(f"{run.name}: {question.name} is skipped: {reason}")
                continue
            part = Part(run.analysis / "parts", question.name, key(question, clips, subject, basis))
            if not part.is_finished():
                ask(question, clips, subject, part)
                asked += 1
        if not asked and is_written(run):
            return "scored already, skipped"
        summary = self.write(run, subject, basis, skipped)
        self.waves.forget(run.name)
        return summary

    def subject(self, run: TrainedRun) -> Subject:
        """The run with its model loaded, and what it shares with other runs."""
        model = SpeechAutoencoder.from_pretrained(run.checkpoint).to(self.tools.device)
        if run.manifest not in self.selections:
            clips = select_clips(read_manifest(run.manifest), TEST, self.clips, SHORTEST)
            self.selections[run.manifest] = clips
        name = json.dumps(run.vocoder, sort_keys=True)
        if name not in self.vocoders:
            vocoder = load_vocoder(**run.vocoder)
            self.vocoders[name] = (
                vocoder.to(self.tools.device) if isinstance(vocoder, nn.Module) else vocoder
            )
        path = reference_path(run)
        references = self.references.setdefault(path, References(path))
        clips = self.selections[run.manifest]
        return Subject(run, model, self.vocoders[name], clips, self.tools, self.waves, references)

    def write(self, run: TrainedRun, subject: Subject, basis: Key, skipped: dict[str, str]) -> str:
        """The table of all that is answered for this checkpoint, and what is beside it."""
        rows: list[Row] = []
        answered: dict[str, Any] = {}
        for path in sorted((run.analysis / "parts").glob("*.json")):
            part = Part(run.analysis / "parts", path.stem, basis)
            stored = part.stored_key()
            if all(stored.get(name) == value for name, value in part.key.items()):
                rows += part.rows()
                known = {name: stored[name] for name in ("version", "settings")}
                answered[path.stem] = known | part.facts()
        table = make_table(run.name, run.ablation, run.seed, rows)
        write_examples(run, subject)
        manifest = read_manifest(run.manifest)
        write_clips(run.analysis / CLIPS, chain(*map(manifest.where, (TEST, UNSEEN))))
        write_table(run.table, table)
        write_card(run, subject.model, table, TEST)
        summary = {
            "checkpoint": run.checkpoint.name,
            **basis,
            "manifest": describe_manifest(run.manifest),
            "clips": [clip.name for clip in subject.clips],
            "versions": {name: facts["version"] for name, facts in answered.items()},
            "questions": answered,
            "skipped": skipped,
        }
        replace_object(run.analysis / SUMMARY, summary)
        return describe(table)


def reference_path(run: TrainedRun) -> Path:
    """Beside the runs of a size: what depends on manifest, vocoder and versions alone."""
    basis = basis_of(run)
    basis["checkpoint_sha256"] = ""
    basis["manifest"] = files_sha256(run.manifest)
    stamps = {one.name: one.stamp() for one in QUESTIONS.values() if not one.missing()}
    key = hashlib.sha256(json.dumps([basis, stamps], sort_keys=True).encode()).hexdigest()
    return run.size_folder / f"references-{key[:12]}.jsonl"


def basis_of(run: TrainedRun) -> Key:
    """What the rows of every question depend on."""
    basis = {"checkpoint_sha256": run.checkpoint_sha256(), "vocoder": run.vocoder}
    if folder := run.vocoder.get("path"):  # other weights can come to lie there
        files = sorted(path for path in Path(folder).iterdir() if path.is_file())
        basis["vocoder_sha256"] = files_sha256(*files)
    return basis


def describe_manifest(manifest: Path) -> str:
    """Name and content, by which runs that were scored on other clips are told apart."""
    return f"{manifest.name} ({files_sha256(manifest)[:12]})"


def is_written(run: TrainedRun) -> bool:
    """Whether the run's table was written after the last of its parts."""
    summary = run.analysis / SUMMARY
    if not summary.is_file():
        return False
    parts = (run.analysis / "parts").glob("*.json")
    return all(part.stat().st_mtime_ns <= summary.stat().st_mtime_ns for part in parts)


def fit_clips(question: Question, subject: Subject) -> tuple[list[Clip], str]:
    """The clips that the question is asked of; none, and the reason, where it must be skipped."""
    reason = question.missing()
    if reason:
        return [], reason
    try:
        clips = question.clips(subject)
    except Unavailable as error:
        return [], str(error)
    return clips, "" if clips else "no clip is fit for it"


def key(question: Question, clips: Sequence[Clip], subject: Subject, basis: Key) -> Key:
    """What one question's rows depend on; only what differs is measured again."""
    return {
        **basis,
        "version": question.stamp(),
        "clips": [clip.name for clip in clips],
        "settings": question.settings(subject),
    }


def ask(question: Question, clips: Sequence[Clip], subject: Subject, part: Part) -> None:
    """Measure the clips that have no rows yet; unreadable ones are counted in every cell."""
    started = time.perf_counter()
    if not question.by_clip:
        part.restart()
    rows = part.resume()
    done = {row.clip for row in rows}
    subject.unreadable.clear()
    heard = Heard(subject, [clip for clip in clips if clip.name not in done], question.name)
    for measured in question.measure(heard.batches(), subject):
        part.append(measured)
        rows += measured
    if len(subject.unreadable) == len(clips):
        first = next(iter(subject.unreadable.values()))
        raise ManifestError(f"none of the {len(clips)} clips can be read: {first}")
    rows += [
        Row(clip.name, condition, metric, math.nan, subject.unreadable[clip.name])
        for clip in clips
        if clip.name in subject.unreadable
        for condition, metric in question.cells(subject, clip)
    ]
    seconds = time.perf_counter() - started
    factor = seconds / heard.seconds if heard.seconds else math.nan
    facts = {
        "clips": len(clips),
        "seconds": round(seconds, 3),
        "speech_seconds": round(heard.seconds, 3),
        "real_time_factor": round(factor, 5) if heard.seconds else None,
        "n_failed": sum(math.isnan(row.value) for row in rows),
    }
    part.finish(rows, facts)
    say(
        f"{subject.run.name}: {question.name}: {len(clips)} clips in {seconds:.1f} s,"
        f" {factor:.3f} x real time"
    )


class Heard:
    """Passes batches on, with a progress bar, and counts the seconds of speech in them."""

    def __init__(self, subject: Subject, clips: Sequence[Clip], title: str) -> None:
        self.subject = subject
        self.clips = clips
        self.title = title
        self.seconds = 0.0

    def batches(self) -> Iterator[Batch]:
        """The batches of these clips, one after another."""
        progress = tqdm(
            total=len(self.clips),
            desc=f"{self.subject.run.name} {self.title}",
            unit="clip",
            leave=False,
            disable=None,
        )
        with progress:
            for batch in self.subject.batches(self.clips):
                yield batch
                self.seconds += sum(sample.seconds for sample in batch.samples)
                progress.update(len(batch.samples))


def say(line: str) -> None:
    tqdm.write(line, file=sys.stderr)
