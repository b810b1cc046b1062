"""Evaluate one run after another; what is measured already is not measured again."""

import hashlib
import json
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from torch import nn
from tqdm import tqdm

from analysis.context import SHORTEST, TEST, CountedBatches, EvalContext
from analysis.errors import Unavailable
from analysis.evaluator import Evaluator
from analysis.outputs.examples import write_clips, write_examples
from analysis.outputs.model_card import write_card
from analysis.outputs.protocol import write_protocol
from analysis.outputs.summary import (
    command_line,
    describe_environment,
    describe_run,
    read_parts,
    scored_clips,
)
from analysis.outputs.table import Row, describe, make_table, write_table
from analysis.registry import EVALUATORS
from analysis.resources import Resources
from analysis.runs import ScoredRun, TrainedRun
from analysis.stores.reference_store import References
from analysis.stores.result_store import Key, ResultStore
from analysis.stores.wave_cache import WaveCache
from analysis.systems.autoencoder import AutoencoderSystem
from dcvae.data.manifest import Clip, ManifestError, read_manifest, select_clips
from dcvae.runs import CLIPS, PROTOCOL, SUMMARY
from dcvae.utils.files import files_sha256, replace_json
from dcvae.utils.locks import folder_lock
from dcvae.vocoders import Vocoder, load_vocoder


class AnalysisRunner:
    """Scores runs; what they share is computed once. Use it in a with block."""

    def __init__(self, evaluators: Sequence[Evaluator], clips: int, resources: Resources) -> None:
        self.evaluators = evaluators
        self.clips = clips
        self.resources = resources
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
        self.resources.close()
        self.waves.close()

    def score(self, run: ScoredRun) -> str:
        """Measure what is not measured yet, write the run's table and sum it up in one line."""
        context = self.context(run)
        basis = basis_of(context)
        run.describe(context.system)
        with folder_lock(run.analysis):  # two that append to one part would spoil it
            return self.score_locked(run, context, basis)

    def score_locked(self, run: ScoredRun, context: EvalContext, basis: Key) -> str:
        """The part of `score` that writes."""
        evaluated, skipped = 0, {}
        for evaluator in self.evaluators:
            clips, reason = fit_clips(evaluator, context)
            if reason:
                skipped[evaluator.name] = reason
                say(f"{run.name}: {evaluator.name} is skipped: {reason}")
                continue
            store = ResultStore(
                run.analysis / "parts", evaluator.name, key(evaluator, clips, context, basis)
            )
            if not store.is_finished():
                evaluate(evaluator, clips, context, store)
                evaluated += 1
        if not evaluated and is_written(run):
            return "scored already, skipped"
        summary = self.write(run, context, basis, skipped)
        self.waves.forget(run.name)
        return summary

    def context(self, run: ScoredRun) -> EvalContext:
        """The run with its model loaded, and what it shares with other runs."""
        if run.manifest not in self.selections:
            clips = select_clips(read_manifest(run.manifest), TEST, self.clips, SHORTEST)
            self.selections[run.manifest] = clips
        name = json.dumps(run.vocoder, sort_keys=True)
        if name not in self.vocoders:
            vocoder = load_vocoder(**run.vocoder)
            self.vocoders[name] = (
                vocoder.to(self.resources.device) if isinstance(vocoder, nn.Module) else vocoder
            )
        vocoder = self.vocoders[name]
        system = run.load(vocoder, self.resources.device)
        path = reference_path(run)
        if path not in self.references:
            self.references[path] = References(path)
        references = self.references[path]
        clips = self.selections[run.manifest]
        return EvalContext(run, system, vocoder, clips, self.resources, self.waves, references)

    def write(
        self, run: ScoredRun, context: EvalContext, basis: Key, skipped: dict[str, str]
    ) -> str:
        """The table of all that is measured for this checkpoint, and what is beside it."""
        from analysis.outputs.overview import write_overview  # seaborn and scipy.stats: 2 s

        clips = scored_clips(context)
        rows, measured = read_parts(run.analysis / "parts", basis, EVALUATORS, clips)
        table = make_table(run.name, run.ablation, run.seed, rows)
        write_examples(run, context)
        write_clips(run.analysis / CLIPS, scored_clips(context))
        write_table(run.table, table)
        if isinstance(context.system, AutoencoderSystem) and isinstance(run, TrainedRun):
            write_card(run, context.system.model, table, TEST)
        write_overview(run)
        summary = describe_run(run, context, basis) | {
            "versions": {name: facts["version"] for name, facts in measured.items()},
            "evaluators": measured,
            "skipped": skipped,
            "command": command_line(
                run, self.clips, self.resources, [name for name in EVALUATORS if name in measured]
            ),
        }
        replace_json(run.analysis / SUMMARY, summary)
        write_protocol(run)
        return describe(table)


def reference_path(run: ScoredRun) -> Path:
    """Beside the runs of a size: what depends on manifest, vocoder and versions alone."""
    basis = vocoder_basis(run) | {"manifest": files_sha256(run.manifest)}
    stamps = {one.name: one.stamp() for one in EVALUATORS.values() if not one.missing()}
    key = hashlib.sha256(json.dumps([basis, stamps], sort_keys=True).encode()).hexdigest()
    return run.size_folder / f"references-{key[:12]}.jsonl"


def basis_of(context: EvalContext) -> Key:
    """What all rows depend on."""
    return dict(context.system.identity) | vocoder_basis(context.run)


def vocoder_basis(run: ScoredRun) -> Key:
    """The vocoder's settings, and its weights where it has some."""
    basis: Key = {"vocoder": run.vocoder}
    if folder := run.vocoder.get("path"):  # other weights can come to lie there
        files = sorted(path for path in Path(folder).iterdir() if path.is_file())
        basis["vocoder_sha256"] = files_sha256(*files)
    return basis


def is_written(run: ScoredRun) -> bool:
    """Whether the run's last file, its protocol, was written after the last of its parts."""
    protocol = run.analysis / PROTOCOL
    if not ((run.analysis / SUMMARY).is_file() and protocol.is_file()):
        return False
    parts = (run.analysis / "parts").glob("*.json")
    return all(part.stat().st_mtime_ns <= protocol.stat().st_mtime_ns for part in parts)


def fit_clips(evaluator: Evaluator, context: EvalContext) -> tuple[list[Clip], str]:
    """The clips of an evaluator; none, and the reason, where it must be skipped."""
    reason = evaluator.missing() or evaluator.lacks(context.system)
    if reason:
        return [], reason
    try:
        clips = evaluator.clips(context)
    except Unavailable as error:
        return [], str(error)
    return clips, "" if clips else "no clip is fit for it"


def key(evaluator: Evaluator, clips: Sequence[Clip], context: EvalContext, basis: Key) -> Key:
    """What one evaluator's rows depend on; only what differs is measured again."""
    return {
        **basis,
        "version": evaluator.stamp(),
        "clips": [clip.name for clip in clips],
        "settings": evaluator.settings(context),
    }


def evaluate(
    evaluator: Evaluator, clips: Sequence[Clip], context: EvalContext, store: ResultStore
) -> None:
    """Measure the clips that have no rows yet; unreadable ones are counted in every cell."""
    started = time.perf_counter()
    if not evaluator.by_clip:
        store.restart()
    rows = store.resume()
    done = {row.clip for row in rows}
    context.unreadable.clear()
    context.facts.clear()
    counted = CountedBatches(
        context, [clip for clip in clips if clip.name not in done], evaluator.name
    )
    for measured in evaluator.measure(counted.batches(), context):
        store.append(measured)
        rows += measured
    if len(context.unreadable) == len(clips):
        first = next(iter(context.unreadable.values()))
        raise ManifestError(f"none of the {len(clips)} clips can be read: {first}")
    rows += [
        Row(clip.name, condition, metric, math.nan, context.unreadable[clip.name])
        for clip in clips
        if clip.name in context.unreadable
        for condition, metric in evaluator.cells(context, clip)
    ]
    if store.key["settings"].get("recogniser"):
        context.facts["recogniser_sha256"] = context.resources.recogniser.weights_sha256
    seconds = time.perf_counter() - started
    factor = seconds / counted.seconds if counted.seconds else math.nan
    facts = {
        "clips": len(clips),
        "seconds": round(seconds, 3),
        "speech_seconds": round(counted.seconds, 3),
        "real_time_factor": round(factor, 5) if counted.seconds else None,
        "n_failed": sum(math.isnan(row.value) for row in rows),
        "environment": describe_environment(context.resources.device),
        **context.facts,
    }
    store.finish(rows, facts)
    say(
        f"{context.run.name}: {evaluator.name}: {len(clips)} clips in {seconds:.1f} s,"
        f" {factor:.3f} x real time"
    )


def say(line: str) -> None:
    tqdm.write(line, file=sys.stderr)
