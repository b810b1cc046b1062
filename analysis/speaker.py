"""Is it still the same voice? Cosine similarity of embeddings, and the equal-error rate."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from threadpoolctl import threadpool_limits
from torch import Tensor

from analysis.metrics.score import Score, Unmeasurable, score
from analysis.metrics.verification import cosine, equal_error_rate, verification_trials
from analysis.question import Cell, Question
from analysis.subject import Batch, Subject
from analysis.table import Row
from analysis.voice import EXTRA, LIBRARY, Embedding, VoiceEncoder
from dcvae.data.manifest import Clip

CONDITIONS = ("ceiling", "reconstruction")
TRIAL_CLIPS = 2000  # the equal-error rate takes at most the first so many: trials grow squared

Voice = tuple[Embedding | None, str]  # an embedding [256], or None and the reason


def hear(encoder: VoiceEncoder, waves: Sequence[Tensor]) -> list[Voice]:
    """The embedding of each wave [T]."""
    with threadpool_limits(1):  # a small network: threads would only wait for each other
        return [hear_one(encoder, wave) for wave in waves]


def original_voices(batch: Batch) -> list[Voice]:
    """Those of a batch's originals, each heard once for all runs."""
    return voices_once("original", batch, lambda: [sample.wave for sample in batch.samples])


def voices_once(condition: str, batch: Batch, waves: Callable[[], Sequence[Tensor]]) -> list[Voice]:
    """Voices that no run changes, each heard once for all runs."""

    def heard() -> list[tuple[list[float] | None, str]]:
        voices = hear(batch.subject.tools.voice_encoder, waves())
        return [(None if one is None else one.tolist(), reason) for one, reason in voices]

    values = batch.subject.references.once(f"voice of the {condition}", batch.names, heard)
    return [
        (None if one is None else np.asarray(one, np.float32), reason) for one, reason in values
    ]


def hear_one(encoder: VoiceEncoder, wave: Tensor) -> Voice:
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


def measure(batches: Iterator[Batch], subject: Subject) -> Iterator[list[Row]]:
    """Per clip the cosine between the original's embedding and the output's, from -1 to 1.

    Of the whole set the equal-error rate: each output is verified against the original of every
    other clip, so it says whether a verifier that knows a speaker's voice still accepts it.
    That of "original" is the verifier's own.
    """
    encoder = subject.tools.voice_encoder
    heard: dict[str, list[Voice]] = {name: [] for name in ("original", *CONDITIONS)}
    speakers: list[str] = []
    for batch in batches:
        originals = original_voices(batch)
        heard["original"] += originals
        ceilings = voices_once("ceiling", batch, lambda batch=batch: batch.ceilings)
        for condition, outputs in zip(
            CONDITIONS, (ceilings, hear(encoder, batch.waves)), strict=True
        ):
            heard[condition] += outputs
            yield similarity_rows(condition, batch, originals, outputs)
        speakers += [sample.clip.speaker for sample in batch.samples]
    yield [
        Row("", condition, "speaker_eer", *error_rate(heard["original"], voices, speakers))
        for condition, voices in heard.items()
    ]


def cells(subject: Subject, clip: Clip) -> list[Cell]:
    return [(condition, "speaker_similarity") for condition in CONDITIONS]


QUESTION = Question(
    name="speaker",
    version=1,
    measure=measure,
    cells=cells,
    libraries=(LIBRARY,),
    extra=EXTRA,
    by_clip=False,  # the equal-error rate is of all clips together
)
