"""Word and character errors: edit distance by jiwer after Whisper's own text normaliser.

The normaliser lies in openai-whisper, which imports torch: call this in the main process only.
"""

from collections.abc import Callable
from functools import cache

from analysis.metrics.score import Unmeasurable

UNSPACED = ("zh", "ja", "th", "lo", "my", "yue")  # written without spaces: letters are counted


@cache
def normaliser(language: str) -> Callable[[str], str]:
    """Whisper's for a language code (Radford et al., 2022, section 4.4 and appendix C)."""
    from whisper.normalizers import BasicTextNormalizer, EnglishTextNormalizer

    if language == "en":
        english: Callable[[str], str] = EnglishTextNormalizer()
        return english
    basic: Callable[[str], str] = BasicTextNormalizer(split_letters=language in UNSPACED)
    return basic


def normalise(text: str, language: str) -> str:
    """Lower case without punctuation; in English, numbers and spellings in one form too."""
    return " ".join(normaliser(language)(text).split())


def normalise_pair(reference: str, hypothesis: str, language: str) -> tuple[str, str]:
    """Both texts; Unmeasurable where nothing is left of the reference."""
    normalised = normalise(reference, language)
    if not any(letter.isalnum() for letter in normalised):  # of "..." the English one leaves "."
        raise Unmeasurable("the reference has no words")
    return normalised, normalise(hypothesis, language)


def count_words(reference: str, hypothesis: str, language: str) -> tuple[int, int]:
    """Substituted, deleted and inserted words, and the words of the reference.

    The word error rate of many clips is the sum of the first over the sum of the second.
    Hallucinated words are insertions: a rate above 1 is a right one.
    """
    import jiwer

    found = jiwer.process_words(*normalise_pair(reference, hypothesis, language))
    errors = found.substitutions + found.deletions + found.insertions
    return errors, found.hits + found.substitutions + found.deletions


def count_characters(reference: str, hypothesis: str, language: str) -> tuple[int, int]:
    """Substituted, deleted and inserted characters, spaces too, and those of the reference."""
    import jiwer

    found = jiwer.process_characters(*normalise_pair(reference, hypothesis, language))
    errors = found.substitutions + found.deletions + found.insertions
    return errors, found.hits + found.substitutions + found.deletions
