"""Real clips through the real command: the codec's bits, whatever is killed, and whenever."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from dcvae import Codec, LatentShards, SpeechAutoencoder, read_audio
from dcvae.cli import main
from dcvae.utils.threads import torch_threads

SMALL = {
    "channels": [8, 8, 8, 16, 16],
    "encoder_layers": [0, 1, 1, 1, 1],
    "decoder_layers": [0, 1, 1, 1, 1],
}
COPIES = 12  # of ten clips
PATIENCE = 60  # seconds


@pytest.fixture(autouse=True)
def one_thread():
    with torch_threads(1):
        yield


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("model") / "last"
    SpeechAutoencoder(**SMALL).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def corpus(clips, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    for number in range(COPIES):
        (folder / f"{number:02d}").mkdir()
        for clip in clips:
            shutil.copy(clip.path, folder / f"{number:02d}")
    return folder


def encode(*arguments: object) -> int:
    """The exit status of `dcvae encode`."""
    try:
        main(["encode", *map(str, arguments)])
    except SystemExit as stopped:
        return int(stopped.code or 0)
    return 0


def contents(folder: Path, *patterns: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for one in patterns for path in folder.glob(one)}


def noise(path: Path, seconds: float, rate: int, channels: int) -> None:
    wave = np.random.default_rng(0).normal(0, 0.1, (round(seconds * rate), channels))
    soundfile.write(path, wave, rate)


def test_latents_are_the_codecs_to_the_bit(tmp_path, model, clips):
    """At any rate, and of a file that is read in several blocks."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name, seconds, rate, channels in (
        ("long", 65.3, 44100, 2), ("odd", 3.1, 16001, 1), ("own", 1.7, 22050, 1),
        ("tiny", 0.002, 8000, 6),
    ):  # fmt: skip
        noise(folder / f"{name}.wav", seconds, rate, channels)
    shutil.copy(clips[0].path, folder)
    out = tmp_path / "out"
    assert encode(folder, "--shards", out, "--model", model, "--workers", 1) == 0
    codec, shards = Codec.from_pretrained(model), LatentShards(out)
    assert len(shards) == 5
    for latents, record in shards:
        path = folder / record["id"]
        info = soundfile.info(path)
        assert (record["samples"], record["sample_rate"]) == (info.frames, info.samplerate)
        assert record["seconds"] == info.frames / info.samplerate
        wave = read_audio(path, info.samplerate)[None]
        assert torch.equal(latents, codec.encode(wave, info.samplerate)[0].T), record


def test_neither_workers_nor_shards_change_a_bit(tmp_path, model, clips):
    manifest = clips[0].path.parent / "manifest.csv"
    for name, per_shard, workers in (("a", 10, 1), ("b", 3, 2), ("c", 3, 1)):
        options = ["--clips-per-shard", per_shard, "--workers", workers, "--model", model]
        assert encode(manifest, "--shards", tmp_path / name, *options) == 0
    files = ("shard-*", "index.parquet", "dataset.json", "plan.json")
    assert contents(tmp_path / "b", *files) == contents(tmp_path / "c", *files)
    assert len(contents(tmp_path / "b", "shard-*")) == 4
    whole, parts = LatentShards(tmp_path / "a"), LatentShards(tmp_path / "b")
    for (latents, record), (again, other) in zip(whole, parts, strict=True):
        assert torch.equal(latents, again)
        assert record["id"] == other["id"]
    expected = {clip.key: clip for clip in clips}
    for _, record in parts:
        clip = expected[record["id"]]
        for label in ("text", "speaker", "language", "split", "sample_rate"):
            assert record[label] == getattr(clip, label)
        assert record["seconds"] == pytest.approx(clip.duration, abs=1e-6)


def test_statistics_are_numpys(tmp_path, model, clips):
    assert encode(clips[0].path.parent, "--shards", tmp_path, "--model", model) == 0
    shards = LatentShards(tmp_path)
    frames = torch.cat([latents for latents, _ in shards]).numpy().astype(np.float64)
    np.testing.assert_allclose(shards.info["mean"], frames.mean(0), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(shards.info["std"], frames.std(0), rtol=1e-12)
    assert shards.info["frames"] == len(frames)
    assert shards.info["hours"] == pytest.approx(sum(clip.duration for clip in clips) / 3600)
    assert shards.info["frames_per_second"] == pytest.approx(22050 / 256 / 16)
    assert (shards.info["dims"], shards.info["compression"]) == (80, 16)


def test_float16_is_the_codecs_rounded(tmp_path, model, clips):
    path = clips[0].path
    out = ["--shards", tmp_path / "a", "--dtype", "float16"]
    assert encode(path, *out, "--model", model) == 0
    ((latents, _),) = LatentShards(tmp_path / "a")
    expected = Codec.from_pretrained(model).encode(read_audio(path, 16000)[None], 16000)[0].T
    assert torch.equal(latents, expected.half().float())


def test_clips_that_cannot_be_read_are_named_and_the_rest_goes_on(tmp_path, model, clips, capfd):
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(clips[0].path, folder / "good.flac")
    (folder / "text.wav").write_text("this is no audio at all")
    (folder / "empty.wav").touch()
    sources = [folder, folder / "missing.wav"]
    out = ["--shards", tmp_path / "out", "--model", model, "--clips-per-shard", 1, "--workers", 1]
    assert encode(*sources, *out) == 2
    told = capfd.readouterr()
    assert "1 clips, " in told.out
    assert "3 failed" in told.out
    dataset = json.loads((tmp_path / "out" / "dataset.json").read_text())
    failed = {one["id"]: one["reason"] for one in dataset["failed"]}
    assert [*failed] == ["empty.wav", "missing.wav", "text.wav"]
    for name, words in (
        ("empty", "is empty"),
        ("missing", "no such"),
        ("text", "cannot be decoded"),
    ):
        assert words in failed[f"{name}.wav"]
        assert str(folder) not in failed[f"{name}.wav"]
        assert sum(f"{name}.wav failed" in line for line in told.err.splitlines()) == 1
    assert [record["id"] for _, record in LatentShards(tmp_path / "out")] == ["good.flac"]
    assert encode(folder / "text.wav", "--shards", tmp_path / "none", "--model", model) == 2
    assert "none of 1 clips" in capfd.readouterr().err
    assert not (tmp_path / "none" / "dataset.json").exists()


def command(corpus: Path, out: Path, model: Path) -> list[str]:
    options = ["--shards", out, "--model", model, "--clips-per-shard", 2]
    return list(map(str, [corpus, *options]))


def started(corpus: Path, out: Path, model: Path) -> list[str]:
    """The same with two workers, in a process of its own."""
    program = [sys.executable, "-m", "dcvae.cli", "encode"]
    return [*program, *command(corpus, out, model), "--workers", "2"]


def killed_at(corpus: Path, out: Path, model: Path, shards: int) -> dict[str, tuple[int, int]]:
    """Begin in a process, kill it when so many shards are there: their inodes and times."""
    running = subprocess.Popen(
        started(corpus, out, model),
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + PATIENCE
    while len(list(out.glob("shard-*"))) < shards and time.monotonic() < deadline:
        assert running.poll() is None, "it ended before it was killed"
        time.sleep(0.002)
    states = {path.name: path.stat() for path in out.glob("shard-*")}
    running.send_signal(signal.SIGKILL)
    running.wait()
    while time.monotonic() < deadline:
        try:
            os.killpg(running.pid, 0)
        except ProcessLookupError:  # the workers are gone too
            return {name: (state.st_ino, state.st_mtime_ns) for name, state in states.items()}
        time.sleep(0.01)
    pytest.fail("workers outlive the command")


def test_killed_and_resumed_it_is_as_if_it_had_run_through(tmp_path, model, corpus):
    out = tmp_path / "out"
    finished = killed_at(corpus, out, model, 3)
    assert 3 <= len(finished) < COPIES * 5
    assert not (out / "dataset.json").exists()
    with pytest.raises(ValueError, match=r"dataset\.json is not there"):
        LatentShards(out)
    (out / ".shard-00059.safetensors.1.part").touch()  # as if killed while it was written
    again = killed_at(corpus, out, model, len(list(out.glob("shard-*"))) + 2)
    assert again.items() >= finished.items()
    (out / "shard-00000.safetensors").write_bytes(b"cut")  # a damaged one is not taken for done
    finished = again | {"shard-00000.safetensors": None}
    assert encode(*command(corpus, out, model), "--workers", 1) == 0
    after = {path.name: path.stat() for path in out.glob("shard-*")}
    for name, state in finished.items():
        if state:
            assert (after[name].st_ino, after[name].st_mtime_ns) == state
    whole = tmp_path / "whole"
    assert encode(*command(corpus, whole, model), "--workers", 1) == 0
    assert contents(out, "*") == contents(whole, "*")
    assert len(after) == COPIES * 5
    assert not list(out.glob(".*.part"))


def test_two_commands_do_not_share_a_folder(tmp_path, model, corpus, capfd):
    out = tmp_path / "out"
    running = subprocess.Popen(
        started(corpus, out, model),
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + PATIENCE
    while not (out / "plan.json").exists() and time.monotonic() < deadline:
        time.sleep(0.002)
    running.send_signal(signal.SIGSTOP)
    try:
        assert encode(*command(corpus, out, model), "--workers", 1) == 2
        assert f"{out} is in use by another process" in capfd.readouterr().err
    finally:
        running.send_signal(signal.SIGCONT)
    assert running.wait() == 0
    assert len(LatentShards(out)) == COPIES * 10


def test_an_interrupted_command_ends_its_workers(tmp_path, model, corpus):
    out = tmp_path / "out"
    running = subprocess.Popen(
        started(corpus, out, model),
        env=os.environ | {"OMP_NUM_THREADS": "1"}, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
        # what a shell starts in the background would ignore it
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )  # fmt: skip
    deadline = time.monotonic() + PATIENCE
    while not list(out.glob("shard-*")) and time.monotonic() < deadline:
        time.sleep(0.002)
    os.killpg(running.pid, signal.SIGINT)  # as a terminal does
    _, errors = running.communicate()
    assert running.returncode == 130
    assert "the same command goes on" in errors
    assert "Traceback" not in errors
    assert not list(out.glob(".*.part"))
