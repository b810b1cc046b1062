"""One run's models of its latents, for every evaluator that asks for them."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from analysis.context import Batch, EvalContext
from analysis.latent_lm.continuation import (
    RAW,
    STANDARDISED,
    Continuations,
    Prompt,
    continue_prompts,
    make_prompt,
)
from analysis.latent_lm.data import Scaling, fault, to_frames, whole_latents
from analysis.latent_lm.fit import Fitted, encode_splits, fit
from analysis.latent_lm.presets import Preset, preset_named
from analysis.metrics.score import Unmeasurable


@dataclass
class Probe:
    """Models of the latents as they are and standardised, and what they are judged on."""

    preset: Preset
    sequences: dict[str, Tensor]  # frames [L, C * H] by the held-out clip's name
    prompts: list[Prompt]  # of the clips that are long enough to be continued
    faults: dict[str, str]  # the reason, by the name of a clip that cannot be scored
    fitted: dict[str, Fitted]  # by condition; none where no model could be trained
    reason: str = ""  # why none could
    known: Continuations | None = None

    def continuations(self, context: EvalContext) -> Continuations:
        """The prompts of the watched clips continued, drawn once; none where there is no model."""
        if self.known is None:
            watched = set(list(self.sequences)[: self.preset.watched])
            prompts = [prompt for prompt in self.prompts if prompt.name in watched and self.fitted]
            self.known = continue_prompts(prompts, self.fitted, self.preset, context)
        return self.known


def probe_of(context: EvalContext, batches: Iterator[Batch] | None = None) -> Probe:
    """The run's models, trained by the first evaluator that asks for them.

    `batches` are the held-out clips, where the evaluator has them all; else they are read here.
    """
    if context.probe is None:
        preset = preset_named(context.resources.options.budget)
        batches = context.batches(context.clips) if batches is None else batches
        context.probe = build_probe(batches, context, preset)
    elif batches is not None:
        for _ in batches:  # which notes those that cannot be read
            pass
    probe: Probe = context.probe
    return probe


def build_probe(batches: Iterator[Batch], context: EvalContext, preset: Preset) -> Probe:
    """Encode the held-out clips, and train on the run's training split."""
    sequences, prompts, faults = encode_held_out(batches, context)
    try:
        frames = encode_splits(sequences, context, preset)
        scalings = {
            STANDARDISED: Scaling.standardise(frames.train),
            RAW: Scaling.none(frames.train[0].shape[1]),
        }
        fitted = fit(frames, scalings, preset, context.resources)
    except Unmeasurable as error:
        return Probe(preset, sequences, prompts, faults, {}, str(error))
    return Probe(preset, sequences, prompts, faults, fitted)


def encode_held_out(
    batches: Iterator[Batch], context: EvalContext
) -> tuple[dict[str, Tensor], list[Prompt], dict[str, str]]:
    """Frames, prompts and faults, in the order of the selection, whatever the batches'."""
    found: dict[str, tuple[Tensor, Prompt | None]] = {}
    faults: dict[str, str] = {}
    system = context.latent_system
    for batch in batches:
        whole = whole_latents(batch.samples, batch.latents, system)
        for sample, latents in zip(batch.samples, whole, strict=True):
            if reason := fault(latents):
                faults[sample.name] = reason
                continue
            frames = to_frames(latents)
            found[sample.name] = frames, make_prompt(sample, frames, system)
    ordered = [clip.name for clip in context.clips if clip.name in found]
    prompts = [found[name][1] for name in ordered]
    return (
        {name: found[name][0] for name in ordered},
        [prompt for prompt in prompts if prompt is not None],
        faults,
    )
