"""Which phone is spoken when: forced alignment of an English text, by pocketsphinx.

Workers of the process pool import this file, so it stays free of torch.
"""

import re
from typing import Any, NamedTuple

import numpy as np
import soxr

from analysis.metrics.score import Array, Unmeasurable, check_audible

RATE = 16_000  # Hz
FRAME = 0.01  # seconds, of the aligner
DIGITS = dict(
    zip(
        "0123456789",
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
        strict=True,
    )
)


class Phone(NamedTuple):
    """A phone of the CMU dictionary, or "SIL", from `start` to `end` in seconds."""

    name: str
    start: float
    end: float


def align(wave: Array, sample_rate: int, text: str) -> list[Phone]:
    """The phones of a wave [T] in which the text is said, one after another.

    Two passes over the en-us model that the package ships: words, then phones. Unmeasurable for a
    text with a word that its dictionary has not, and for a wave that the text does not fit.
    """
    check_audible(wave, "the original")
    words = words_of(text)
    decoder = aligner()
    unknown = [word for word in words if decoder.lookup_word(word) is None]
    if unknown:
        raise Unmeasurable(f"the dictionary has no {unknown[0]!r}")
    samples = soxr.resample(wave, sample_rate, RATE).clip(-1, 1)
    pcm = (samples * 32767).astype("<i2").tobytes()
    decoder.set_align_text(" ".join(words))
    decode(decoder, pcm)
    if decoder.hyp() is None:
        raise Unmeasurable("the text does not fit the wave")
    decoder.set_alignment()
    decode(decoder, pcm)
    return [
        Phone(one.name, one.start * FRAME, (one.start + one.duration) * FRAME)
        for one in decoder.get_alignment().phones()
    ]


def decode(decoder: Any, pcm: bytes) -> None:
    """One pass over a whole wave of 16-bit samples."""
    decoder.start_utt()
    decoder.process_raw(pcm, full_utt=True)
    decoder.end_utt()


def words_of(text: str) -> list[str]:
    """The words of an English text in lower case, single digits spelled out.

    Unmeasurable where there is none, or a longer number, which is read in many ways.
    """
    found = re.findall(r"[a-z']+|\d+", text.lower())
    if not found:
        raise Unmeasurable("no text")
    for one in found:
        if one.isdigit() and one not in DIGITS:
            raise Unmeasurable(f"the number {one} can be read in several ways")
    return [DIGITS.get(one, one) for one in found]


def aligner() -> Any:
    """The package's decoder with its own acoustic model and dictionary.

    A new one for each wave: it keeps the level of those before, which moves boundaries.
    """
    from pocketsphinx import Decoder

    return Decoder(samprate=RATE, bestpath=False, lm=None, loglevel="FATAL")


def frame_labels(phones: list[Phone], edges: Array) -> Array:
    """The phone [N] that covers most of each span between edges [N + 1], in seconds.

    "SIL" where none does. Of a low frame rate: a span holds parts of several.
    """
    names = sorted({phone.name for phone in phones} | {"SIL"})
    overlaps = np.zeros((len(edges) - 1, len(names)))
    for phone in phones:
        covered = np.minimum(edges[1:], phone.end) - np.maximum(edges[:-1], phone.start)
        overlaps[:, names.index(phone.name)] += covered.clip(min=0)
    overlaps[overlaps.sum(axis=1) == 0, names.index("SIL")] = 1
    return np.array(names)[overlaps.argmax(axis=1)]
