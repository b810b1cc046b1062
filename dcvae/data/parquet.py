"""Manifests as Parquet, for corpora of millions: small on the disk, and mapped when they are read.

Parquet itself cannot be mapped. The first reader writes an Arrow file beside it, which can: every
later process, and every worker, shares its pages. Its name ends with the checksum of its bytes, by
which a reader knows that none has changed; Parquet has one of each page.
"""

import glob
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from dcvae.audio.rates import HIGHEST_RATE
from dcvae.data.clip import COLUMNS, SPLITS, Clip, ManifestError, check_columns
from dcvae.data.columnar import BLOCK, Manifest, map_file, schema, to_batches
from dcvae.utils.files import file_crc32, replacing

VERSION = 2  # of what the mapped file holds


def write_parquet(path: Path, clips: Iterable[Clip]) -> None:
    """Write clips whose keys are what the paths are to be, whole or not at all, in BLOCKs."""
    import pyarrow.parquet as pq

    with (
        replacing(path) as temporary,
        pq.ParquetWriter(temporary, schema(), write_page_checksum=True) as writer,
    ):
        for batch in to_batches(clips):
            writer.write_batch(batch)


def read_parquet(file: Path) -> Manifest:
    """The rows of a Parquet file; its columns of text may be strings, bytes or categories.

    ManifestError for a damaged file, a missing column, and a row that is none.
    """
    folder = file.absolute().parent
    state = file.stat()
    stem = f".{file.name}.{VERSION}-{state.st_size:x}-{state.st_mtime_ns:x}"
    twin = next(filter(_is_whole, _beside(folder, f"{stem}-")), None)
    if twin is None:
        for old in _beside(folder, f".{file.name}."):
            with suppress(OSError):  # damaged, or of a manifest that was replaced
                old.unlink()
        try:
            twin = _write_arrow(folder / stem, file)
        except OSError:  # no permission, a disk that is full or only to be read
            return _held(file, folder)
        map_file.cache_clear()  # of what was damaged
    return Manifest(map_file(twin), folder, twin)


def _beside(folder: Path, begin: str) -> list[Path]:
    """The mapped files whose names begin so."""
    return sorted(folder.glob(f"{glob.escape(begin)}*.arrow"))


def _is_whole(twin: Path) -> bool:
    """Whether a mapped file has the bytes that were written, all rows; any other is made anew.

    They are read, a fifth of a second a gigabyte where they are in memory, and not kept.
    """
    import pyarrow as pa

    try:
        if not twin.stem.endswith(f"-{file_crc32(twin):08x}"):
            return False
        table = map_file(twin)
        table.validate()
    except (OSError, pa.ArrowException):
        return False
    return bool(table.schema == schema() and table.num_rows)


def _write_arrow(stem: Path, file: Path) -> Path:
    """The mapped file of a Parquet file, STEM-CHECKSUM.arrow."""
    import pyarrow as pa

    unnamed = stem.with_name(f"{stem.name}.arrow")
    with replacing(unnamed) as temporary, pa.ipc.new_file(str(temporary), schema()) as writer:
        for batch in _batches(file):
            writer.write_batch(batch)
    pa.default_memory_pool().release_unused()  # 80 MB of a million rows, which it would keep
    return unnamed.replace(stem.with_name(f"{stem.name}-{file_crc32(unnamed):08x}.arrow"))


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
        with pq.ParquetFile(file, page_checksum_verification=True) as parquet:
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
