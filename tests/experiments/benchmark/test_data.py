"""The benchmark of loading gives its table, and its reference does the published way's work."""

from pathlib import Path

from dcvae import LogMel, read_audio
from dcvae.data.manifest import read_manifest
from experiments.benchmark import data
from experiments.benchmark.data import COLUMNS, PublishedClips, Setting, rows

MANIFEST = Path(__file__).parents[2] / "data" / "manifest.csv"


def test_the_reference_is_the_mel_of_a_piece_of_the_clip() -> None:
    clips = read_manifest(MANIFEST)
    whole = LogMel()(read_audio(clips[0].path)[None])[0]
    mel = PublishedClips(clips, 32)[0]
    assert mel.shape == (80, 32)
    assert whole.min() - 1 < mel.mean() < whole.max()


def test_every_corpus_has_a_row(monkeypatch) -> None:
    monkeypatch.setattr(data, "LONG", 12)
    setting = Setting(frames=32, batch=2, workers=0, turns=1)
    table = list(rows(MANIFEST, setting, 4, 2))
    assert [row[0] for row in table] == [
        "4 clips", *(f"ten minutes, {name}" for name in ("wav", "flac", "ogg", "mp3"))
    ]  # fmt: skip
    assert all(len(row) == len(COLUMNS) for row in table)
    assert all(float(cell) >= 0 for row in table for cell in row[1:])
    assert all(float(row[1]) > 0 for row in table)
