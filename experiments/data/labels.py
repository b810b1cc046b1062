"""Speaker, language and text of a clip from where it lies, for layouts that say so."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LIBRITTS = re.compile(r"(\d+)_(\d+)_\d+_\d+")  # speaker/chapter/speaker_chapter_paragraph_part
VCTK = re.compile(r"([ps]\d{1,3})_(\d{3})(_mic\d)?")  # wav48.../p225/p225_001_mic1.flac
LJSPEECH = re.compile(r"LJ\d{3}-\d{4}")  # wavs/LJ001-0001.wav


@dataclass(frozen=True)
class Labels:
    """What is known of a clip; "" is unknown, and leaves the split to a hash of its name."""

    speaker: str = ""
    language: str = ""
    text: str = ""
    split: str = ""


def path_labels(path: Path) -> Labels:
    """Labels of LibriTTS, VCTK and LJSpeech files; nothing for any other.

    The folders must agree with the file's name, so that a stray look-alike stays unlabelled.
    """
    stem, folder = path.stem, path.parent
    match = LIBRITTS.fullmatch(stem)
    if match and folder.name == match[2] and folder.parent.name == match[1]:
        text = _text(folder / f"{stem}.normalized.txt") or _text(folder / f"{stem}.original.txt")
        return Labels(match[1], "en", text)
    match = VCTK.fullmatch(stem)
    if match and folder.name == match[1]:
        transcript = folder.parent.parent / "txt" / match[1] / f"{match[1]}_{match[2]}.txt"
        return Labels(match[1], "en", _text(transcript))
    if LJSPEECH.fullmatch(stem) and (folder.parent / "metadata.csv").is_file():
        return Labels("LJ", "en", _lj_texts(folder.parent / "metadata.csv").get(stem, ""))
    return Labels()


def _text(path: Path) -> str:
    """A transcript file on one line, "" where there is none."""
    if not path.is_file():
        return ""
    return " ".join(path.read_text(encoding="utf-8", errors="replace").split())


@cache
def _lj_texts(table: Path) -> dict[str, str]:
    """LJSpeech's metadata.csv: name|text as printed|text with numbers spelt out, no quoting."""
    rows = [line.split("|") for line in table.read_text("utf-8", "replace").splitlines()]
    return {row[0]: row[-1].strip() for row in rows if len(row) >= 2}
