"""A manifest as columns: a million rows in memory that is mapped, not held.

Text is kept as bytes, for a path need not be UTF-8. pyarrow is imported where it is needed.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, overload

import numpy as np

from dcvae.data.clip import COLUMNS, Clip

BLOCK = 65536  # rows that are written at once
TAKEN = 4096  # rows that become Python's objects at once


def encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def decode(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")


class Manifest(Sequence[Clip]):
    """Clips by number, each made when it is asked for; `where` selects without touching the rest.

    What goes to a worker is the mapped file's name and the rows selected, never the table.
    """

    def __init__(
        self, table: Any, folder: Path, mapped: Path | None = None, rows: np.ndarray | None = None
    ) -> None:
        """`table` has COLUMNS, `folder` is where paths start, `rows` are those selected (all)."""
        self.table, self.folder, self.mapped, self.rows = table, folder, mapped, rows

    def __len__(self) -> int:
        return self.table.num_rows if self.rows is None else len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Clip: ...
    @overload
    def __getitem__(self, index: slice) -> list[Clip]: ...
    def __getitem__(self, index: int | slice) -> Clip | list[Clip]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        row = index % len(self)
        if self.rows is not None:
            row = int(self.rows[row])
        return self._clip([self.table.column(name)[row].as_py() for name in COLUMNS])

    def __iter__(self) -> Iterator[Clip]:
        for block in self._blocks(self.table):
            columns = (block.column(name).to_pylist() for name in COLUMNS)
            yield from map(self._clip, zip(*columns, strict=True))

    def texts(self, *names: str) -> Iterator[tuple[str, ...]]:
        """Some columns of text, row by row, without touching the pages where the others lie."""
        for block in self._blocks(self.table.select(names)):
            columns = [map(decode, block.column(name).to_pylist()) for name in names]
            yield from zip(*columns, strict=True)

    def _blocks(self, table: Any) -> Iterator[Any]:
        """The rows selected, TAKEN at a time."""
        for begin in range(0, len(self), TAKEN):
            if self.rows is None:
                yield table.slice(begin, TAKEN)
            else:
                rows = self.rows[begin : begin + TAKEN].astype(np.int64)
                first = int(rows.min())  # `take` copies all that it is given
                yield table.slice(first, int(rows.max()) + 1 - first).take(rows - first)

    def _clip(self, values: Sequence[Any]) -> Clip:
        path, duration, rate, *labels = values
        key, (speaker, language, text, split) = decode(path), map(decode, labels)
        return Clip(self.folder / key, duration, rate, speaker, language, text, split, key)

    def where(self, split: str, min_seconds: float = 0.0) -> "Manifest":
        """The clips of a split that are long enough, in their order."""
        mask = self.column("duration") >= min_seconds
        codes, names = self.codes("split")
        mask &= codes == (names.index(split) if split in names else -1)
        (chosen,) = np.nonzero(mask)
        rows = chosen if self.rows is None else self.rows[chosen]
        return Manifest(self.table, self.folder, self.mapped, rows.astype(np.uint32))

    def column(self, name: str) -> np.ndarray:
        """The numbers of a column, a row each."""
        values = self.table.column(name).to_numpy()
        return values if self.rows is None else values[self.rows]

    def codes(self, name: str) -> tuple[np.ndarray, list[str]]:
        """A column of few texts as numbers, and the texts that they stand for."""
        encoded = self.table.column(name).dictionary_encode().unify_dictionaries()
        codes = np.concatenate([np.asarray(chunk.indices) for chunk in encoded.chunks])
        names = [decode(one) for one in encoded.chunk(0).dictionary.to_pylist()]
        return (codes if self.rows is None else codes[self.rows]), names

    def unique(self, name: str) -> set[str]:
        """The texts of a column that are not empty."""
        codes, names = self.codes(name)
        return {names[code] for code in np.unique(codes)} - {""}

    def __reduce__(self) -> tuple[Any, ...]:
        if self.mapped is None:
            return Manifest, (self.table, self.folder, None, self.rows)
        return _reopen, (self.mapped, self.folder, self.rows)


def _reopen(mapped: Path, folder: Path, rows: np.ndarray | None) -> Manifest:
    return Manifest(map_file(mapped), folder, mapped, rows)


@lru_cache(maxsize=4)
def map_file(file: Path) -> Any:
    """The table of an Arrow file, which never changes: pages are read when they are touched, and
    counted once, however often it is asked for.
    """
    import pyarrow as pa

    with pa.memory_map(os.fspath(file)) as source:
        return pa.ipc.open_file(source).read_all()


def schema() -> Any:
    """Pyarrow's schema of a manifest: two columns of numbers among columns of bytes."""
    import pyarrow as pa

    numbers = {"duration": pa.float64(), "sample_rate": pa.int32()}
    return pa.schema([(name, numbers.get(name, pa.binary())) for name in COLUMNS])


def to_batches(clips: Iterable[Clip]) -> Iterator[Any]:
    """Clips as record batches of BLOCK rows; a path is the clip's key."""
    import pyarrow as pa

    rows = iter(clips)
    while block := list(islice(rows, BLOCK)):
        columns: list[list[Any]] = [
            [encode(clip.key) for clip in block],
            [clip.duration for clip in block],
            [clip.sample_rate for clip in block],
            *([encode(getattr(clip, name)) for clip in block] for name in COLUMNS[3:]),
        ]
        arrays = [pa.array(one, field.type) for one, field in zip(columns, schema(), strict=True)]
        yield pa.record_batch(arrays, schema=schema())


def to_table(clips: Iterable[Clip]) -> Any:
    import pyarrow as pa

    return pa.Table.from_batches(to_batches(clips), schema())
