"""What analysis.json says of clips, versions and the command, by hand."""

import hashlib
import json
import shlex
from collections.abc import Callable
from pathlib import Path

import torch

from analysis.cli import parser
from analysis.evaluators import audio_quality, latent_noise
from analysis.outputs.summary import (
    command_line,
    describe_selections,
    protocol_of,
    vocoder_options,
)
from analysis.resources import Options, Resources
from analysis.runs import find_run, find_system
from dcvae.data.manifest import Clip


def test_selections_are_counted_cut_and_hashed() -> None:
    clips = [
        Clip(Path("/b.wav"), 12.5, 22050, split="test"),  # of which 10 s are scored
        Clip(Path("/a.wav"), 2.25, 22050, split="test"),
        Clip(Path("/c.wav"), 3.0, 22050, split="unseen"),
    ]
    first, second, third = (clip.name for clip in clips)
    asked = {"some": [second, first], "turned": [first, second], "unseen": [third]}
    found = describe_selections(asked, clips)
    assert found["some"] == found["turned"]
    assert (found["some"]["splits"], found["some"]["seconds"]) == ({"test": 2}, 12.25)
    listed = "".join(f"{name}\n" for name in sorted([first, second]))
    assert found["some"]["sha256"] == hashlib.sha256(listed.encode()).hexdigest()
    assert (found["unseen"]["splits"], found["unseen"]["seconds"]) == ({"unseen": 1}, 3.0)


def test_rows_of_another_version_have_no_protocol() -> None:
    evaluator = audio_quality.EVALUATOR
    assert protocol_of(evaluator, evaluator.stamp()) == {"protocol": evaluator.protocol}
    assert protocol_of(evaluator, f"{evaluator.version}") == {"protocol": evaluator.protocol}
    assert protocol_of(evaluator, f"{evaluator.version}0 (pesq 0.0.4)") == {}
    assert protocol_of(latent_noise.LATENT_NOISE, "2") == {}
    assert protocol_of(None, "1") == {}


def test_a_vocoders_defaults_are_said() -> None:
    whole = {"name": "griffin_lim", "iterations": 64, "magnitude_iterations": 20, "momentum": 0.99}
    assert vocoder_options({}) == vocoder_options({"name": "griffin_lim"}) == whole
    assert vocoder_options({"name": "griffin_lim", "iterations": 2}) == {**whole, "iterations": 2}
    assert vocoder_options({"name": "bigvgan", "path": "here"}) == {
        "name": "bigvgan",
        "path": "here",
    }


def test_the_command_is_read_back(
    make_run: Callable[..., Path], spoken: Path, tmp_path: Path
) -> None:
    chosen = Options(whisper="bundled-en", word_clips=7, unseen_clips=3)
    resources = Resources(torch.device("cpu"), chosen)
    moved = tmp_path / "moved here.csv"
    moved.write_bytes(spoken.read_bytes())
    runs = [
        find_run(make_run(tmp_path, spoken, "baseline")),
        find_run(make_run(tmp_path, spoken, "no_noise"), manifest=moved),
        find_system("my peer=griffin_lim", tmp_path / "peers", moved, {"name": "griffin_lim"}),
    ]
    read = []
    for run in runs:
        python, *words = shlex.split(command_line(run, 5, resources, ["quality", "pitch"]))
        assert (python, words[:2]) == ("python", ["-m", "analysis"])
        read.append(parser().parse_args(words[2:]))
    for one in read:
        assert (one.clips, one.only, one.device) == (5, ["quality", "pitch"], "cpu")
        assert Options(*(getattr(one, name) for name in vars(chosen))) == chosen
    assert [one.runs for one in read] == [[runs[0].folder], [runs[1].folder], []]
    assert [one.manifest for one in read] == [None, str(moved), str(moved)]
    assert (read[2].systems, read[2].out) == (["my peer=griffin_lim"], tmp_path / "peers")
    record = json.loads((runs[0].folder / "run.json").read_text())
    assert record["manifest"] == str(spoken)
