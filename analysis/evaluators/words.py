"""Are the words still there? Whisper's errors against the text, and against the original's reading.

WER and CER are against the manifest's text; dWER and dCER against what the recogniser itself
understood of the original, which needs no text. Each clip has its errors and its reference's
length, in words and characters; the rate of the set is the sum of the one over the sum of the
other, not the mean of the clips' rates. `text_nll` is the negative log-likelihood of the text given
the wave, in nats a token: it has no steps, so that few clips tell more of it than of errors.
Whisper hears waves padded with silence to a multiple of 10 s to read them, of 5 s for `text_nll`.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from torch import Tensor

from analysis.asr.recogniser import NLL_PADDING, READING_PADDING, WHISPER_RATE, Reading
from analysis.batching import LONGEST, Sample
from analysis.context import TEST, Batch, EvalContext
from analysis.evaluator import Cell, Evaluator
from analysis.metrics.score import Score, score
from analysis.metrics.words import count_characters, count_words
from analysis.outputs.table import Row
from dcvae.data.manifest import Clip, select_clips

NAME = "intelligibility"

PARTS = ("errors", "total")
Count = Callable[[str, str, str], tuple[int, int]]  # of reference, hypothesis, language
COUNTS: dict[str, Count] = {"wer": count_words, "cer": count_characters}


def known_clips(context: EvalContext) -> list[Clip]:
    """So many test clips as the options say, of all in a language that the recogniser knows.

    They are not those of `--clips`, of which one language in many leaves too few words.
    """
    resources = context.resources
    known = [clip for clip in context.split(TEST) if resources.recogniser.knows(clip.language)]
    return select_clips(known, TEST, resources.options.word_clips) if known else []


def has_text(clip: Clip) -> bool:
    """Whether the manifest has the text of all that is said: a long clip is cut, its text not."""
    return bool(clip.text.strip()) and clip.duration <= LONGEST


def read_originals(samples: Sequence[Sample], context: EvalContext) -> list[Reading]:
    """The recogniser's readings of the originals, each made once for all runs."""
    recogniser = context.resources.recogniser

    def read() -> list[Reading]:
        readings = recogniser.transcribe(
            [sample.wave for sample in samples],
            [sample.clip.language for sample in samples],
        )
        return [  # what is made up of silence is no reference
            reading if bool(sample.wave.any()) else reading._replace(reason="silent")
            for sample, reading in zip(samples, readings, strict=True)
        ]

    kind, names = f"{recogniser.name} of the original", [sample.name for sample in samples]
    return [Reading(*values) for values in context.references.once(kind, names, read)]


def compare(metric: str, reference: Reading, output: Reading) -> dict[str, Score]:
    """The errors of a metric and its reference's length, "errors" and "total"."""
    for reading, name in ((reference, "original"), (output, "output")):
        if reading.reason:
            return dict.fromkeys(PARTS, Score(math.nan, f"{name}: {reading.reason}"))
    arguments = COUNTS[metric], reference.text, output.text, reference.language
    return {part: score(one_count, index, *arguments) for index, part in enumerate(PARTS)}


def one_count(index: int, count: Count, reference: str, hypothesis: str, language: str) -> float:
    """One of the two numbers that a count gives."""
    return count(reference, hypothesis, language)[index]


def error_rows(
    clip: str, condition: str, metric: str, reference: Reading, output: Reading
) -> list[Row]:
    """`<metric>_errors` and `<metric>_total`; dwer and dcer count as wer and cer do."""
    counts = compare(metric.removeprefix("d"), reference, output)
    return [Row(clip, condition, f"{metric}_{part}", *value) for part, value in counts.items()]


def text_rows(condition: str, sample: Sample, original: Reading, output: Reading) -> list[Row]:
    """WER and CER of one clip; none where its text is not known."""
    if not has_text(sample.clip):
        return []
    text = Reading(sample.clip.text, original.language)
    return [
        row for metric in COUNTS for row in error_rows(sample.name, condition, metric, text, output)
    ]


def nll_rows(
    condition: str,
    samples: Sequence[Sample],
    waves: Sequence[Tensor],
    languages: Sequence[str],
    context: EvalContext,
) -> list[Row]:
    """`text_nll` of a wave for each sample, in its language; no row where no text is known."""
    said = [
        (sample.name, wave, language, sample.clip.text)
        for sample, wave, language in zip(samples, waves, languages, strict=True)
        if has_text(sample.clip)
    ]
    if not said:
        return []
    names, *given = zip(*said, strict=True)
    values = context.resources.recogniser.text_nll(*given)
    return [
        Row(name, condition, "text_nll", *value) for name, value in zip(names, values, strict=True)
    ]


def output_rows(
    condition: str, batch: Batch, waves: Sequence[Tensor], context: EvalContext
) -> list[Row]:
    """WER, CER, text_nll, dWER and dCER of a wave for each clip of a batch."""
    recogniser = context.resources.recogniser
    originals = read_originals(batch.samples, context)
    languages = [original.language for original in originals]
    outputs = recogniser.transcribe(waves, languages)
    rows = nll_rows(condition, batch.samples, waves, languages, context)
    for sample, original, output in zip(batch.samples, originals, outputs, strict=True):
        rows += text_rows(condition, sample, original, output)
        for metric in COUNTS:
            rows += error_rows(sample.name, condition, f"d{metric}", original, output)
    return rows


def common_rows(batch: Batch, context: EvalContext) -> list[Row]:
    """Rows of originals and ceilings, which do not depend on the run: once for all of them."""

    def compute() -> list[Row]:
        originals = read_originals(batch.samples, context)
        rows = output_rows("ceiling", batch, batch.ceilings, context)
        waves = [sample.wave for sample in batch.samples]
        languages = [original.language for original in originals]
        rows += nll_rows("original", batch.samples, waves, languages, context)
        for sample, original in zip(batch.samples, originals, strict=True):
            rows += text_rows("original", sample, original, original)
        return rows

    return context.rows_once(f"{NAME} {context.resources.recogniser.name}", batch.names, compute)


def measure(batches: Iterator[Batch], context: EvalContext) -> Iterator[list[Row]]:
    """The rows of each batch: original, ceiling and reconstruction."""
    for batch in batches:
        yield common_rows(batch, context) + output_rows(
            "reconstruction", batch, batch.waves, context
        )


def cells(context: EvalContext, clip: Clip) -> list[Cell]:
    """WER, CER and text_nll with the text known; dWER and dCER always, but not of the original."""
    counts = [f"{metric}_{part}" for metric in COUNTS for part in PARTS]
    conditions = ("original", "ceiling", "reconstruction")
    with_text = [(one, name) for one in conditions for name in (*counts, "text_nll")]
    against_reading = [(one, f"d{name}") for one in conditions[1:] for name in counts]
    return (with_text if has_text(clip) else []) + against_reading


def settings(context: EvalContext) -> dict[str, Any]:
    """Rows that another model made, or another padding, are measured again."""
    return {
        "recogniser": context.resources.recogniser.name,
        "reading_padding": READING_PADDING,
        "text_nll_padding": NLL_PADDING,
    }


EVALUATOR = Evaluator(
    name=NAME,
    version=3,
    measure=measure,
    cells=cells,
    clips=known_clips,
    settings=settings,
    libraries=("jiwer", "openai-whisper"),
    protocol=(
        f"Whisper at {WHISPER_RATE:,} Hz, decoded greedily at temperature 0 without timestamps, in"
        " the manifest's language, else in the one that it detects; waves are padded with silence"
        " to a multiple of so many seconds as the settings say. Both texts go through Whisper's own"
        " normaliser: the English one for English, the basic one else. `wer` and `cer` are against"
        " the manifest's text, `dwer` and `dcer` against the original's reading: errors of all"
        " clips over the words or characters of all references. `text_nll` is in nats a token."
    ),
)
