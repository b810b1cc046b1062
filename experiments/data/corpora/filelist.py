"""Your own audio: text files that list audio paths, one a line, or manifests."""

import hashlib
import logging
import os
from dataclasses import replace
from pathlib import Path

from dcvae.audio.io import decoder_name
from dcvae.data.manifest import MANIFESTS, SPLITS, Clip, read_filelist, read_manifest
from dcvae.data.sources import one_each
from experiments.data.index import Index, fill_splits, index_files, split_of, write_index

log = logging.getLogger(__name__)


def fetch(
    train: str,
    validation: str | None = None,
    test: str | None = None,
    cache: str = "data/filelist",
) -> Path:
    """Index the lists once, into a manifest in `cache` named by their content; returns its path.

    Paths in a .txt list are absolute or relative to the current folder. A lone .csv or .parquet is
    used as it is, with its own splits; beside other lists it gives its clips to one split. Where
    validation or test is not given, about 5% of train's files become it, by a hash of the path.
    Unreadable files are listed beside the manifest and counted. ValueError for a list that is
    missing, empty or holds nothing readable.
    """
    given = {"train": train, "validation": validation, "test": test}
    lists = {split: Path(name) for split, name in given.items() if name}
    for split, file in lists.items():
        if not file.is_file():
            problem = "is a folder, not a file" if file.is_dir() else "does not exist"
            raise ValueError(
                f"the {split} list {file} {problem}: data.{split} names a .txt, .csv or .parquet"
            )
    if list(lists) == ["train"] and lists["train"].suffix in MANIFESTS:
        read_manifest(train)
        return Path(train).absolute()
    manifest = Path(cache).absolute() / f"manifest-{_content_hash(lists)}.csv"
    if not manifest.is_file():
        parts = [_index_list(split, file) for split, file in lists.items()]
        index = Index(_split(parts, lists), [bad for part in parts for bad in part.failures])
        log.info(write_index(manifest, index))
    return manifest


def _content_hash(lists: dict[str, Path]) -> str:
    """Changes with any list's text, the folder its paths start from, and the decoder."""
    digest = hashlib.sha256(f"{Path.cwd()}\n{decoder_name()}\n".encode())
    for split, file in lists.items():
        digest.update(f"{split} {file.suffix} {file.absolute().parent}\n".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:12]


def _index_list(split: str, file: Path) -> Index:
    """The clips of one list, all in `split`; a manifest's rows are believed."""
    if file.suffix in MANIFESTS:
        return Index([replace(clip, split=split) for clip in read_manifest(file)], [])
    names = read_filelist(file)
    index = index_files(one_each(Path(name).absolute() for name in names))
    if not index.clips:
        raise ValueError(
            f"none of the {len(names)} files in the {split} list {file} can be read (the first:"
            f" {index.failures[0][1]}); relative paths start from {Path.cwd()}"
        )
    return Index([replace(clip, split=split) for clip in index.clips], index.failures)


def _split(parts: list[Index], lists: dict[str, Path]) -> list[Clip]:
    """Draw from train the splits for which no list was given.

    A file that several lists name is in the last of them: what is held out is not trained on.
    """
    every = [clip for part in parts for clip in part.clips]
    last = {os.path.realpath(clip.path): clip for clip in every}
    if len(last) < len(every):
        log.info("%d of the files are named more than once", len(every) - len(last))
    clips = []
    for clip in last.values():
        drawn = split_of(clip.key or clip.path.as_posix())
        missing = clip.split == SPLITS[0] and drawn not in lists
        clips.append(replace(clip, split=drawn) if missing else clip)
    return fill_splits(clips)
