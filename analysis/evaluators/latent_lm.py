"""How easily are the latents modelled? Small generative models of them, the same for every run.

A causal transformer with a flow-matching head (analysis/latent_lm) is trained on the clean latents
of the training split, on a fixed budget of speech and steps, and scored on test clips: three
seeds on the standardised latents ("modelability"), three on the latents as they are
("modelability_raw"). Every number is the mean over the seeds.

`heldout_loss_per_second` is the flow-matching loss, summed over the dims and frames of a second
of speech. A second is what spaces of unlike frame rates and widths have in common; a space with
more floats a second has more to get wrong. `heldout_loss` is the same for one dim of one frame:
pi / 2 = 1.57 is what knows nothing but mean and variance. It is 0 for what is certain.

`context_gain` is the share of the loss of a Gaussian without context that the model saves: what the
frames before tell of the next one. It is 1 at most, and less than 0, without a bound, where the
model does worse than the Gaussian. That one is fitted to each space; the model begins as the best
linear one of mean 0 and unit variance, which standardised latents have, and has the same steps to
correct it. On raw latents of a root mean square of 35 it is -15. `standardising_gain` is how much
higher the gain is on standardised latents than on raw ones: what pre-normalisation is needed for,
about 0 in a space of unit variance and without a bound far from it.

A low loss alone is no merit. Values that repeat each other or change slowly are cheap: the latents
of an *untrained* encoder, which are little more than smoothed energy, have a lower loss than those
of a trained one, and so has any space that left out what is hard to predict. What ranks all is
speech: the decoded continuations of held-out prompts, in the measures that every space shares
(continuation_frechet.py and continuations.py beside this file). Prompts are latents of whole clips,
so an encoder that looks ahead has seen a little of what follows; that is alike for every run of one
architecture.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict
from statistics import fmean, stdev
from typing import Any

from analysis.context import Batch, EvalContext
from analysis.evaluator import Cell, Evaluator, Needs
from analysis.latent_lm.continuation import NO_CONTEXT, RAW, STANDARDISED
from analysis.latent_lm.fit import mean
from analysis.latent_lm.presets import SEED, Preset, preset_named
from analysis.latent_lm.probe import Probe, probe_of
from analysis.metrics.score import Score
from analysis.outputs.table import Row
from dcvae.data.manifest import Clip

PER_DIM, PER_SECOND, GAIN = "heldout_loss", "heldout_loss_per_second", "context_gain"
SCALE_GAIN = "standardising_gain"
OF_CLIP = [(STANDARDISED, name) for name in (PER_DIM, PER_SECOND, GAIN, SCALE_GAIN)] + [(RAW, GAIN)]


def measure(batches: Iterator[Batch], context: EvalContext) -> Iterator[list[Row]]:
    """The rows of every test clip and of the set, by condition.

    "modelability" and "modelability_raw": each clip's loss and gain, and of the set `chosen_step`,
    at which the loss on the validation split was lowest and whose weights all of these are of, and
    `seed_deviation` of the loss. "step_<n>", "raw_step_<n>": the clips' means after n steps, and
    `train_flops`, the operations so far; a step takes the same seconds of speech in every space.
    "no_context": the same of a Gaussian with the covariance of the training frames.
    """
    probe = probe_of(context, batches)
    yield [row for name, why in probe.faults.items() for row in failed_rows(name, why)]
    if not probe.fitted:
        yield [row for name in probe.sequences for row in failed_rows(name, probe.reason)]
        yield [Row("", *cell, math.nan, probe.reason) for cell in set_cells(probe.preset)]
        return
    context.facts["train_seconds_per_step"] = probe.fitted[STANDARDISED].seconds
    yield clip_rows(probe, context)
    yield curve_rows(probe, context)


def clip_rows(probe: Probe, context: EvalContext) -> list[Row]:
    """The loss and the gains of every clip."""
    standardised, raw = probe.fitted[STANDARDISED], probe.fitted[RAW]
    per_second = standardised.scaling.dims * context.latent_system.latent_rate
    raw_gains = raw.gains
    return [
        row
        for (name, loss), gain in zip(
            standardised.losses.items(), standardised.gains.values(), strict=True
        )
        for row in (
            Row(name, STANDARDISED, PER_DIM, *measured(loss)),
            Row(name, STANDARDISED, PER_SECOND, *measured(loss * per_second)),
            Row(name, STANDARDISED, GAIN, *measured(gain)),
            Row(name, STANDARDISED, SCALE_GAIN, *measured(gain - raw_gains[name])),
            Row(name, RAW, GAIN, *measured(raw_gains[name])),
        )
    ]


def curve_rows(probe: Probe, context: EvalContext) -> list[Row]:
    """The set's numbers: at every step, without context, and how far the seeds lie apart."""
    watched = list(probe.sequences)[: probe.preset.watched]
    one = probe.fitted[STANDARDISED]
    per_second = one.scaling.dims * context.latent_system.latent_rate
    rows = []
    for step, (loss, gain) in one.curve(watched).items():
        rows.append(Row("", f"step_{step}", PER_SECOND, *measured(loss * per_second)))
        rows.append(Row("", f"step_{step}", GAIN, *measured(gain)))
        rows.append(Row("", f"step_{step}", "train_flops", step * one.flops))
    for step, (_, gain) in probe.fitted[RAW].curve(watched).items():
        rows.append(Row("", f"raw_step_{step}", GAIN, *measured(gain)))
    bare = mean({name: one.bare[name] for name in watched})
    rows.append(Row("", NO_CONTEXT, PER_DIM, *measured(bare)))
    rows.append(Row("", NO_CONTEXT, PER_SECOND, *measured(bare * per_second)))
    for condition, fitted in probe.fitted.items():
        steps = [model.step for model in fitted.models]
        losses = [mean(model.losses) for model in fitted.models]
        deviation = stdev(losses) if len(losses) > 1 else math.nan
        rows.append(Row("", condition, "chosen_step", fmean(steps)))
        rows.append(Row("", condition, "seed_deviation", *measured(deviation)))
    return rows


def measured(value: float) -> Score:
    return Score(value) if math.isfinite(value) else Score(math.nan, "the loss is not finite")


def failed_rows(name: str, reason: str) -> list[Row]:
    """The rows of a clip that cannot be scored."""
    return [Row(name, *cell, math.nan, reason) for cell in OF_CLIP]


def set_cells(preset: Preset) -> list[Cell]:
    """What the set has a row of."""
    steps = sorted({*preset.curve, preset.steps})
    return [
        *((f"step_{step}", name) for step in steps for name in (PER_SECOND, GAIN, "train_flops")),
        *((f"raw_step_{step}", GAIN) for step in steps),
        (NO_CONTEXT, PER_DIM),
        (NO_CONTEXT, PER_SECOND),
        *((one, name) for one in (STANDARDISED, RAW) for name in ("chosen_step", "seed_deviation")),
    ]


def cells(context: EvalContext, clip: Clip) -> list[Cell]:
    """What every clip has a row of."""
    return OF_CLIP


def settings(context: EvalContext) -> dict[str, Any]:
    """Every number of the budget: the rows of another one are measured again."""
    name = context.resources.options.budget
    return {"budget": name, "seed": SEED, **asdict(preset_named(name))}


EVALUATOR = Evaluator(
    name="modelability",
    version=3,
    measure=measure,
    cells=cells,
    settings=settings,
    needs=Needs.LATENTS,
    by_clip=False,  # one set of models is trained for all clips
    protocol=(
        "`context_gain` is the share that a model saves of the held-out loss of a Gaussian fitted"
        " to the training frames: 1 at most, without a lower bound. Under `modelability` frames are"
        " standardised dim by dim, under `modelability_raw` they are as the encoder gives them, and"
        " the model's prior has mean 0 and unit variance in both. `standardising_gain` is the first"
        " gain less the second."
    ),
)
