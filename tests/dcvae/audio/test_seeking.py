"""Crops deep in long files: equal to the whole file, and no more decoded than they need."""

from pathlib import Path

import pytest
import soundfile
import torch

from dcvae.audio.io import read_audio

DATA = Path(__file__).parents[2] / "data"
RATE = 22050


@pytest.fixture(scope="module")
def speech() -> torch.Tensor:
    """A minute and a half of speech."""
    waves = [read_audio(path) for path in sorted(DATA.glob("*.flac"))]
    return torch.cat(waves * 10)[: 90 * RATE]


@pytest.mark.parametrize(
    ("suffix", "form", "kind"),
    [("wav", "WAV", "PCM_16"), ("flac", "FLAC", "PCM_16"), ("ogg", "OGG", "VORBIS"),
     ("mp3", "MP3", "MPEG_LAYER_III")],
)  # fmt: skip
def test_a_late_crop_is_exact_and_does_not_decode_what_lies_before(
    tmp_path: Path,
    speech: torch.Tensor,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture,
    suffix: str,
    form: str,
    kind: str,
) -> None:
    path = tmp_path / f"long.{suffix}"
    with soundfile.SoundFile(path, "w", RATE, 1, kind, format=form) as file:
        for block in speech.split(RATE):  # libvorbis overflows its stack on a minute at once
            file.write(block.numpy())
    whole = read_audio(path)
    read: list[int] = []
    plain = soundfile.SoundFile.read

    def counted(self, frames, *arguments, **keywords):
        read.append(frames)
        return plain(self, frames, *arguments, **keywords)

    monkeypatch.setattr(soundfile.SoundFile, "read", counted)
    for start in (12.34567, 40.0, 61.7, 86.9):
        crop = read_audio(path, start=start, stop=start + 2)
        first = round(start * RATE)
        assert len(crop) == round((start + 2) * RATE) - first
        torch.testing.assert_close(crop, whole[first : first + len(crop)], atol=3e-6, rtol=0)
    assert len(read) == 4
    assert max(read) < 2.5 * RATE
    assert capfd.readouterr().err == ""
