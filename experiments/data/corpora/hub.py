"""Speech that streams from a data set of the hub, or from a folder in the same format.

What validation and analysis need is copied once, as files with a manifest; training streams.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dcvae.data.manifest import EVERY_CORPUS, write_manifest
from dcvae.utils.files import replacing_folder
from experiments.data.index import Index, index_files, write_unreadable
from experiments.data.labels import Labels
from experiments.data.streams import (
    STREAM,
    Source,
    audio_suffix,
    count_rows,
    open_stream,
    row_split,
)

LABELS = ("speaker", "language", "text")
SCANNED = 200  # times as many rows as are asked for are looked through for them
log = logging.getLogger(__name__)


def fetch(
    repo: str,
    subset: str | None = None,
    split: str = "train",
    revision: str | None = None,
    column: str = "audio",
    labels: Mapping[str, str | None] | None = None,
    clips: Mapping[str, int] | None = None,
    rows: int | None = None,
    buffer: int = 1000,
    cache: str = "data/hub",
) -> Path:
    """Copy some clips of each split once; returns their manifest, beside which lies the stream.

    `labels` names the columns of LABELS. ValueError in one line without the package, the repository
    or a column, and for labels that there are none of.
    """
    if Path(repo).is_dir():
        repo = str(Path(repo).absolute())
    source = Source(repo, subset, split, revision, column, rows or 0, buffer)
    wanted = {name: int((clips or {}).get(name, 64)) for name in EVERY_CORPUS}
    columns = dict.fromkeys(LABELS) | dict(labels or {})
    if unknown := columns.keys() - set(LABELS):
        raise ValueError(f"data.labels has no {min(unknown)}, but {', '.join(LABELS)}")
    asked = json.dumps([source.describe(), wanted, columns], sort_keys=True)
    folder = Path(cache).absolute() / hashlib.sha256(asked.encode()).hexdigest()[:12]
    if not (folder / "manifest.csv").is_file():
        source = replace(source, rows=rows or count_rows(source))
        with replacing_folder(folder) as temporary:
            index = _copy(source, wanted, columns, temporary)
            write_manifest(temporary / "manifest.csv", index.clips)
            write_unreadable(temporary / "manifest.csv", index.failures)
            (temporary / STREAM).write_text(json.dumps(source.describe(), indent=2) + "\n")
        log.info("%s: %d clips of %s are copied", folder, len(index.clips), repo)
    return folder / "manifest.csv"


def _copy(
    source: Source, wanted: dict[str, int], labels: dict[str, str | None], folder: Path
) -> Index:
    """The first clips of each split as files; ValueError where one has none."""
    stream = open_stream(source)
    missing = [name for name in labels.values() if name and name not in stream.column_names]
    if missing:
        known = ", ".join(stream.column_names)
        raise ValueError(f"data=hub: {source.repo} has no column {missing[0]!r}, but {known}")
    found: dict[Path, Labels] = {}
    left = dict(wanted)
    for row in stream.take(SCANNED * sum(wanted.values())):
        audio = row[source.column] or {}
        content = audio.get("bytes")
        split = row_split(content) if content else EVERY_CORPUS[0]
        if not content or left[split] <= 0:
            continue
        left[split] -= 1
        path = folder / f"{split}-{len(found):05d}{audio_suffix(content)}"
        path.write_bytes(content)
        found[path] = Labels(**{k: _label(row, v) for k, v in labels.items()}, split=split)
        if not any(left.values()):
            break
    index = index_files(list(found), label=found.__getitem__)
    for split in EVERY_CORPUS[1:]:
        if all(clip.split != split for clip in index.clips):
            raise ValueError(f"data=hub: no readable {split} clip was found in {source.repo}")
    return index


def _label(row: Mapping[str, Any], column: str | None) -> str:
    value = row.get(column) if column else None
    return "" if value is None else " ".join(str(value).split())
