"""How easily are the latents modelled? A small generative model of them, the same for every run.

A causal transformer with a flow-matching head (analysis/modelling) is trained on the standardised
clean latents of the training split, on a fixed budget of speech and steps, and scored on test
clips. Two numbers belong together:

`heldout_loss_per_second` is the flow-matching loss, summed over the dims and frames of a second
of speech. A second is what spaces of unlike frame rates and widths have in common; a space with
more floats a second has more to get wrong. `heldout_loss` is the same for one dim of one frame:
pi / 2 = 1.57 is what knows nothing but mean and variance. It is 0 for what is certain.

A low loss alone is no merit. Values that repeat each other or change slowly are cheap: the
latents of an *untrained* encoder, which are little more than smoothed energy, have a lower loss
than those of a trained one, and so has any space that left out what is hard to predict. The loss
compares spaces that reconstruct equally well. What ranks all is the Frechet distance of the
decoded continuations to real speech, since there the decoder must make speech of them: an
untrained autoencoder is far behind. `continuation_frechet` is of log-mel frames. Frames without
any order could have a low one, so `continuation_change_frechet`, of how frames change within
0.19 s, stands beside it. Both depend on the noise drawn and on which clips there are: small
differences mean nothing. Prompts are latents of whole clips, so an encoder that looks ahead has
seen a little of what follows; that is alike for every run of one architecture.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from analysis.context import Batch, EvalContext
from analysis.evaluator import Cell, Evaluator
from analysis.latent_lm.continuation import Prompt, continuation_rows, failed_rows, make_prompt
from analysis.latent_lm.data import fault, to_frames, whole_latents
from analysis.latent_lm.fit import Fitted, fit
from analysis.latent_lm.presets import SEED, Preset, preset_named
from analysis.metrics.score import Score, Unmeasurable
from analysis.outputs.table import Row
from dcvae.data.manifest import Clip

CONDITION = "modelability"
PER_DIM, PER_SECOND = "heldout_loss", "heldout_loss_per_second"


@dataclass
class HeldOut:
    """The test clips, encoded."""

    sequences: dict[str, Tensor]  # frames [L, C * H] by the clip's name
    prompts: list[Prompt]  # what is continued
    failed: dict[str, str]  # the reason, by the name of a clip that cannot be scored


def measure(batches: Iterator[Batch], context: EvalContext) -> Iterator[list[Row]]:
    """The rows of every test clip and of the set, by condition.

    "modelability": the loss of each clip; the two distances; and `chosen_step`, at which the
    loss on the validation split was lowest and whose weights all of these are of. "step_<n>":
    the clips' mean loss after n steps, the compute-to-quality curve; a step takes the same
    seconds of speech in every space. "no_context": the same of a Gaussian with the covariance
    of the training frames, which knows nothing of the frames before. "reconstruction": the
    distances of the clips' own latents decoded, which is what a perfect model would reach.
    """
    preset = preset_named(context.resources.options.budget)
    held_out = encode_held_out(batches, context)
    yield [row for name, why in held_out.failed.items() for row in failed_clip_rows(name, why)]
    try:
        fitted = fit(held_out.sequences, context, preset)
    except Unmeasurable as error:
        reason = str(error)
        yield [row for name in held_out.sequences for row in failed_clip_rows(name, reason)]
        yield failed_set_rows(preset, reason) + failed_rows(reason)
        return
    yield loss_rows(fitted, context)
    yield continuation_rows(held_out.prompts[: preset.watched], fitted, preset, context)


def encode_held_out(batches: Iterator[Batch], context: EvalContext) -> HeldOut:
    """The latents of every test clip, in the order of the selection, whatever the batches'."""
    found, failed = {}, {}
    for batch in batches:
        for sample, latents in zip(batch.samples, whole_latents(batch), strict=True):
            if reason := fault(latents):
                failed[sample.name] = reason
                continue
            frames = to_frames(latents)
            found[sample.name] = frames, make_prompt(sample, frames, context.model.compression)
    ordered = [clip.name for clip in context.clips if clip.name in found]
    sequences = {name: found[name][0] for name in ordered}
    prompts = [found[name][1] for name in ordered]
    return HeldOut(sequences, [prompt for prompt in prompts if prompt], failed)


def loss_rows(fitted: Fitted, context: EvalContext) -> list[Row]:
    """The loss of every clip, and of the set at every step and without context."""
    per_second = fitted.standardiser.dims * context.model.latent_frames_per_second
    rows = []
    for name, loss in fitted.losses.items():
        rows.append(Row(name, CONDITION, PER_DIM, *measured(loss)))
        rows.append(Row(name, CONDITION, PER_SECOND, *measured(loss * per_second)))
    rows.append(Row("", CONDITION, "chosen_step", fitted.step))
    for step, loss in fitted.curve.items():
        rows.append(Row("", f"step_{step}", PER_SECOND, *measured(loss * per_second)))
    bare = fitted.without_context
    rows.append(Row("", "no_context", PER_DIM, *measured(bare)))
    rows.append(Row("", "no_context", PER_SECOND, *measured(bare * per_second)))
    return rows


def measured(loss: float) -> Score:
    return Score(loss) if math.isfinite(loss) else Score(math.nan, "the loss is not finite")


def failed_clip_rows(name: str, reason: str) -> list[Row]:
    """The rows of a clip that cannot be scored."""
    return [Row(name, CONDITION, metric, math.nan, reason) for metric in (PER_DIM, PER_SECOND)]


def failed_set_rows(preset: Preset, reason: str) -> list[Row]:
    """The rows of the set where no model could be trained, without the distances."""
    steps = sorted({*preset.curve, preset.steps})
    missing = [(f"step_{step}", PER_SECOND) for step in steps]
    missing += [("no_context", PER_DIM), ("no_context", PER_SECOND), (CONDITION, "chosen_step")]
    return [Row("", condition, metric, math.nan, reason) for condition, metric in missing]


def cells(context: EvalContext, clip: Clip) -> list[Cell]:
    """What every clip has a row of."""
    return [(CONDITION, PER_DIM), (CONDITION, PER_SECOND)]


def settings(context: EvalContext) -> dict[str, Any]:
    """Every number of the budget: the rows of another one are measured again."""
    name = context.resources.options.budget
    return {"budget": name, "seed": SEED, **asdict(preset_named(name))}


EVALUATOR = Evaluator(
    name="modelability",
    version=1,
    measure=measure,
    cells=cells,
    settings=settings,
    by_clip=False,  # one model is trained for all clips
)
