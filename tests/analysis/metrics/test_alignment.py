"""Forced alignment: the dictionary's phones in order, labels of frames by hand."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from analysis.metrics.alignment import Phone, align, aligner, frame_labels, words_of
from analysis.metrics.score import Unmeasurable
from dcvae.audio.io import read_audio
from dcvae.data.manifest import Clip

pytest.importorskip("pocketsphinx")
RATE = 22050


@pytest.fixture(scope="module")
def english(clips: list[Clip]) -> list[Clip]:
    return [clip for clip in clips if clip.language == "en"]


def wave_of(path: Path) -> np.ndarray:
    return read_audio(path).numpy()


def test_the_phones_are_the_dictionarys_in_order_and_without_gaps(english: list[Clip]) -> None:
    """A word may have several pronunciations: its own are those under "word(2)" too."""
    dictionary = aligner()
    for clip in english:
        wave = wave_of(clip.path)
        phones = align(wave, RATE, clip.text)
        assert phones == align(wave, RATE, clip.text)  # whatever came before
        assert phones[0].start == 0
        for one, after in pairwise(phones):
            assert one.start < one.end == after.start
        assert phones[-1].end == pytest.approx(len(wave) / RATE, abs=0.05)
        said = " ".join(one.name for one in phones if one.name != "SIL")
        for word in words_of(clip.text):
            forms = (word, f"{word}(2)", f"{word}(3)", f"{word}(4)")
            known = [form for form in map(dictionary.lookup_word, forms) if form]
            found = [form for form in known if said.startswith(form)]
            assert found, (word, said)
            said = said.removeprefix(max(found, key=len)).strip()
        assert not said


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Weasels have eaten our glimbwort", "the dictionary has no 'glimbwort'"),
        ("Extension 4711", "the number 4711 can be read in several ways"),
        ("...", "no text"),
    ],
)
def test_a_text_that_cannot_be_aligned_says_why(english, text: str, reason: str) -> None:
    with pytest.raises(Unmeasurable, match=reason):
        align(wave_of(english[0].path), RATE, text)


def test_digits_are_spelled_out() -> None:
    assert words_of("Press 4, it's 9 ...") == ["press", "four", "it's", "nine"]


def test_a_frame_has_the_phone_that_covers_most_of_it() -> None:
    phones = [Phone("AH", 0.0, 0.32), Phone("T", 0.32, 0.4), Phone("IY", 0.4, 0.75)]
    edges = np.array([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert frame_labels(phones, edges).tolist() == ["AH", "AH", "IY", "IY", "SIL"]
