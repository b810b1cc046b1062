"""Indexing: real decoding, failures listed, splits that never move."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dcvae.data.manifest import Clip, read_manifest
from dcvae.data.sources import find_files
from experiments.data.index import fill_splits, index_files, split_of, write_index
from experiments.data.labels import Labels

DATA = Path(__file__).parents[2] / "data"


def test_real_clips_get_the_numbers_that_their_manifest_states() -> None:
    expected = {clip.path: clip for clip in read_manifest(DATA / "manifest.csv")}
    index = index_files(find_files(DATA))
    assert not index.failures
    assert len(index.clips) == len(expected) == 10
    for clip in index.clips:
        assert clip.duration == pytest.approx(expected[clip.path].duration, abs=1e-6)
        assert clip.sample_rate == 16000


def test_unreadable_files_are_listed_and_counted(tmp_path: Path) -> None:
    good = DATA / "en_tt_weasels.flac"
    (tmp_path / "empty.g722").touch()
    (tmp_path / "corrupt.ogg").write_bytes(b"junk" * 99)
    soundfile.write(tmp_path / "silent.wav", np.zeros(8000), 8000)
    bad = [tmp_path / name for name in ("empty.g722", "corrupt.ogg", "silent.wav")]
    index = index_files([good, *bad])
    assert [clip.path for clip in index.clips] == [good]
    summary = write_index(tmp_path / "m.csv", index)
    assert "1 clips" in summary
    assert "3 unreadable, see m.unreadable.txt" in summary
    lines = (tmp_path / "m.unreadable.txt").read_text().splitlines()
    assert [line.split("\t")[0] for line in lines] == [str(path) for path in bad]
    for line, reason in zip(lines, ("is empty", "cannot be decoded", "is silent"), strict=True):
        assert reason in line
    write_index(tmp_path / "m.csv", index_files([good]))
    assert not (tmp_path / "m.unreadable.txt").exists()
    with pytest.raises(ValueError, match=r"none of the 3 audio files .*empty\.g722"):
        write_index(tmp_path / "m.csv", index_files(bad))


def test_splits_are_90_5_5_and_depend_on_the_name_alone() -> None:
    splits = [split_of(f"speaker/{index}.wav") for index in range(20000)]
    shares = [splits.count(split) / 20000 for split in ("train", "validation", "test")]
    assert shares == pytest.approx([0.9, 0.05, 0.05], abs=0.006)
    for name in ("a.wav", "b/c.flac", "č"):
        place = int(hashlib.sha256(name.encode()).hexdigest()[:16], 16) % 100
        assert split_of(name) == ("train" if place < 90 else "validation" if place < 95 else "test")
        assert (split_of(name, 40) == "test") == (place >= 60)
        assert (split_of(name, 40) == "train") == (place < 55)


def test_labels_may_name_the_split(tmp_path: Path) -> None:
    clip = DATA / "it_confbridge_dec_talk_vol_in.flac"
    index = index_files([clip], label=lambda _: Labels("Carlo", "it", split="unseen"))
    assert [one.split for one in index.clips] == ["unseen"]
    summary = write_index(tmp_path / "m.csv", index)
    assert "(0 train, 0 validation, 0 test, 1 unseen)" in summary
    assert [one.split for one in read_manifest(tmp_path / "m.csv")] == ["unseen"]


def test_a_small_corpus_has_all_three_splits(tmp_path: Path) -> None:
    clips = [Clip(tmp_path / f"{index}.wav", 1.0, 8000) for index in range(3)]
    assert sorted(clip.split for clip in fill_splits(clips)) == ["test", "train", "validation"]
    assert fill_splits(clips) == fill_splits(clips)
    assert [clip.split for clip in fill_splits(clips[:1])] == ["train"]


def test_folders_without_audio_are_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no audio")
    for folder, reason in (
        (tmp_path / "absent", "does not exist"),
        (tmp_path / "notes.txt", "is not a folder"),
        (tmp_path, "holds no audio"),
    ):
        with pytest.raises(ValueError, match=reason) as caught:
            find_files(folder)
        assert str(folder) in str(caught.value)
