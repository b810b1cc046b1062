"""Labels from the layouts of LibriTTS, VCTK and LJSpeech, on small trees of real audio."""

import shutil
from pathlib import Path

from experiments.data.labels import Labels, path_labels

SPEECH = Path(__file__).parents[2] / "data" / "en_tt_weasels.flac"


def place(path: Path, *transcripts: tuple[Path, str]) -> Path:
    """Copy the real clip to `path` and write its transcripts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(SPEECH, path)
    for file, text in transcripts:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return path


def test_libritts(tmp_path: Path) -> None:
    chapter = tmp_path / "train-clean-100" / "84" / "121123"
    stem = "84_121123_000007_000001"
    clip = place(chapter / f"{stem}.wav", (chapter / f"{stem}.normalized.txt", "Weasels ate.\n"))
    assert path_labels(clip) == Labels("84", "en", "Weasels ate.")
    stray = place(tmp_path / "other" / f"{stem}.wav")
    assert path_labels(stray) == Labels()
    (chapter / f"{stem}.normalized.txt").unlink()
    assert path_labels(clip) == Labels("84", "en", "")


def test_vctk(tmp_path: Path) -> None:
    text = (tmp_path / "txt" / "p225" / "p225_001.txt", "Please call Stella.\n")
    clip = place(tmp_path / "wav48_silence_trimmed" / "p225" / "p225_001_mic1.flac", text)
    assert path_labels(clip) == Labels("p225", "en", "Please call Stella.")
    old = place(tmp_path / "wav48" / "p225" / "p225_001.wav")
    assert path_labels(old) == Labels("p225", "en", "Please call Stella.")
    assert path_labels(place(tmp_path / "wav48" / "s5" / "s5_400.wav")) == Labels("s5", "en")


def test_ljspeech(tmp_path: Path) -> None:
    table = 'LJ001-0001|In 1455 "x"|In fourteen fifty-five "x"\nLJ001-0002|Same|Same\n'
    clip = place(tmp_path / "wavs" / "LJ001-0001.wav", (tmp_path / "metadata.csv", table))
    assert path_labels(clip) == Labels("LJ", "en", 'In fourteen fifty-five "x"')
    assert path_labels(place(tmp_path / "wavs" / "LJ001-0009.wav")) == Labels("LJ", "en")
    assert path_labels(place(tmp_path / "elsewhere" / "x" / "LJ001-0001.wav")) == Labels()


def test_any_other_file_has_no_labels() -> None:
    assert path_labels(SPEECH) == Labels()
