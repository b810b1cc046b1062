"""The commands as a user types them, on real speech and on every bad file there is."""

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
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from dcvae import Codec, LatentShards, SpeechAutoencoder, read_audio
from dcvae.cli import main
from dcvae.utils.threads import torch_threads

SMALL = {
    "channels": [8, 8, 8, 16, 16],
    "encoder_layers": [0, 1, 1, 1, 1],
    "decoder_layers": [0, 1, 1, 1, 1],
}

# Of latents around 1, where another window takes the front end: see the codec's tests.
ROUNDING = {"rtol": 1e-3, "atol": 1e-3}


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


def dcvae(*arguments: object) -> int:
    """The exit status of the command."""
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as stopped:
        return int(stopped.code or 0)
    return 0


def noise(path: Path, samples: int, rate: int, channels: int = 1, level: float = 0.1) -> Path:
    wave = np.random.default_rng(0).normal(0, level, (samples, channels))
    soundfile.write(path, wave, rate)
    return path


@pytest.mark.parametrize(
    ("rate", "channels", "samples"),
    [(22050, 1, 22050), (16000, 2, 11200), (8000, 1, 2000), (192000, 6, 96001), (22050, 1, 500)],
)
def test_every_rate_and_layout_comes_back_at_its_own_rate_and_length(
    tmp_path, model, rate, channels, samples
):
    source = noise(tmp_path / "in.wav", samples, rate, channels)
    assert dcvae("reconstruct", source, tmp_path / "out.wav", "--model", model) == 0
    output = soundfile.info(tmp_path / "out.wav")
    assert (output.samplerate, output.channels, output.frames) == (rate, 1, samples)


def test_encode_and_decode_restore_a_folder(tmp_path, model, clips, capfd):
    speech = clips[0].path.parent
    assert dcvae("encode", speech, "--out", tmp_path / "latents", "--model", model) == 0
    assert "encoded 10 files, 28.2 s of speech" in capfd.readouterr().out
    for clip in clips:
        latents = load_file(tmp_path / "latents" / f"{clip.path.stem}.safetensors")["latents"]
        expected = Codec.from_pretrained(model).encode(read_audio(clip.path)[None], 22050)[0]
        torch.testing.assert_close(latents, expected, **ROUNDING)
    assert dcvae("decode", tmp_path / "latents", "--out", tmp_path / "w", "--model", model) == 0
    assert dcvae("reconstruct", speech, tmp_path / "r", "--model", model) == 0
    for clip in clips:
        source = soundfile.info(clip.path)
        for folder in ("w", "r"):
            output = soundfile.info(tmp_path / folder / f"{clip.path.stem}.wav")
            assert (output.samplerate, output.frames) == (source.samplerate, source.frames)


def test_encoding_again_gives_the_same_bytes(tmp_path, model, clips):
    written = set()
    for number in range(6):  # what a hash orders changes from one map to the next
        out = tmp_path / str(number)
        assert dcvae("encode", clips[0].path, "--out", out, "--model", model) == 0
        written.add((out / f"{clips[0].path.stem}.safetensors").read_bytes())
    assert len(written) == 1


def test_long_and_short_give_the_same_latents(tmp_path, model, clips, monkeypatch):
    from dcvae.audio import streaming
    from dcvae.inference.transcode import operations

    source = clips[0].path
    assert dcvae("encode", source, "--out", tmp_path / "a", "--model", model) == 0
    monkeypatch.setattr(streaming, "BLOCK", 0.7)
    monkeypatch.setattr(operations, "BLOCK", 0.7)
    assert dcvae("encode", source, "--out", tmp_path / "b", "--model", model) == 0
    assert dcvae("decode", tmp_path / "b", "--out", tmp_path / "c", "--model", model) == 0
    name = f"{source.stem}.safetensors"
    whole, parts = (load_file(tmp_path / one / name)["latents"] for one in "ab")
    torch.testing.assert_close(parts, whole, **ROUNDING)
    output = soundfile.info(tmp_path / "c" / f"{source.stem}.wav")
    assert output.frames == soundfile.info(source).frames


def test_a_corpus_goes_into_shards(tmp_path, model, clips, capfd):
    manifest, out = clips[0].path.parent / "manifest.csv", tmp_path / "shards"
    command = ["encode", manifest, "--shards", out, "--clips-per-shard", 4, "--workers", 1]
    assert dcvae(*command, "--model", model) == 0
    said = capfd.readouterr().out
    assert "10 clips, 0.00784 h of speech; 0.00784 h encoded in" in said
    assert "h an hour" in said
    codec, shards = Codec.from_pretrained(model), LatentShards(out, "test")
    assert [record["id"] for _, record in shards] == [
        "en_tt_weasels.flac",
        "fr_queue_youarenext.flac",
    ]
    for frames, record in shards:
        wave = read_audio(clips[0].path.parent / record["id"], 16000)[None]
        assert torch.equal(frames, codec.encode(wave, 16000)[0].T)
    before = {path.name: path.stat() for path in out.glob("shard-*")}
    assert dcvae(*command, "--model", model) == 0
    assert "all of it encoded before" in capfd.readouterr().out
    torch.manual_seed(1)
    SpeechAutoencoder(**SMALL).save_pretrained(tmp_path / "other")
    assert dcvae(*command, "--model", tmp_path / "other") == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert f"{out} was begun with another checkpoint" in line
    assert {path.name: path.stat() for path in out.glob("shard-*")} == before
    assert dcvae(*command, "--model", tmp_path / "other", "--overwrite") == 0
    assert not torch.equal(LatentShards(out, "test")[0][0], shards[0][0])


def test_options_of_shards_that_fit_nothing(tmp_path, model, clips, capfd):
    command = ["encode", clips[0].path, "--model", model]
    (tmp_path / "file").touch()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    for options, words in (
        (["--out", tmp_path / "o", "--workers", 2], "--workers goes with --shards"),
        (["--out", tmp_path / "o", "--clips-per-shard", 2], "--clips-per-shard goes with"),
        (["--out", tmp_path / "o", "--shards", tmp_path / "o"], "not allowed with"),
        ([], "one of the arguments --out --shards is required"),
        (["--shards", tmp_path / "o", "--workers", 0], "1 or more"),
        (["--shards", tmp_path / "file"], "is a file"),
        (["--shards", tmp_path / "full"], "holds other files"),
        (["--shards", tmp_path / "o", "--device", "gpu9"], "there is no device gpu9"),
    ):
        assert dcvae(*command, *options) == 2, options
        assert words in capfd.readouterr().err.splitlines()[-1], options
    assert not (tmp_path / "o").exists()


def bad_files(folder: Path) -> dict[str, str]:
    (folder / "empty.wav").write_bytes(b"")
    (folder / "text.wav").write_text("this is no audio at all")
    (folder / "folder.wav").mkdir()
    noise(folder / "silent.wav", 22050, 22050, level=0.0)
    noise(folder / "none.wav", 0, 22050)
    broken = np.full(22050, np.nan, "float32")
    soundfile.write(folder / "nan.wav", broken, 22050, subtype="FLOAT")
    soundfile.write(folder / "loud.wav", np.full(22050, 1e30, "float32"), 22050, subtype="FLOAT")
    noise(folder / "slow.wav", 22050, 1)
    noise(folder / "fast.wav", 22050, 10**9)
    return {
        "missing.wav": "no such audio file",
        "empty.wav": "empty",
        "text.wav": "cannot be decoded",
        "silent.wav": "silent",
        "none.wav": "holds no audio",
        "loud.wav": "beyond 1e+10",
        "slow.wav": "1 samples a second",
        "fast.wav": "1000000000 samples a second",
        "nan.wav": "not finite",
    }


def test_bad_input_is_one_line_status_2_and_no_output(tmp_path, model, capfd):
    for name, words in bad_files(tmp_path).items():
        source, target = tmp_path / name, tmp_path / "o.wav"
        assert dcvae("reconstruct", source, target, "--model", model) == 2
        captured = capfd.readouterr()
        (line,) = [line for line in captured.err.splitlines() if "dcvae:" in line]
        assert words in line
        assert name in line
        assert captured.out == ""
        assert not target.exists()


def test_the_rest_of_a_batch_goes_on_and_failures_are_counted(tmp_path, model, clips, capfd):
    bad = bad_files(tmp_path)
    shutil.copy(clips[0].path, tmp_path / "good.flac")
    sources = [*(tmp_path / name for name in bad), tmp_path / "good.flac"]
    assert dcvae("encode", *sources, "--out", tmp_path / "out", "--model", model) == 2
    captured = capfd.readouterr()
    assert "encoded 1 file," in captured.out
    assert f"{len(bad)} failed" in captured.out
    assert [path.name for path in (tmp_path / "out").glob("*.safetensors")] == ["good.safetensors"]
    for name in bad:
        assert sum(name in line for line in captured.err.splitlines() if "dcvae:" in line) == 1


@pytest.mark.parametrize("rate", [1, 10**9, 10**12])
def test_latents_that_say_what_cannot_be_are_told_and_the_rest_goes_on(
    tmp_path, model, clips, capfd, rate
):
    """A sample rate from which seconds, threads or memory follow, and numbers of eight bits."""
    latents = tmp_path / "latents"
    assert dcvae("encode", clips[0].path, "--out", latents, "--model", model) == 0
    (good,) = latents.glob("*.safetensors")
    with safe_open(good, framework="pt") as file:
        said, values = file.metadata(), file.get_tensor("latents")
    samples = round(int(said["samples"]) * rate / int(said["sample_rate"]))
    odd = said | {"sample_rate": str(rate), "samples": str(max(samples, 1))}
    save_file({"latents": values}, latents / "a.safetensors", odd)
    save_file({"latents": values.to(torch.float8_e4m3fn)}, latents / "b.safetensors", said)
    capfd.readouterr()
    assert dcvae("decode", latents, "--out", tmp_path / "out", "--model", model) == 2
    told = capfd.readouterr()
    assert "a.safetensors has unusable metadata" in told.err
    assert "b.safetensors holds latents in torch.float8_e4m3fn" in told.err
    assert told.err.count("\n") == 2
    assert [path.name for path in (tmp_path / "out").glob("*.wav")] == [f"{good.stem}.wav"]


def test_latents_that_are_not_finite_are_not_written(tmp_path, model, clips, capfd):
    """Of weights that are not; and a scale that is none is no checkpoint."""
    weights = load_file(model / "model.safetensors")
    shutil.copytree(model, tmp_path / "broken")
    first = next(name for name in weights if "encoder" in name)
    save_file({**weights, first: weights[first] * np.nan}, tmp_path / "broken/model.safetensors")
    source = clips[0].path
    out = tmp_path / "out"
    assert dcvae("encode", source, "--out", out, "--model", tmp_path / "broken") == 2
    assert f"the latents of {source} are not finite" in capfd.readouterr().err
    assert not list(out.glob("*.safetensors"))
    config = (model / "config.json").read_text().replace('"mel_std": 1.0', '"mel_std": NaN')
    (tmp_path / "broken" / "config.json").write_text(config)
    assert dcvae("encode", source, "--out", out, "--model", tmp_path / "broken") == 2
    assert "mel_std must be a finite number, not nan" in capfd.readouterr().err


def test_the_same_command_goes_on_and_another_overwrites_nothing(tmp_path, model, clips, capfd):
    speech, out = clips[0].path.parent, tmp_path / "out"
    assert dcvae("encode", speech, "--out", out, "--model", model) == 0
    gone = next(out.glob("*.safetensors"))
    gone.unlink()
    assert dcvae("encode", speech, "--out", out, "--model", model) == 0
    assert "encoded 1 file" in (said := capfd.readouterr().out)
    assert "9 done before" in said
    assert gone.is_file()
    other = ["encode", speech, "--out", out, "--model", model, "--precision", "bfloat16"]
    before = gone.read_bytes()
    assert dcvae(*other) == 2
    assert gone.read_bytes() == before
    assert "10 failed" in capfd.readouterr().out
    assert dcvae(*other, "--overwrite") == 0
    assert gone.read_bytes() != before


def test_an_output_that_exists_is_refused(tmp_path, model, clips, capfd):
    target = tmp_path / "out.wav"
    target.write_text("mine")
    command = ["reconstruct", clips[0].path, target, "--model", model]
    assert dcvae(*command) == 2
    assert f"{target} exists: --overwrite" in capfd.readouterr().err
    assert target.read_text() == "mine"
    assert dcvae(*command, "--overwrite") == 0
    assert soundfile.info(target).frames == soundfile.info(clips[0].path).frames


def test_wrong_places_are_told_in_one_line(tmp_path, model, clips, capfd):
    source, folder = clips[0].path, clips[0].path.parent
    (tmp_path / "file").touch()
    (tmp_path / "none").mkdir()
    torch.manual_seed(1)
    SpeechAutoencoder(**SMALL).save_pretrained(tmp_path / "other")
    assert dcvae("encode", source, "--out", tmp_path / "l", "--model", tmp_path / "other") == 0
    capfd.readouterr()
    out = ["--out", tmp_path / "o", "--model", model]
    for command, words in [
        (["encode", source, "--out", tmp_path / "o", "--model", tmp_path], "no checkpoint folder"),
        (["encode", source, "--out", tmp_path / "file", "--model", model], "is a file"),
        (["encode", tmp_path / "none", *out], "holds no audio files"),
        (["encode", source, *out, "--device", "gpu9"], "there is no device gpu9"),
        (["decode", source, *out], "no safetensors file"),
        (["decode", tmp_path / "l", *out], "was encoded by model"),
        (["decode", folder, *out], "holds no latents files"),
        (["reconstruct", source, tmp_path / "o.mp3", "--model", model], "must end in .wav"),
        (["reconstruct", folder, tmp_path / "o.wav", "--model", model], "must end in .wav"),
        (
            ["reconstruct", source, tmp_path / "o.wav", "--model", model, "--vocoder", "wavenet"],
            "wavenet",
        ),
    ]:
        assert dcvae(*command) == 2, command
        lines = [line for line in capfd.readouterr().err.splitlines() if "dcvae:" in line]
        assert len(lines) == 1, command
        assert words in lines[0], lines


def test_a_full_disk_is_told_and_leaves_nothing_half_written(tmp_path, model, clips, capfd):
    full = tmp_path / "full"
    full.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", full], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk takes more rights than there are")
    try:
        assert dcvae("reconstruct", clips[0].path, full / "o.wav", "--model", model) == 2
        assert "cannot be written: No space left" in capfd.readouterr().err
        assert dcvae("encode", clips[0].path, "--out", full, "--model", model) == 0  # it is small
        assert sorted(path.suffix for path in full.iterdir()) == [".jsonl", ".safetensors"]
    finally:
        subprocess.run(["umount", full], check=True)


def test_an_interrupted_command_says_how_to_go_on(tmp_path, model, clips):
    for number in range(200):
        (tmp_path / "in" / f"{number}").mkdir(parents=True)
        shutil.copy(clips[0].path, tmp_path / "in" / f"{number}" / "a.flac")
    command = [Path(sys.executable).parent / "dcvae", "reconstruct", tmp_path / "in"]
    arguments = [tmp_path / "out", "--model", model]
    running = subprocess.Popen(
        list(map(str, [*command, *arguments])), stderr=subprocess.PIPE, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        # what a shell starts in the background would ignore it
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not list((tmp_path / "out").glob("*/*.wav")) and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate()
    assert running.returncode == 130
    assert "the same command goes on" in errors
    assert "Traceback" not in errors
    left = len(list((tmp_path / "out").glob("*/*.wav")))
    assert 0 < left < 200
    assert not list((tmp_path / "out").glob("*/.*.part"))


def test_import_and_export_go_round(tmp_path, model, capfd):
    weights, config = tmp_path / "a.pt", tmp_path / "a.json"
    assert dcvae("export", model, weights, "--config", config) == 0
    assert dcvae("import", weights, "--config", config, "--out", tmp_path / "again") == 0
    assert "again: 0.0M parameters, 431 floats a second" in capfd.readouterr().out
    before, after = (load_file(one / "model.safetensors") for one in (model, tmp_path / "again"))
    assert before.keys() == after.keys()
    for name, value in before.items():
        # a filter over its length and times it: a sum of up to 9 x 16 squares, in float32
        torch.testing.assert_close(after[name], value, rtol=1e-5, atol=0)
    assert dcvae("import", weights, "--out", tmp_path / "x") == 2  # not of the published size
    assert not (tmp_path / "x").exists()
    assert dcvae("import", weights, "--config", config, "--out", tmp_path / "again") == 2
    assert "--overwrite" in capfd.readouterr().err
    assert dcvae("export", model, weights) == 2


def test_importing_dcvae_imports_nothing_heavy():
    heavy = {
        "hydra", "omegaconf", "accelerate", "mlflow", "whisper", "matplotlib", "diffusers",
        "transformers",
    }  # fmt: skip
    script = f"import sys, dcvae.inference.codec; sys.exit(str({heavy} & sys.modules.keys()))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stderr.strip() == "set()"
