"""--manifest NAME:FOLDER: published test sets, for systems and for runs."""

import json
from pathlib import Path

import pytest

from analysis.cli import main
from analysis.outputs.table import read_table
from dcvae.audio.io import read_audio, write_audio
from dcvae.data.manifest import read_manifest

DATA = Path(__file__).parents[1] / "data" / "manifest.csv"
QUICK = ["--device", "cpu", "--only", "quality", "--clips", "2", "--no-study"]


@pytest.fixture
def seed_tts(tmp_path: Path) -> Path:
    """Two clips of real speech in the layout of Seed-TTS's test set."""
    folder, lines = tmp_path / "seedtts_testset" / "en", []
    for number, clip in enumerate(read_manifest(DATA)[:2]):
        write_audio(folder / "wavs" / f"a{number}-b.wav", read_audio(clip.path, stop=1.5), 22050)
        lines.append(f"a{number}-b|a prompt|prompt-wavs/a{number}.wav|{clip.text}\n")
    (folder / "meta.lst").write_text("".join(lines))
    return folder


def test_systems_and_runs_are_scored_on_a_set_by_its_name(
    seed_tts: Path, tmp_path: Path, make_run
) -> None:
    run, out = make_run(tmp_path / "runs", DATA, "baseline"), tmp_path / "peers"
    main(
        [str(run), "--system", "griffin_lim", "--out", str(out),
         "--manifest", f"seed-tts-en:{seed_tts}?count=any", *QUICK]
    )  # fmt: skip
    manifest = out / "manifests" / "seed-tts-en.csv"
    names = {clip.name for clip in read_manifest(manifest)}
    for folder in (run, out / "griffin_lim" / "seed0"):
        assert set(read_table(folder / "analysis" / "table.csv")["clip"]) == names
    record = json.loads((out / "griffin_lim" / "seed0" / "run.json").read_text())
    assert record["manifest"] == str(manifest)


def test_a_set_with_clips_missing_is_refused(
    seed_tts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f"seed-tts-en:{seed_tts}"
    with pytest.raises(SystemExit, match="2"):
        main(["--system", "griffin_lim", "--out", str(tmp_path), "--manifest", text, *QUICK])
    said = f"analysis: {text}: 2 clips are found, not 1088 (?count=any takes them all the same)"
    assert capsys.readouterr().err.splitlines() == [said]
