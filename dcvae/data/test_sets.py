"""Published test sets by name, from local folders in their published layouts.

Sources: LibriSpeech's README (openslr.org/12) and Seed-TTS's (github.com/BytedanceSpeech/
seed-tts-eval).
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from dcvae.audio.io import AudioError, probe_audio
from dcvae.data.clip import Clip, ManifestError
from dcvae.data.manifest import read_manifest, write_manifest

SPLIT = "test"
ANY_COUNT = "count=any"
META = "meta.lst"

Reader = Callable[[Path, str], Iterator[Clip]]


class PublishedSet(NamedTuple):
    """How a set is read, the folder in which its archive holds it, its clips and language."""

    read: Reader
    inner: str
    clips: int
    language: str


def lines_of(file: Path) -> list[str]:
    """Of a text file in UTF-8; ManifestError where it is none."""
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ManifestError(f"{file} is damaged: {error}") from error


def read_librispeech(folder: Path, language: str) -> Iterator[Clip]:
    """SPEAKER/CHAPTER/*.trans.txt: an utterance's id and its text on each line, NAME.flac beside.

    Durations and rates are not known yet. ManifestError names file and line.
    """
    for transcripts in sorted(folder.glob("*/*/*.trans.txt")):
        for number, line in enumerate(lines_of(transcripts), 1):
            name, _, text = line.strip().partition(" ")
            if not text:
                raise ManifestError(f"{transcripts}, line {number}: an id and a text are expected")
            path = transcripts.parent / f"{name}.flac"
            yield Clip(path, 0, 0, transcripts.parents[1].name, language, text, SPLIT)


def read_seed_tts(folder: Path, language: str) -> Iterator[Clip]:
    """meta.lst: id|text of the prompt|its wav|text|wav on each line, else wavs/ID.wav.

    An id begins with what its prompt and its clip have in common, their speaker. ManifestError
    names file and line.
    """
    meta = folder / META
    if not meta.is_file():
        raise ManifestError(f"{folder} holds no {META}")
    for number, line in enumerate(lines_of(meta), 1):
        fields = line.strip().split("|")
        if len(fields) not in (4, 5) or not (fields[0] and fields[3]):
            raise ManifestError(
                f"{meta}, line {number}: id|prompt's text|prompt's wav|text[|wav] is expected"
            )
        name, text = fields[0], fields[3]
        path = folder / (fields[4] if len(fields) == 5 else f"wavs/{name}.wav")
        yield Clip(path, 0, 0, name.partition("-")[0], language, text, SPLIT)


TEST_SETS = {
    "librispeech-test-clean": PublishedSet(read_librispeech, "LibriSpeech/test-clean", 2620, "en"),
    "librispeech-test-other": PublishedSet(read_librispeech, "LibriSpeech/test-other", 2939, "en"),
    "seed-tts-en": PublishedSet(read_seed_tts, "seedtts_testset/en", 1088, "en"),
    "seed-tts-zh": PublishedSet(read_seed_tts, "seedtts_testset/zh", 2020, "zh"),
}


def find_manifest(text: str, out: Path) -> Path:
    """A manifest's path as it is, or that of NAME:FOLDER[?count=any], written into `out`.

    The folder is the set's own or one that holds it as its archive does. It is linked to beside
    the manifest, whose clips then have the same names, and the same subsets, on every machine.
    ManifestError where clips are missing or others than the set's number are found, unless the
    count may be any.
    """
    name, _, rest = text.partition(":")
    if name not in TEST_SETS:
        return Path(text)
    place, _, option = rest.partition("?")
    if not place or option not in ("", ANY_COUNT):
        raise ManifestError(f"{text}: {name}:FOLDER or {name}:FOLDER?{ANY_COUNT} is expected")
    one = TEST_SETS[name]
    folder = own_folder(Path(place), one.inner)
    clips = list(one.read(folder, one.language))
    check(text, clips, None if option else one.clips)
    manifest = out / f"{name}.csv"
    link(out / name, folder)
    clips = [moved(clip, folder, out / name) for clip in clips]
    if not is_current(manifest, clips):
        write_manifest(manifest, map(probed, clips))
    return manifest


def moved(clip: Clip, folder: Path, link: Path) -> Clip:
    """The clip as it is seen through a link to its folder, where it lies in that."""
    inside = clip.path.is_relative_to(folder)
    return replace(clip, path=link / clip.path.relative_to(folder)) if inside else clip


def own_folder(folder: Path, inner: str) -> Path:
    """The folder, or the one in it that the set's archive has; ManifestError where none is."""
    if not folder.is_dir():
        raise ManifestError(f"the folder {folder} does not exist")
    inside = [folder / inner, folder / Path(inner).name]
    return next((path for path in inside if path.is_dir()), folder)


def check(text: str, clips: list[Clip], count: int | None) -> None:
    """ManifestError where there are no clips, not so many, one twice, or one whose file lacks."""
    if not clips or count not in (None, len(clips)):
        wanted = f", not {count} (?{ANY_COUNT} takes them all the same)" if count else ""
        raise ManifestError(f"{text}: {len(clips)} clips are found{wanted}")
    seen: set[Path] = set()
    for clip in clips:
        if clip.path in seen:
            raise ManifestError(f"{text}: {clip.path} is listed twice")
        if not clip.path.is_file():
            raise ManifestError(f"{text}: {clip.path} is missing")
        seen.add(clip.path)


def link(place: Path, folder: Path) -> None:
    """Let a link at `place` lead to the folder; OSError where something else is there."""
    target = folder.resolve()
    if place.is_symlink() and place.resolve() == target:
        return
    if place.exists() and not place.is_symlink():
        raise FileExistsError(f"{place} is in the way of a link to {folder}")
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = place.with_name(f".{place.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target, target_is_directory=True)
    os.replace(temporary, place)


def is_current(manifest: Path, clips: list[Clip]) -> bool:
    """Whether a manifest lists these clips already, and no file is newer."""
    if not manifest.is_file():
        return False
    written = manifest.stat().st_mtime

    def said(clip: Clip) -> tuple[Path, str, str, str]:
        return clip.path.absolute(), clip.speaker, clip.language, clip.text

    return [*map(said, read_manifest(manifest))] == [*map(said, clips)] and all(
        clip.path.stat().st_mtime <= written for clip in clips
    )


def probed(clip: Clip) -> Clip:
    """The clip with the duration and rate that are found in its file."""
    try:
        found = probe_audio(clip.path)
    except AudioError as error:
        raise ManifestError(str(error)) from error
    return replace(clip, duration=found.duration, sample_rate=found.sample_rate)
