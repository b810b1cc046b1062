"""The interface test: what does the decoder make of a generator's own errors?

Latent noise is a stand-in for them. Here the frames of test clips are drawn anew by the model of
the latents (analysis/latent_lm), at several steps of its training, decoded, and scored against the
original. `interface_probe_1_step_<n>`: every frame given the true frames before it.
`interface_probe_4_step_<n>`: runs of four frames, of which each follows those drawn before it.
`interface_white_...`: white noise of the same power as those errors, clip by clip, at the last of
the steps. `interface` has the STOI of the first of these at the end of the training: claims rest
on it, since it takes a model that predicts, a decoder that forgives, and latents that hold speech.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from torch import Tensor

from analysis.context import Batch, EvalContext
from analysis.evaluator import Cell, Evaluator, Needs
from analysis.evaluators import latent_lm
from analysis.evaluators.degraded_scores import DegradedScorer
from analysis.evaluators.noise import fixed_noise
from analysis.evaluators.robustness import first_clips
from analysis.latent_lm.continuation import STANDARDISED
from analysis.latent_lm.data import to_frames, to_latents
from analysis.latent_lm.fit import Fitted
from analysis.latent_lm.heldout import noise_of
from analysis.latent_lm.presets import Preset, preset_named
from analysis.latent_lm.probe import probe_of
from analysis.latent_lm.rollout import draw_frames
from analysis.metrics.score import Score, score
from analysis.outputs.table import Row
from analysis.resources import beside_the_pool
from dcvae.data.manifest import Clip

RUNS = (1, 4)  # frames that are drawn from one true history
CLEAN, TRAINED = "interface_clean", "interface"
ERROR = "error_share"
BAR_METRIC, BAR = "stoi", 0.15  # low: passed by the tiny baseline on validation clips
BAR_CELL = (TRAINED, "flops_to_bar")
PASSED = "passed before the first decoded step"


def condition(kind: str, run: int, step: int) -> str:
    return f"interface_{kind}_{run}_step_{step}"


def kinds(step: int, preset: Preset) -> tuple[str, ...]:
    """The errors that are decoded at a step: white noise at the last alone, to save listening."""
    return ("probe", "white") if step == preset.decoded[-1] else ("probe",)


def measure(batches: Iterator[Batch], context: EvalContext) -> Iterator[list[Row]]:
    """What DegradedScorer scores, of every clip in every condition.

    `error_share` is the power of the error over the variance of the latents: 2 where frames are
    drawn as if nothing were known. `flops_to_bar` of the set is the training compute, in
    operations, after which the mean STOI of frames drawn given true history passes BAR; NaN where
    it passes before the first decoded step, or never.
    """
    probe = probe_of(context)
    preset = probe.preset
    if reason := probe.reason:
        names = [(sample.name, sample.clip) for batch in batches for sample in batch.samples]
        yield [
            Row(name, *cell, math.nan, reason)
            for name, clip in names
            for cell in cells(context, clip)
        ]
        yield [Row("", *BAR_CELL, math.nan, reason)]
        return
    fitted = probe.fitted[STANDARDISED]
    scorer = DegradedScorer(context, listening=True)
    rows: list[Row] = []
    with beside_the_pool():
        for batch in batches:
            scorer.start(batch)
            scorer.score_outputs(CLEAN, batch.outputs)
            errors = []
            for step in preset.decoded:
                for run in RUNS:
                    errors += score_errors(batch, fitted, step, run, preset, scorer)
            found = [*scorer.finish(), *errors]
            rows += [row for row in found if row.metric == BAR_METRIC]
            yield found + trained_rows(found, preset)
    yield [Row("", *BAR_CELL, *flops_to_bar(stoi_by_step(rows, preset), fitted.flops))]


def score_errors(
    batch: Batch, fitted: Fitted, step: int, run: int, preset: Preset, scorer: DegradedScorer
) -> list[Row]:
    """Score one batch's drawn frames, and white noise of their errors' power; the errors' rows."""
    context = batch.context
    latents = {kind: batch.latents.clone() for kind in kinds(step, preset)}
    rows = []
    for number, (sample, own) in enumerate(zip(batch.samples, batch.clip_latents, strict=True)):
        drawn = draw(sample.name, own, fitted, step, run, preset)
        power = (drawn - own).square().mean()
        length = own.shape[-1]
        latents["probe"][number, ..., :length] = drawn
        if "white" in latents:
            noise = fixed_noise(sample.name, own.shape)
            latents["white"][number, ..., :length] = own + power.sqrt() * noise
        share = power / fitted.scaling.std.square().mean()
        rows.append(Row(sample.name, condition("probe", run, step), ERROR, *score(float, share)))
    for kind, disturbed in latents.items():
        outputs = context.decode(batch.samples, disturbed)
        scorer.score_outputs(condition(kind, run, step), outputs)
    return rows


def draw(name: str, own: Tensor, fitted: Fitted, step: int, run: int, preset: Preset) -> Tensor:
    """A clip's latents [C, H, L], every frame drawn by the model at one step of its training."""
    frames = fitted.scaling.apply(to_frames(own))
    noise = noise_of(name, "interface", *frames.shape)
    network = fitted.snapshots[step]
    drawn = draw_frames(network, frames, noise, run, preset.solver_steps)
    return to_latents(fitted.scaling.invert(drawn), own.shape[1])


def trained_rows(rows: Sequence[Row], preset: Preset) -> list[Row]:
    """STOI at the end of the training, under the name that claims give it."""
    last = condition("probe", 1, preset.decoded[-1])
    return [row._replace(condition=TRAINED) for row in rows if row[1:3] == (last, BAR_METRIC)]


def stoi_by_step(rows: Sequence[Row], preset: Preset) -> dict[int, float]:
    """The mean STOI of frames drawn given true history, by training step."""
    values = {
        step: [row.value for row in rows if row.condition == condition("probe", 1, step)]
        for step in preset.decoded
    }
    finite = {step: [one for one in found if math.isfinite(one)] for step, found in values.items()}
    return {step: fmean(found) for step, found in finite.items() if found}


def flops_to_bar(curve: Mapping[int, float], flops: float, bar: float = BAR) -> Score:
    """Operations at which a curve by step first passes the bar, straight between its points.

    One that begins above it after step 0 has passed it at a step that was not decoded: NaN.
    """
    if not curve:
        return Score(math.nan, f"no clip has a {BAR_METRIC}")
    steps, heights = list(curve), list(curve.values())
    for number, height in enumerate(heights):
        if height >= bar:
            if not number:
                return Score(math.nan, PASSED) if steps[0] else Score(0.0)
            before, low = steps[number - 1], heights[number - 1]
            share = (bar - low) / (height - low)
            return Score((before + share * (steps[number] - before)) * flops)
    return Score(math.nan, f"{BAR_METRIC} stays under {bar:g} within {steps[-1]} steps")


def cells(context: EvalContext, clip: Clip) -> list[Cell]:
    scorer = DegradedScorer(context, listening=True)
    preset = preset_named(context.resources.options.budget)
    conditions = [
        condition(kind, run, step)
        for step in preset.decoded
        for run in RUNS
        for kind in kinds(step, preset)
    ]
    scored = [(one, metric) for one in (CLEAN, *conditions) for metric in scorer.metrics(clip)]
    errors = [(condition("probe", run, step), ERROR) for run in RUNS for step in preset.decoded]
    return [*scored, *errors, (TRAINED, BAR_METRIC)]


def settings(context: EvalContext) -> dict[str, Any]:
    """The models' budget, and with which listening models the outputs are scored."""
    return latent_lm.settings(context) | DegradedScorer(context, listening=True).settings


EVALUATOR = Evaluator(
    name="interface",
    version=2,
    measure=measure,
    cells=cells,
    clips=first_clips,
    settings=settings,
    libraries=("pesq", "pystoi"),
    needs=Needs.LATENTS,
    by_clip=False,  # the compute to the bar is of all clips together
)
