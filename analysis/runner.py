"""Evaluate one run after another; what is measured already is not measured again."""

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
from analysis.outputs.written import digests_of, is_written
from analysis.registry import EVALUATORS
from analysis.resources import Resources
from analysis.runs import ScoredRun, TrainedRun
from analysis.stores.audio_digests import audio_digests
from analysis.stores.keys import basis_of, key, reference_path
from analysis.stores.reference_store import References
from analysis.stores.result_store import Key, ResultStore
from analysis.stores.tensor_cache import TensorCache
from analysis.systems.autoencoder import AutoencoderSystem
from dcvae.data.manifest import Clip, Manifest, ManifestError, read_manifest, select_clips
from dcvae.runs import CLIPS, SUMMARY
from dcvae.utils.files import replace_json
from dcvae.utils.locks import folder_lock
from dcvae.vocoders import Vocoder, load_vocoder


class AnalysisRunner:
    """Scores runs; what they share is computed once. Use it in a with block."""

    def __init__(self, evaluators: Sequence[Evaluator], clips: int, resources: Resources) -> None:
        self.evaluators = evaluators
        self.clips = clips
        self.resources = resources
        self.cache = TensorCache()
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
        self.cache.close()
        self.resources.__exit__(kind, error, trace)

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
            context.references.audio |= audio_digests(clips)
            store = ResultStore(
                run.analysis / "parts", evaluator.name, key(evaluator, clips, context, basis)
            )
            if not store.is_finished():
                evaluate(evaluator, clips, context, store)
                evaluated += 1
        if not evaluated and is_written(run):
            return "scored already, skipped"
        summary = self.write(run, context, basis, skipped)
        self.cache.forget(run.name)
        return summary

    def context(self, run: ScoredRun) -> EvalContext:
        """The run with its model loaded, and what it shares with other runs."""
        if run.manifest not in self.selections:
            manifest = read_manifest(run.manifest)
            check_names(manifest, run.manifest)
            self.selections[run.manifest] = select_clips(manifest, TEST, self.clips, SHORTEST)
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
        return EvalContext(run, system, vocoder, clips, self.resources, self.cache, references)

    def write(
        self, run: ScoredRun, context: EvalContext, basis: Key, skipped: dict[str, str]
    ) -> str:
        """The table of all that is measured for this checkpoint, and what is beside it."""
        from analysis.outputs.overview import write_overview  # seaborn and scipy.stats: 2 s

        clips = scored_clips(context.manifest)
        rows, measured = read_parts(run.analysis / "parts", basis, EVALUATORS, clips)
        table = make_table(run.name, run.ablation, run.seed, rows)
        write_examples(run, context)
        write_clips(run.analysis / CLIPS, scored_clips(context.manifest))
        write_table(run.table, table)
        if isinstance(context.system, AutoencoderSystem) and isinstance(run, TrainedRun):
            write_card(run, context.system.model, table, TEST)
        write_overview(run)
        summary = describe_run(run, context, basis) | {
            "files": digests_of(run.analysis),
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


def check_names(manifest: Manifest, path: Path) -> None:
    """ManifestError where a clip stands twice among those that are scored: its rows would too."""
    names: set[str] = set()
    for clip in scored_clips(manifest):
        if clip.name in names:
            raise ManifestError(
                f"{path} has {clip.key or clip.path} twice among the clips to score"
            )
        names.add(clip.name)


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
