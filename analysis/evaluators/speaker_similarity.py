"""Is it still the same voice? Cosine similarity of embeddings, and the equal-error rate."""

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter

import numpy as np
from threadpoolctl import threadpool_limits
from torch import Tensor

from analysis.context import Batch, EvalContext
from analysis.evaluator import Cell, Evaluator
from analysis.evaluators.speaker_encoder import INSTALL, LIBRARY, Embedding, VoiceEncoder
from analysis.metrics.score import Score, Unmeasurable, score
from analysis.metrics.verification import cosine, equal_error_rate, verification_trials
from analysis.outputs.table import Row
from dcvae.data.manifest import Clip

CONDITIONS = ("ceiling", "reconstruction")
TRIAL_CLIPS = 2000  # the equal-error rate takes at most the first so many: trials grow squared

Voice = tuple[Embedding | None, str]  # an embedding [256], or None and the reason


def embed(encoder: VoiceEncoder, waves: Sequence[Tensor]) -> list[Voice]:
    """The embedding of each wave [T]."""
    with threadpool_limits(1):  # a small network: threads would only wait for each other
        return [embed_one(encoder, wave) for wave in waves]


def original_voices(batch: Batch) -> list[Voice]:
    """Those of a batch's originals, each embedded once for all runs."""
    return voices_once("original", batch, lambda one: [sample.wave for sample in one.samples])


def voices_once(
    condition: str, batch: Batch, waves: Callable[[Batch], Sequence[Tensor]]
) -> list[Voice]:
    """Voices that no run changes, each embedded once for all runs."""

    def embedded() -> list[tuple[list[float] | None, str]]:
        voices = embed(batch.context.resources.voice_encoder, waves(batch))
        return [(None if one is None else one.tolist(), reason) for one, reason in voices]

    values = batch.context.references.once(f"voice of the {condition}", batch.names, embedded)
    return [
        (None if one is None else np.asarray(one, np.float32), reason) for one, reason in values
    ]


def embed_one(encoder: VoiceEncoder, wave: Tensor) -> Voice:
    """The embedding of a wave [T], or the reason why there is none."""
    try:
        return encoder.embed(wave), ""
    except Unmeasurable as error:
        return None, str(error)
    except Exception as error:  # a library's failure on one clip is that clip's alone
        return None, f"{type(error).__name__}: {error}"[:100]


def similarity(original: Voice, output: Voice) -> Score:
    """The cosine of two voices, or the reason why there is none."""
    for (embedding, reason), name in ((original, "original"), (output, "output")):
        if embedding is None:
            return Score(float("nan"), f"{name}: {reason}")
    return score(cosine, original[0], output[0])


def similarity_rows(
    condition: str, batch: Batch, originals: Sequence[Voice], outputs: Sequence[Voice]
) -> list[Row]:
    """`speaker_similarity` of each clip of a batch."""
    pairs = zip(batch.names, originals, outputs, strict=True)
    return [
        Row(name, condition, "speaker_similarity", *similarity(original, output))
        for name, original, output in pairs
    ]


def error_rate(
    enrolled: Sequence[Voice], tested: Sequence[Voice], speakers: Sequence[str]
) -> Score:
    """The equal-error rate over the labelled clips that have both embeddings."""
    trios = [
        (original, output, speaker)
        for (original, _), (output, _), speaker in zip(enrolled, tested, speakers, strict=True)
        if original is not None and output is not None and speaker
    ][:TRIAL_CLIPS]
    if len(trios) < 2:
        return Score(float("nan"), "fewer than two clips with a speaker's name")
    originals, outputs, labels = zip(*trios, strict=True)
    trials = verification_trials(np.stack(originals), np.stack(outputs), list(labels))
    return score(equal_error_rate, *trials)


def measure(batches: Iterator[Batch], context: EvalContext) -> Iterator[list[Row]]:
    """Per clip the cosine between the original's embedding and the output's, from -1 to 1.

    Of the whole set the equal-error rate: each output is verified against the original of every
    other clip, so it says whether a verifier that knows a speaker's voice still accepts it.
    That of "original" is the verifier's own.
    """
    encoder = context.resources.voice_encoder
    embedded: dict[str, list[Voice]] = {name: [] for name in ("original", *CONDITIONS)}
    speakers: list[str] = []
    for batch in batches:
        originals = original_voices(batch)
        embedded["original"] += originals
        ceilings = voices_once("ceiling", batch, attrgetter("ceilings"))
        outputs_of = (ceilings, embed(encoder, batch.waves))
        for condition, outputs in zip(CONDITIONS, outputs_of, strict=True):
            embedded[condition] += outputs
            yield similarity_rows(condition, batch, originals, outputs)
        speakers += [sample.clip.speaker for sample in batch.samples]
    yield [
        Row("", condition, "speaker_eer", *error_rate(embedded["original"], voices, speakers))
        for condition, voices in embedded.items()
    ]


def cells(context: EvalContext, clip: Clip) -> list[Cell]:
    return [(condition, "speaker_similarity") for condition in CONDITIONS]


EVALUATOR = Evaluator(
    name="speaker",
    version=1,
    measure=measure,
    cells=cells,
    libraries=(LIBRARY,),
    install=INSTALL,
    protocol=(
        "Cosine of the GE2E embeddings of Resemblyzer, with the package's weights, at 16,000 Hz"
        " after its own levelling and cutting of silences; `speaker_eer` verifies each output"
        " against the originals of all other clips."
    ),
    by_clip=False,  # the equal-error rate is of all clips together
)
