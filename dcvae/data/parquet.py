"""Manifests as Parquet, for corpora of millions: small on the disk, and mapped when they are read.

Parquet itself cannot be mapped. The first reader writes an Arrow file beside it, which can: every
later process, and every worker, shares its pages.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from dcvae.audio.rates import HIGHEST_RATE
from dcvae.data.clip import COLUMNS, SPLITS, Clip, ManifestError, check_columns
from dcvae.data.columnar import BLOCK, Manifest, map_file, schema, to_batches
from dcvae.utils.files import replacing

VERSION = 1  # of what the mapped file holds


def write_parquet(path: Path, clips: Iterable[Clip]) -> None:
    """Write clips whose keys are what the paths are to be, whole or not at all, in BLOCKs."""
    import pyarrow.parquet as pq

    with replacing(path) as temporary, pq.ParquetWriter(temporary, schema()) as writer:
        for batch in to_batches(clips):
            writer.write_batch(batch)


def read_parquet(file: Path) -> Manifest:
    """The rows of a Parquet file; its columns of text may be strings, bytes or categories.

    ManifestError for a damaged file, a missing column, and a row that is none.
    """
    folder = file.absolute().parent
    state = file.stat()
    twin = folder / f".{file.name}.{VERSION}-{state.st_size:x}-{state.st_mtime_ns:x}.arrow"
    if not _is_whole(twin):
        for old in folder.glob(f".{file.name}.*.arrow"):
            with suppress(OSError):  # of a manifest that was replaced
                old.unlink()
        try:
            _write_arrow(twin, file)
        except OSError:  # no permission, a disk that is full or only to be read
            return _held(file, folder)
        map_file.cache_clear()  # of what was damaged
    return Manifest(map_file(twin), folder, twin)


def _is_whole(twin: Path) -> bool:
    """Whether there is a mapped file that has all rows; one that is damaged is made anew."""
    import pyarrow as pa

    try:
        table = map_file(twin)
        table.validate()
    except (OSError, pa.ArrowException):
        return False
    return bool(table.schema == schema() and table.num_rows)


def _write_arrow(twin: Path, file: Path) -> None:
    import pyarrow as pa

    with replacing(twin) as temporary, pa.ipc.new_file(os.fspath(temporary), schema()) as writer:
        for batch in _batches(file):
            writer.write_batch(batch)
    pa.default_memory_pool().release_unused()  # 80 MB of a million rows, which it would keep


def _held(file: Path, folder: Path) -> Manifest:
    """All in memory, where the folder cannot be written."""
    import pyarrow as pa

    return Manifest(pa.Table.from_batches(_batches(file), schema()), folder)


def _batches(file: Path) -> Iterator[Any]:
    """The checked rows, BLOCK by BLOCK."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = 0
    try:
        with pq.ParquetFile(file) as parquet:
            check_columns(file, parquet.schema_arrow.names)
            for batch in parquet.iter_batches(BLOCK, columns=list(COLUMNS)):
                yield _check(batch, f"{file}, row", rows)
                rows += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, PermissionError):
            raise
        raise ManifestError(f"{file} is damaged: {error}") from error
    if not rows:
        raise ManifestError(f"{file} lists no clips")


def _check(batch: Any, where: str, rows: int) -> Any:
    """Rows in a manifest's own types; ManifestError names the first that is none, from 1."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = []
    for field in schema():
        column = batch.column(field.name)
        if field.type == pa.binary():
            column = pc.fill_null(_bytes(column), b"")
        columns.append(column.cast(field.type))
    batch = pa.record_batch(columns, schema=schema())
    duration, rate = batch.column("duration"), batch.column("sample_rate")
    numbers = pc.and_(pc.and_(pc.is_finite(duration), pc.greater(duration, 0)), pc.greater(rate, 0))
    numbers = pc.and_(numbers, pc.less_equal(rate, HIGHEST_RATE))
    splits = pa.array([split.encode() for split in SPLITS])
    checks = (
        (pc.greater(pc.binary_length(batch.column("path")), 0), "the row has no path"),
        (numbers, "duration and sample_rate must be positive numbers"),
        (pc.is_in(batch.column("split"), splits), f"the split is none of {', '.join(SPLITS)}"),
    )
    for passed, reason in checks:
        row = pc.index(pc.fill_null(passed, False), False).as_py()
        if row >= 0:
            raise ManifestError(f"{where} {rows + row + 1}: {reason}")
    return batch


def _bytes(column: Any) -> Any:
    """A column of strings, bytes or categories of them as bytes."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_null(column.type):
        return pa.nulls(len(column), pa.binary())
    return column.cast(pa.binary())
