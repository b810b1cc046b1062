"""Word and character errors: worked by hand, and equal to jiwer's own on normalised texts."""

import jiwer
import pytest
from whisper.normalizers import EnglishTextNormalizer

from analysis.metrics.score import Unmeasurable
from analysis.metrics.words import count_characters, count_words

PAIRS = [
    ("Press 4 to mark this message as urgent.", "press for to mark the message urgent"),
    ("That option is invalid. Please try again.", "That option's invalid, please, please try."),
    ("Weasels have eaten our phone system.", ""),
    ("Mr. Smith paid twenty-five dollars.", "mister smith paid $25"),
]


@pytest.mark.parametrize(
    ("reference", "hypothesis", "language", "expected"),
    [
        ("the cat sat", "the cat sat", "en", (0, 3)),
        ("the cat sat", "a cat sat down", "en", (2, 3)),  # one substituted, one inserted
        ("the cat sat", "", "en", (3, 3)),  # silence: all deleted
        ("stop", "please do not go there", "en", (5, 1)),  # more errors than words
        ("Press FOUR!", "press 4", "en", (0, 2)),  # the English normaliser knows numbers
        ("Press FOUR!", "press 4", "", (1, 2)),  # the one for any language does not
        ("¿Qué TAL, amigo?", "que tal amigo", "es", (1, 3)),  # accents are kept
        ("Зал заблокирован.", "зал разблокирован", "ru", (1, 2)),
        ("你好吗", "你好", "zh", (1, 3)),  # letters, where words are not set apart
    ],
)
def test_words_are_counted_as_by_hand(reference, hypothesis, language, expected) -> None:
    assert count_words(reference, hypothesis, language) == expected


@pytest.mark.parametrize(
    ("reference", "hypothesis", "expected"),
    [
        ("abc", "abd", (1, 3)),
        ("ab cd", "abcd", (1, 5)),  # a space is a character
        ("ab", "", (2, 2)),
        ("Ab!", "ab", (0, 2)),
    ],
)
def test_characters_are_counted_as_by_hand(reference, hypothesis, expected) -> None:
    assert count_characters(reference, hypothesis, "en") == expected


def test_pooled_rates_are_jiwers_and_not_the_mean_of_clips() -> None:
    normalise = EnglishTextNormalizer()
    references = [normalise(reference) for reference, _ in PAIRS]
    hypotheses = [normalise(hypothesis) for _, hypothesis in PAIRS]
    words = [count_words(*pair, "en") for pair in PAIRS]
    characters = [count_characters(*pair, "en") for pair in PAIRS]
    wer = sum(errors for errors, _ in words) / sum(total for _, total in words)
    cer = sum(errors for errors, _ in characters) / sum(total for _, total in characters)
    assert wer == pytest.approx(jiwer.process_words(references, hypotheses).wer)
    assert cer == pytest.approx(jiwer.process_characters(references, hypotheses).cer)
    assert wer != pytest.approx(sum(errors / total for errors, total in words) / len(words))


@pytest.mark.parametrize("reference", ["", "  ", "...", "[laughs]"])
@pytest.mark.parametrize("count", [count_words, count_characters])
def test_a_reference_without_words_is_no_reference(count, reference) -> None:
    with pytest.raises(Unmeasurable, match="no words"):
        count(reference, "hello", "en")
