"""Which clips go into which shard, decided and written down before the first is encoded."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from dcvae.data.latent_shards import DATASET, INDEX, LABELS, PLAN, read_json
from dcvae.data.manifest import MANIFESTS, read_manifest
from dcvae.data.sources import AUDIO, find_sources
from dcvae.utils.files import replace_json

BLOCK = 65536  # rows that are taken at once
OURS = ("shard-*.safetensors", INDEX, DATASET, PLAN)  # the plan goes last
Row = tuple[str, bytes, int, str, str, str, str]  # id, path, bytes, LABELS


@dataclass(frozen=True)
class Plan:
    """The clips in the order of their ids, and the settings that make their latents.

    `clips` is pyarrow's table of id, path, bytes and LABELS: a million rows take 200 MB.
    """

    clips: Any
    settings: dict[str, Any]

    @classmethod
    def of(cls, sources: Iterable[Path], settings: dict[str, Any]) -> "Plan":
        """`settings` has `clips_per_shard`; number and hash of the clips join it.

        A file's size stands for what is in it. ValueError where two clips have one id.
        """
        clips, digest = sorted_clips(sources), hashlib.sha256()
        for batch in clips.drop_columns(["path"]).to_batches(BLOCK):
            for row in batch.to_pylist():
                digest.update(json.dumps(list(row.values())).encode() + b"\n")
        about = {"clips": clips.num_rows, "input": digest.hexdigest()}
        return cls(clips, settings | about)

    @cached_property
    def id(self) -> str:
        """16 hexadecimal digits, which every shard carries."""
        text = json.dumps(self.settings, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def shards(self) -> int:
        return int(-(-self.clips.num_rows // self.settings["clips_per_shard"]))

    def rows(self, shard: int) -> dict[str, list[Any]]:
        """Of a shard's clips: `tensor` (the names of their latents) and the table's columns."""
        size = self.settings["clips_per_shard"]
        chosen = self.clips.slice(shard * size, size)
        names = [f"{shard * size + row:08d}" for row in range(chosen.num_rows)]
        return {"tensor": names} | chosen.to_pydict()

    def begin(self, folder: Path, overwrite: bool) -> None:
        """Write the plan, or find it there; ValueError where the folder has another, or others'
        files. `overwrite` clears away what a plan left, be it the same.
        """
        if (folder / PLAN).is_file() and overwrite:
            for pattern in OURS:
                for path in folder.glob(pattern):
                    path.unlink()
        elif (folder / PLAN).is_file():
            if named := self.difference(read_json(folder / PLAN)):
                raise ValueError(f"{folder} was begun with {named}: --overwrite begins anew")
            return
        if any(not path.name.startswith(".") for path in folder.iterdir()):
            raise ValueError(f"{folder} holds other files: shards want a folder of their own")
        replace_json(folder / PLAN, self.settings)

    def difference(self, before: dict[str, Any]) -> str | None:
        """What another plan has otherwise, and how; None where it is the same."""
        for name, value in self.settings.items():
            if (other := before.get(name)) != value:
                was, now = (str(one)[:16] for one in (other, value))
                return f"another {name.replace('_', ' ')} ({was}, now {now})"
        return None


def sorted_clips(sources: Iterable[Path]) -> Any:
    """Pyarrow's table of all clips that the sources stand for, in the order of their ids."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kinds = (pa.string(), pa.binary(), pa.int64(), *[pa.string()] * len(LABELS))
    schema = pa.schema(list(zip(("id", "path", "bytes", *LABELS), kinds, strict=True)))
    rows, batches = iter(find_clips(sources)), []
    while block := list(islice(rows, BLOCK)):
        columns = [
            pa.array(one, kind) for one, kind in zip(zip(*block, strict=True), kinds, strict=True)
        ]
        batches.append(pa.record_batch(columns, schema=schema))
    table = pa.Table.from_batches(batches, schema)
    table = table.sort_by("id").combine_chunks()
    ids = table.column("id").combine_chunks()
    twice = pc.index(pc.equal(ids[1:], ids[:-1]), True).as_py()
    if twice >= 0:
        paths = " and ".join(os.fsdecode(table["path"][row].as_py()) for row in (twice, twice + 1))
        raise ValueError(f"{paths} would both be called {ids[twice]}: name each clip once")
    return table


def find_clips(sources: Iterable[Path]) -> Iterator[Row]:
    """A manifest's clips have its labels, and its paths for ids; of other sources a file's id is
    its place below the folder given, and no label is known.
    """
    for source in sources:
        if source.suffix.lower() in MANIFESTS and not source.is_dir():
            manifest = read_manifest(source)
            for key, *labels in manifest.texts("path", *LABELS):
                yield _row(manifest.folder / key, key, labels)
        else:
            for path, place in find_sources([source], AUDIO):
                yield _row(path, place.as_posix(), [""] * len(LABELS))


def _row(path: Path, key: str, labels: Sequence[str]) -> Row:
    try:
        size = path.stat().st_size
    except OSError:
        size = -1  # its reader will say why
    name, text, speaker, language, split = map(readable, (key, *labels))
    return name, os.fsencode(path), size, text, speaker, language, split


def readable(text: str) -> str:
    """The text without what UTF-8 cannot write, which paths may hold."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
