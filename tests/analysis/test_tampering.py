"""Results and audio that were changed behind the analysis' back: rebuilt, measured again, told."""

import json
import shutil
from pathlib import Path

import pytest

from analysis.cli import main
from analysis.outputs.table import read_table
from analysis.statistics.tables import summarise_study
from dcvae.audio.io import read_audio, write_audio

QUICK = ["--clips", "3", "--only", "quality", "--device", "cpu"]


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory, spoken: Path, make_run) -> Path:
    """A run's folder with its analysis, on a corpus of its own. Tests copy it."""
    root = tmp_path_factory.mktemp("scored")
    shutil.copytree(spoken.parent, root / "corpus")
    folder = make_run(root, root / "corpus" / spoken.name, "baseline")
    main([str(folder), *QUICK])
    return root


@pytest.fixture
def folder(scored: Path, tmp_path: Path, spoken: Path) -> Path:
    """A copy whose manifest is the copy's."""
    root = tmp_path / "root"
    shutil.copytree(scored, root)
    run = root / "debug" / "baseline" / "seed0"
    record = json.loads((run / "run.json").read_text())
    manifest = root / "corpus" / spoken.name
    (run / "run.json").write_text(json.dumps(record | {"manifest": str(manifest)}))
    return run


def test_a_table_that_was_cut_or_edited_is_rebuilt(folder: Path, capsys) -> None:
    table = folder / "analysis" / "table.csv"
    good = table.read_text()
    for spoiled in (good[: len(good) // 2], good.replace("0.", "0.9", 40)):
        table.write_text(spoiled)
        main([str(folder), *QUICK])
        assert table.read_text() == good
    main([str(folder), *QUICK])
    assert capsys.readouterr().err.count("scored already, skipped") == 1


def test_statistics_do_not_take_an_edited_table(folder: Path) -> None:
    table = folder / "analysis" / "table.csv"
    table.write_text(table.read_text().replace("0.", "0.9", 40))
    notes = summarise_study(folder.parents[1])
    assert "its table.csv is not what was computed: run `python -m analysis" in notes[0]
    assert "no analysed run" in notes[1]


def test_an_example_that_was_spoiled_is_written_again(folder: Path) -> None:
    wave = sorted((folder / "analysis" / "examples").rglob("ceiling.wav"))[0]
    good = wave.read_bytes()
    for spoil in (lambda: wave.write_bytes(b""), wave.unlink):
        spoil()
        main([str(folder), *QUICK])
        assert wave.read_bytes() == good


def test_other_audio_behind_the_same_manifest_is_measured_again(folder: Path) -> None:
    before = read_table(folder / "analysis" / "table.csv")
    record = json.loads((folder / "run.json").read_text())
    corpus = Path(record["manifest"]).parent
    name = next(name for name in before["clip"] if name)
    clip = next(path for path in corpus.glob("*.wav") if f"-{path.stem}-" in f"-{name}")
    write_audio(clip, read_audio(clip).flip(0), 22_050)
    main([str(folder), *QUICK])
    after = read_table(folder / "analysis" / "table.csv")
    keys = ["clip", "condition", "metric"]
    both = before.merge(after, on=keys, suffixes=("_before", "_after"))
    changed = both[both["value_before"] != both["value_after"]]
    assert set(changed["clip"]) == {name}
    assert {"ceiling", "reconstruction"} <= set(changed["condition"])
