"""Systems as a user writes them, and through the command line to a table."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

from analysis.cli import main
from analysis.outputs.table import read_table
from analysis.systems.specs import Spec, load_system
from analysis.systems.system import SystemFault
from dcvae import load_vocoder
from dcvae.audio.io import read_audio
from dcvae.data.manifest import read_manifest
from dcvae.runs import read_run

QUICK = ["--clips", "3", "--only", "quality,latent_noise,round_trips", "--no-study"]
CODEC = '''
import math
import os

import torch


class Halves:
    """A codec in a few lines: each frame's mean, held; its latents lie on no grid of mels."""

    name, sample_rate = "halves", 16_000

    def encode(self, wave):
        frames = -(-len(wave) // 8)
        padded = torch.nn.functional.pad(wave, (0, 8 * frames - len(wave)))
        return padded.view(frames, 8)[:, ::2].T

    def decode(self, latents):
        return latents.T.repeat_interleave(2, dim=1).flatten()


def broken():
    raise RuntimeError("no weights anywhere")


def weighted():
    codec, weights = Halves(), os.environ.get("WEIGHTS", "first")
    if weights:
        codec.identity = weights
    return codec


def numbered():
    codec = Halves()
    codec.identity = 7
    return codec


def silent(value="nan"):
    class Silent:
        name, sample_rate = "silent", 22_050

        def reconstruct(self, wave):
            return wave * float(value)

    return Silent()
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A user's file with codecs, in the folder that the command starts in."""
    name = f"codecs_of_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(CODEC)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    return name


@pytest.mark.parametrize(
    ("text", "kind", "place", "options", "name", "slug"),
    [
        ("ffmpeg:opus@6k", "ffmpeg", "opus@6k", {}, "opus@6k", "opus-6k"),
        ("griffin_lim", "griffin_lim", "", {}, "griffin_lim", "griffin_lim"),
        ("run:runs/tiny/a/seed1", "run", "runs/tiny/a/seed1", {}, "tiny a seed1", "tiny-a-seed1"),
        ("checkpoint:/m/best", "checkpoint", "/m/best", {}, "m best", "m-best"),
        ("pairs:a,out/b", "pairs", "a,out/b", {}, "b", "b"),
        ("mine=python:m:f?k=1&l=x", "python", "m:f", {"k": "1", "l": "x"}, "mine", "mine"),
        ("python:m:f", "python", "m:f", {}, "f", "f"),
        ("python:m:f?k=1", "python", "m:f", {"k": "1"}, "f", "f"),
        ("x/y=ffmpeg:gsm", None, "", {}, "", ""),
        ("vorbis:8", None, "", {}, "", ""),
        ("python:m:f?k", None, "", {}, "", ""),
    ],
)
def test_a_spec_is_read(text, kind, place, options, name, slug) -> None:
    if kind is None:
        with pytest.raises(SystemFault):
            Spec.parse(text)
        return
    spec = Spec.parse(text)
    assert (spec.kind, spec.place, spec.options) == (kind, place, options)
    assert (spec.name, spec.slug) == (name, slug)
    assert Spec.parse(spec.named) == spec


def test_what_cannot_be_had_is_a_line_each_and_stops_no_other(
    module: str, spoken: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    bad = {
        "vorbis:8": "no kind of system 'vorbis'",
        f"python:{module}:broken": "RuntimeError: no weights anywhere",
        f"python:{module}:nowhere": "AttributeError",
        "python:no_such_module:f": "No module named 'no_such_module'",
        f"python:{module}:numbered": "its identity is a text, not 7",
        f"python:{module}:silent": "its output holds NaN",
        f"python:{module}:silent?valeu=1": "unexpected keyword argument 'valeu'",
        "ffmpeg:amr": "no codec 'amr'",
        "run:/nowhere": "/nowhere/last is no checkpoint folder",
        "checkpoint:/nowhere": "/nowhere is no checkpoint folder",
        "bigvgan:/nowhere": "config.json and bigvgan_generator.pt",
        "pairs:/nowhere,/neither": "/nowhere is neither a folder nor a list",
    }
    asked = [one for text in (*bad, f"python:{module}:Halves") for one in ("--system", text)]
    with pytest.raises(SystemExit) as stop:
        main([*asked, "--manifest", str(spoken), "--out", str(tmp_path / "peers"), *QUICK])
    assert stop.value.code == 2
    said = capsys.readouterr().err
    for text, reason in bad.items():
        lines = [line for line in said.splitlines() if reason in line]
        assert len(lines) == 1, (text, said)
        assert text.partition("?")[0] in lines[0]
    assert (tmp_path / "peers" / "Halves" / "seed0" / "analysis" / "table.csv").is_file()
    assert "Traceback" not in said


def test_a_users_codec_is_scored_with_its_latents_and_not_again(
    module: str, spoken: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asked = ["--system", f"my codec=python:{module}:Halves", "--manifest", str(spoken)]
    out = tmp_path / "peers"
    main([*asked, "--out", str(out), *QUICK])
    assert "latent_noise: 3 clips" in capsys.readouterr().err
    folder = out / "my-codec" / "seed0"
    run = read_run(folder)
    assert run.title == "my codec"
    assert run.rates is not None
    assert run.rates["dims"] == 4
    assert run.rates["latent_rate"] == pytest.approx(2000, rel=1e-6)
    assert run.rates["floats_per_second"] == pytest.approx(8000, rel=1e-6)
    table = read_table(run.table)
    assert not table["value"].isna().any()
    rises = table[(table["metric"] == "mel_l1_rise")]["value"]
    assert (rises > 0).all()
    trips = table[(table["metric"] == "mel_l1")].groupby("condition")["value"].mean()
    assert trips["round_trip_1"] == pytest.approx(trips["reconstruction"], rel=1e-5)
    before = (folder / "analysis" / "table.csv").read_bytes()
    main([*asked, "--out", str(out), *QUICK])
    assert "scored already, skipped" in capsys.readouterr().err
    assert (folder / "analysis" / "table.csv").read_bytes() == before
    file = tmp_path / f"{module}.py"
    file.write_text(file.read_text() + "\n# another day\n")
    main([*asked, "--out", str(out), *QUICK])
    assert "quality: 3 clips" in capsys.readouterr().err


def test_a_users_codec_is_known_by_its_file_and_by_what_it_says_of_itself(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def identity() -> dict[str, str]:
        spec = Spec.parse(f"python:{module}:weighted")
        return dict(load_system(spec, load_vocoder("griffin_lim"), torch.device("cpu")).identity)

    first = identity()
    assert first == identity()
    monkeypatch.setenv("WEIGHTS", "second")
    second = identity()
    assert {name for name in first if first[name] != second[name]} == {"identity_sha256"}
    assert first["identity_sha256"] == hashlib.sha256(b"first").hexdigest()
    monkeypatch.setenv("WEIGHTS", "")
    assert "identity_sha256" not in identity()


def test_a_run_on_other_clips_has_the_rows_of_its_own_analysis(
    make_run, spoken: Path, tmp_path: Path
) -> None:
    folder = make_run(tmp_path, spoken, "baseline")
    main([str(folder), *QUICK])
    out = tmp_path / "peers"
    options = ["--manifest", str(spoken), "--out", str(out), *QUICK]
    main(["--system", f"run:{folder}", "--system", f"again=checkpoint:{folder}/last", *options])
    own = read_table(folder / "analysis" / "table.csv")
    model = own[own["metric"].isin(["mel_l1", "mel_l1_rise"]) & (own["condition"] != "untrained")]
    for name in ("debug-baseline-seed0", "again"):
        found = read_table(out / name / "seed0" / "analysis" / "table.csv")
        found = found[found["metric"].isin(["mel_l1", "mel_l1_rise"])]
        found = found[found["condition"] != "untrained"]
        keys = ["clip", "condition", "metric", "value"]
        pd.testing.assert_frame_equal(
            found[keys].reset_index(drop=True), model[keys].reset_index(drop=True)
        )


def test_a_system_is_scored_on_as_many_clips_as_the_run_that_it_is_to_stand_beside(
    make_run, spoken: Path, tmp_path: Path
) -> None:
    folder = make_run(tmp_path, spoken, "baseline")
    main([str(folder), "--only", "latent_noise", "--clips", "3", "--no-study"])
    out = tmp_path / "peers"
    asked = ["--system", f"run:{folder}", "--out", str(out), "--only", "latent_noise"]
    main([*asked, "--manifest", str(folder)])
    beside = out / "debug-baseline-seed0" / "seed0"
    clips = [json.loads((one / "analysis/analysis.json").read_text())["clips"]
             for one in (folder, beside)]  # fmt: skip
    assert clips[0] == clips[1]
    assert len(clips[0]) == 3


def write_pairs(folder: Path, table_of: Path, system: str, spoken: Path) -> tuple[Path, Path]:
    """The clips, and what `system` makes of them, as 32-bit files of one name each."""
    from analysis.systems.codec import wrap
    from analysis.systems.ffmpeg import load_ffmpeg_codec

    coder = wrap(load_ffmpeg_codec(system), {})
    before, after = folder / "before", folder / "after"
    for place in (before, after):
        place.mkdir()
    for clip in read_manifest(spoken):
        wave = read_audio(clip.path)
        whole = wave[: len(wave) // 256 * 256]
        for place, one in ((before, wave), (after, coder.output(whole))):
            file = place / f"{clip.path.stem}.wav"
            soundfile.write(file, one.numpy(), 22_050, subtype="FLOAT")
    return before, after


def test_pairs_give_the_numbers_of_the_suites_own_path(spoken: Path, tmp_path: Path) -> None:
    before, after = write_pairs(tmp_path, spoken, "gsm", spoken)
    scp = tmp_path / "out.scp", tmp_path / "ref.scp"
    for path, place in zip(scp, (after, before), strict=True):
        lines = [f"{file.stem} {file}\n" for file in sorted(place.iterdir())]
        path.write_text("".join(lines))
    options = ["--out", str(tmp_path / "peers"), "--clips", "10", "--no-study"]
    main(
        [
            "--system",
            f"pairs:{before},{after}",
            "--system",
            f"listed=pairs:{scp[1]},{scp[0]}",
            *options,
            "--only",
            "quality,round_trips",
        ]
    )
    manifest = tmp_path / "peers" / "after" / "seed0" / "pairs.csv"
    main(["--system", "ffmpeg:gsm", "--manifest", str(manifest), *options, "--only", "quality"])
    tables = [
        read_table(tmp_path / "peers" / name / "seed0" / "analysis" / "table.csv")
        for name in ("after", "listed", "gsm")
    ]
    keys = ["clip", "condition", "metric", "value"]
    for table in tables[:2]:
        assert set(table["condition"]) == set(tables[2]["condition"])  # no round trips
        pd.testing.assert_frame_equal(table[keys], tables[2][keys])
    summary = json.loads((tmp_path / "peers/after/seed0/analysis/analysis.json").read_text())
    assert summary["skipped"] == {"round_trips": "it has outputs for its own inputs alone"}


def test_pairs_that_do_not_match_are_refused(
    spoken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after, short = (tmp_path / name for name in ("before", "after", "short"))
    for place, names, seconds in (
        (before, "abc", 1.2),
        (after, "ab", 1.2),
        (short, "abc", 1.1),
    ):
        place.mkdir()
        for name in names:
            wave = np.sin(np.arange(round(seconds * 16_000)) / 9).astype("float32")
            soundfile.write(place / f"{name}.wav", wave, 16_000)
    piped = tmp_path / "piped.scp"
    piped.write_text("a sph2pipe a.sph |\n")
    bad = {
        f"pairs:{before},{after}": "'c' has no output",
        f"pairs:{after},{before}": "'c' has no reference",
        f"pairs:{before},{short}": "'a' lasts 1.200 s, its output 1.100 s",
        f"pairs:{before}": "two folders or two lists are expected",
        f"pairs:{piped},{before}": "an id and a file are expected",
    }
    for text, reason in bad.items():
        with pytest.raises(SystemExit):
            main(["--system", text, "--out", str(tmp_path / "peers"), *QUICK])
        assert reason in capsys.readouterr().err
