"""A manifest of many rows: columns in mapped memory, the same clips as the small form."""

import pickle
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from itertools import product, zip_longest
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dcvae.data.columnar import map_file
from dcvae.data.manifest import (
    Clip,
    ManifestError,
    fixed_hash,
    read_manifest,
    select_clips,
    write_manifest,
)
from dcvae.data.provenance import Corpus

DATA = Path(__file__).parents[2] / "data"
COLUMNS = {
    "path": ["a.wav", "b.wav"], "duration": [1.0, 2.0], "sample_rate": [8000, 8000],
    "speaker": ["", None], "language": ["", ""], "text": ["", ""], "split": ["train", "test"],
}  # fmt: skip
MILLION = """
import re, sys
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
from dcvae.data.manifest import read_manifest, select_clips
from experiments.data.clips import training_loader
def peak(): return int(re.search('VmHWM: *\\t* *(\\d+)', open('/proc/self/status').read())[1]) / 1e3
before = peak()
loader = training_loader(sys.argv[1], 128, 16)
order = iter(loader.sampler)
for epoch, index in (next(order) for _ in range(1000)):
    loader.dataset.clips[index]
chosen = select_clips(read_manifest(sys.argv[1]), 'validation', 32)
assert len({clip.speaker for clip in chosen}) == 32
print(len(loader.dataset.clips), before, peak())
"""


def test_both_forms_hold_the_same_clips(tmp_path: Path) -> None:
    clips = list(read_manifest(DATA / "manifest.csv"))
    clips.append(Clip(Path(b"/else/\xff.wav".decode("utf-8", "surrogateescape")), 1 / 3, 8000))
    for name in ("m.csv", "m.parquet"):
        write_manifest(tmp_path / name, clips)
    small, large = (read_manifest(tmp_path / name) for name in ("m.csv", "m.parquet"))
    assert list(small) == list(large)
    assert [large[index] for index in range(len(large))] == list(large)
    assert large[-2:] == list(large)[-2:]
    assert Corpus.of("c", "m", small) == Corpus.of("c", "m", list(large))
    wanted = [clip for clip in small if clip.split == "train" and clip.duration >= 2]
    assert list(large.where("train", 2.0)) == wanted
    for split, count in product(("train", "test"), (1, 3, 9)):
        assert select_clips(large, split, count) == by_hand(list(small), split, count)
        assert select_clips(list(small), split, count) == by_hand(list(small), split, count)


def by_hand(clips: list[Clip], split: str, count: int) -> list[Clip]:
    """One clip of every (language, speaker) in turn, each group by its names' hashes."""
    groups = defaultdict(list)
    for clip in clips:
        if clip.split == split:
            groups[clip.language, clip.speaker].append(clip)
    rows = [sorted(groups[one], key=lambda clip: fixed_hash(clip.name)) for one in sorted(groups)]
    return [clip for turn in zip_longest(*rows) for clip in turn if clip is not None][:count]


def test_a_worker_gets_the_name_of_the_mapped_file(tmp_path: Path) -> None:
    write_manifest(tmp_path / "m.parquet", read_manifest(DATA / "manifest.csv"))
    train = read_manifest(tmp_path / "m.parquet").where("train")
    sent = pickle.dumps(train)
    assert b"privacy" not in sent
    assert list(pickle.loads(sent)) == list(train)


def test_a_manifest_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    clips = read_manifest(DATA / "manifest.csv")
    write_manifest(tmp_path / "m.parquet", clips)
    assert len(read_manifest(tmp_path / "m.parquet")) == 10
    write_manifest(tmp_path / "m.parquet", clips[:4])
    assert len(read_manifest(tmp_path / "m.parquet")) == 4
    assert len(list(tmp_path.glob(".*.arrow"))) == 1


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"path": ["a.wav", None]}, "row 2: the row has no path"),
        ({"duration": [-1.0, 2.0]}, "row 1: duration and sample_rate must be positive"),
        ({"split": ["train", "dev"]}, "row 2: the split is none of"),
        ({"duration": ["long", "short"]}, "is damaged"),
        ({name: [] for name in COLUMNS}, "lists no clips"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, changed: dict, reason: str) -> None:
    pq.write_table(pa.table(COLUMNS), tmp_path / "m.parquet")
    assert [clip.speaker for clip in read_manifest(tmp_path / "m.parquet")] == ["", ""]
    pq.write_table(pa.table(COLUMNS | changed), tmp_path / "m.parquet")
    with pytest.raises(ManifestError, match=reason):
        read_manifest(tmp_path / "m.parquet")
    (tmp_path / "m.parquet").write_bytes(b"junk")
    with pytest.raises(ManifestError, match="damaged"):
        read_manifest(tmp_path / "m.parquet")
    pq.write_table(pa.table({"path": ["a"]}), tmp_path / "m.parquet")
    with pytest.raises(ManifestError, match="no column 'duration'"):
        read_manifest(tmp_path / "m.parquet")


def test_a_column_twice_is_told(tmp_path: Path) -> None:
    arrays = [pa.array(values) for values in COLUMNS.values()]
    twice = pa.Table.from_arrays([*arrays, arrays[0]], names=[*COLUMNS, "path"])
    pq.write_table(twice, tmp_path / "m.parquet")
    with pytest.raises(ManifestError, match="has the column 'path' more than once"):
        read_manifest(tmp_path / "m.parquet")


@pytest.mark.parametrize("damage", ["short", "junk", "other"])
def test_a_mapped_file_that_is_damaged_is_made_anew(tmp_path: Path, damage: str) -> None:
    clips = list(read_manifest(DATA / "manifest.csv"))
    write_manifest(tmp_path / "m.parquet", clips)
    read_manifest(tmp_path / "m.parquet")
    map_file.cache_clear()
    (twin,) = tmp_path.glob(".*.arrow")
    if damage == "other":
        other = pa.table({"path": ["x"]})
        with pa.ipc.new_file(str(twin), other.schema) as writer:
            writer.write_table(other)
    else:
        twin.write_bytes(twin.read_bytes()[:-200] if damage == "short" else b"junk")
    again = read_manifest(tmp_path / "m.parquet")
    assert [clip.path for clip in again] == [clip.path for clip in clips]


def flipped(content: bytes, count: int) -> Iterator[bytes]:
    """The bytes with a single bit changed, at `count` places from the first byte to the last."""
    for number in range(count):
        at = number * (len(content) - 1) // (count - 1)
        yield content[:at] + bytes([content[at] ^ 1 << number % 8]) + content[at + 1 :]


def test_a_bit_that_flips_in_a_mapped_file_is_noticed(tmp_path: Path) -> None:
    write_manifest(tmp_path / "m.parquet", read_manifest(DATA / "manifest.csv"))
    clips = list(read_manifest(tmp_path / "m.parquet"))
    (twin,) = tmp_path.glob(".*.arrow")
    for content in flipped(twin.read_bytes(), 30):
        twin.write_bytes(content)
        map_file.cache_clear()  # as in another process
        assert list(read_manifest(tmp_path / "m.parquet")) == clips
        assert list(tmp_path.glob(".*.arrow")) == [twin]


def test_a_bit_that_flips_in_a_parquet_file_is_told(tmp_path: Path) -> None:
    """Of the footer some bytes say nothing that is read: of the writer, or statistics."""
    file = tmp_path / "m.parquet"
    write_manifest(file, read_manifest(DATA / "manifest.csv"))
    clips, told = list(read_manifest(file)), 0
    for content in flipped(file.read_bytes(), 100):
        file.write_bytes(content)
        map_file.cache_clear()
        try:
            assert list(read_manifest(file)) == clips
        except ManifestError as error:
            told += str(file) in str(error)
    assert told > 50


def test_where_nothing_can_be_written_the_rows_are_held(tmp_path: Path) -> None:
    """Something has the mapped file's place; as on a read-only mount no permission is missing."""
    write_manifest(tmp_path / "m.parquet", read_manifest(DATA / "manifest.csv"))
    read_manifest(tmp_path / "m.parquet")
    (twin,) = tmp_path.glob(".*.arrow")
    twin.unlink()
    (twin / "inside").mkdir(parents=True)
    map_file.cache_clear()
    held = read_manifest(tmp_path / "m.parquet")
    assert (len(held), held.mapped) == (10, None)


def test_a_million_rows_take_little_memory(tmp_path: Path) -> None:
    """Under a third of what as many objects take, mapped pages included."""
    count = 1_000_000
    numbers = range(count)
    table = {
        "path": [f"speech/{number // 1000}/clip_{number}.flac" for number in numbers],
        "duration": pa.repeat(2.0, count), "sample_rate": pa.repeat(16000, count),
        "speaker": [f"speaker{number % 999}" for number in numbers],
        "language": pa.repeat("en", count), "text": pa.repeat("what was said in this clip", count),
        "split": [("train", "validation")[number % 20 == 0] for number in numbers],
    }  # fmt: skip
    pq.write_table(pa.table(table), tmp_path / "m.parquet")
    done = subprocess.run(
        [sys.executable, "-c", MILLION, tmp_path / "m.parquet"],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    rows, before, after = map(float, done.stdout.split())
    assert rows == count * 0.95
    assert after < 500, (before, after)
    assert after - before < 250, (before, after)
