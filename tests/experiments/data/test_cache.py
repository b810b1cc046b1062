"""Decoded speech in one file: the crops of the files themselves, whatever happens on the way."""

import logging
import multiprocessing
import os
import pickle
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from accelerate.data_loader import prepare_data_loader

from dcvae.audio.io import AudioError, read_audio
from dcvae.data.manifest import Clip, Manifest, read_manifest, write_manifest
from experiments.data import cache as module
from experiments.data.cache import AudioCache, open_cache
from experiments.data.clips import Clips, training_loader
from experiments.data.streams import STREAM

DATA = Path(__file__).parents[2] / "data"
HALF_A_STEP = 0.5 / 32767 + 2e-6  # crops of a file agree among themselves to 1e-6


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """The real clips, copied, as training clips; one is 0.2 s long."""
    rows = []
    for clip in read_manifest(DATA / "manifest.csv"):
        path = Path(shutil.copy(clip.path, tmp_path))
        rows.append(Clip(path, clip.duration, clip.sample_rate))
    soundfile.write(tmp_path / "short.wav", read_audio(path, stop=0.2).numpy(), 22050)
    write_manifest(tmp_path / "m.csv", [*rows, Clip(tmp_path / "short.wav", 0.2, 22050)])
    return tmp_path / "m.csv"


def made(manifest: Path, folder: str = "cache") -> AudioCache:
    return open_cache(manifest.parent / folder, manifest, read_manifest(manifest), workers=0)


def test_crops_are_those_of_the_files_to_16_bits(manifest: Path) -> None:
    settings = {"segment_frames": 128, "batch_size": 2, "seed": 3, "min_seconds": 0.1}
    decoded = prepare_data_loader(training_loader(manifest, **settings))
    cache = manifest.parent / "cache"
    cached = prepare_data_loader(training_loader(manifest, **settings, num_workers=2, cache=cache))
    for _ in range(3):
        for one, other in zip(decoded, cached, strict=True):
            assert (one - other).abs().max() <= HALF_A_STEP
            assert one.abs().max() > 100 * HALF_A_STEP


def test_once_made_it_needs_no_file(manifest: Path) -> None:
    clips = read_manifest(manifest)
    expected = [Clips(clips, 32, 0)[1, row] for row in range(len(clips))]
    made(manifest)
    for clip in clips:
        clip.path.unlink()
    dataset = Clips(clips, 32, 0, made(manifest))
    assert len(pickle.dumps(dataset.cache)) < 2000
    for row, crop in enumerate(expected):
        assert (dataset[1, row] - crop).abs().max() <= HALF_A_STEP
    assert dataset[1, len(clips) - 1][4410:].abs().max() == 0


def test_another_manifest_or_selection_never_reads_it(manifest: Path) -> None:
    clips = read_manifest(manifest)
    paths = {made(manifest).path}
    selected = clips.where("train", 1.0)
    paths.add(open_cache(manifest.parent / "cache", manifest, selected, 0).path)
    other = shutil.copy(manifest, manifest.with_name("other.csv"))
    paths.add(made(Path(other)).path)
    write_manifest(manifest, list(clips)[::-1])
    paths.add(made(manifest).path)
    assert len(paths) == 4


def test_a_killed_making_goes_on(manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SETTLED", 0.0)
    whole = made(manifest, "undisturbed").path.read_bytes()
    counts = [end(in_a_process(manifest, "cache", stop)) for stop in (4, 3)]
    assert [status for _, status in counts] == [9, 9]
    assert not list((manifest.parent / "cache").glob("*.npy"))
    assert end(in_a_process(manifest, "cache")) == (len(read_manifest(manifest)) - 5, 0)
    (file,) = (manifest.parent / "cache").glob("*.npy")
    assert file.read_bytes()[128:] == whole[128:]
    assert not list((manifest.parent / "cache").glob(".*.part"))


def test_processes_that_start_together_decode_once(manifest: Path) -> None:
    ended = [end(one) for one in [in_a_process(manifest, "cache") for _ in range(3)]]
    assert [status for _, status in ended] == [0, 0, 0]
    assert sum(count for count, _ in ended) == len(read_manifest(manifest))


def in_a_process(manifest: Path, folder: str, stop: int = 1000):
    """Start a making that dies at its `stop`th file."""
    count = multiprocessing.get_context("fork").Value("i", 0)

    def work() -> None:
        def read(*where, **range_) -> torch.Tensor:
            count.value += 1
            if count.value == stop:
                os._exit(9)
            return read_audio(*where, **range_)

        module.read_audio = read
        made(manifest, folder)

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    return count, process


def end(started) -> tuple[int, int]:
    """How many files it read, and its status."""
    count, process = started
    process.join(60)
    return count.value, process.exitcode


def test_a_file_that_cannot_be_read_is_named_and_mended(manifest: Path) -> None:
    clips: Manifest = read_manifest(manifest)
    content = clips[5].path.read_bytes()
    clips[5].path.unlink()
    with pytest.raises(AudioError, match=f"{clips[5].path.name}.*loader.cache is not made"):
        made(manifest)
    clips[5].path.write_bytes(content)
    for clip in clips[:5]:
        clip.path.unlink()  # they are done
    cache = made(manifest)
    assert (cache.read(5, 0, 9999) - read_audio(clips[5].path)[:9999]).abs().max() <= HALF_A_STEP


def test_a_disk_without_room_is_told(manifest: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(OSError, match=r"m-\w+\.npy cannot be written: .*it takes 0\.00\d+ GB"):
            made(manifest)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list((manifest.parent / "cache").glob(".*.part"))


def test_a_damaged_cache_is_named(manifest: Path) -> None:
    path = made(manifest).path
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(ValueError, match=f"{path.name} is damaged: remove it"):
        made(manifest)


def test_what_clips_is_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    wave = np.r_[np.full(7, -1.5), np.zeros(22043)].astype(np.float32)
    soundfile.write(tmp_path / "loud.wav", wave, 22050, "FLOAT")
    write_manifest(tmp_path / "m.csv", [Clip(tmp_path / "loud.wav", 1.0, 22050)])
    with caplog.at_level(logging.WARNING):
        cache = made(tmp_path / "m.csv")
    assert "7 samples beyond full scale are clipped" in caplog.text
    assert cache.read(0, 0, 8).tolist() == [-1.0] * 7 + [0.0]


def test_a_stream_has_no_use_for_it(manifest: Path) -> None:
    manifest.with_name(STREAM).write_text("{}")
    with pytest.raises(ValueError, match=r"loader\.cache is of no use to data=hub"):
        training_loader(manifest, 32, 2, cache="cache")
