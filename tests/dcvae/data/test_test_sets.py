"""Published test sets by name: small folders in their layouts, read, counted and refused."""

import os
from pathlib import Path

import pytest
import torch

from dcvae.audio.io import write_audio
from dcvae.data import test_sets
from dcvae.data.manifest import Clip, ManifestError, read_manifest, select_clips
from dcvae.data.test_sets import TEST_SETS, find_manifest

soundfile = pytest.importorskip("soundfile")
UTTERANCES = {
    "61-70968-0000": "HE BEGAN A CONFUSED COMPLAINT",
    "61-70968-0001": "GIVE NOT SO EARNEST A MIND",
    "1089-134686-0000": "HE HOPED THERE WOULD BE STEW",
}
LINES = {
    "common_voice_en_1-common_voice_en_2": ("We asked.", "Get the trust fund."),
    "common_voice_en_3-common_voice_en_4": ("It was his.", "To the bank, early."),
}


@pytest.fixture
def librispeech(tmp_path: Path) -> Path:
    """LibriSpeech/test-clean with three utterances of two speakers, of 1, 2 and 3 seconds."""
    folder = tmp_path / "data" / "LibriSpeech" / "test-clean"
    for number, (name, text) in enumerate(UTTERANCES.items(), 1):
        speaker, chapter, _ = name.split("-")
        inner = folder / speaker / chapter
        inner.mkdir(parents=True, exist_ok=True)
        soundfile.write(inner / f"{name}.flac", torch.zeros(16000 * number).numpy(), 16000)
        with (inner / f"{speaker}-{chapter}.trans.txt").open("a") as file:
            file.write(f"{name} {text}\n")
    return folder


@pytest.fixture
def seed_tts(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "seedtts_testset" / "en"
    lines = []
    for name, (prompt, text) in LINES.items():
        spoken = name.partition("-")[0]
        write_audio(folder / "wavs" / f"{name}.wav", torch.zeros(24000), 24000)
        write_audio(folder / "prompt-wavs" / f"{spoken}.wav", torch.zeros(2400), 24000)
        lines.append(f"{name}|{prompt}|prompt-wavs/{spoken}.wav|{text}\n")
    (folder / "meta.lst").write_text("".join(lines))
    return folder


def described(clip: Clip) -> tuple[str, float, int, str, str, str, str]:
    return (
        clip.key, clip.duration, clip.sample_rate, clip.speaker, clip.language, clip.text,
        clip.split,
    )  # fmt: skip


@pytest.mark.parametrize("up", [0, 1, 2])
def test_librispeech_is_read_where_its_archive_was_unpacked(
    librispeech: Path, tmp_path: Path, up: int
) -> None:
    """The folder itself, LibriSpeech, or what holds that."""
    folder = (librispeech, *librispeech.parents)[up]
    text = f"librispeech-test-clean:{folder}?count=any"
    manifest = find_manifest(text, tmp_path / "out" / "manifests")
    assert manifest == tmp_path / "out" / "manifests" / "librispeech-test-clean.csv"
    found = {described(clip) for clip in read_manifest(manifest)}
    assert found == {
        (
            f"librispeech-test-clean/{name.replace('-', '/', 2).rpartition('/')[0]}/{name}.flac",
            float(number), 16000, name.split("-")[0], "en", said, "test",
        )
        for number, (name, said) in enumerate(UTTERANCES.items(), 1)
    }  # fmt: skip
    assert all(clip.path.is_file() for clip in read_manifest(manifest))


def test_seed_tts_is_read(seed_tts: Path, tmp_path: Path) -> None:
    manifest = find_manifest(f"seed-tts-en:{seed_tts.parent}?count=any", tmp_path / "out")
    assert [described(clip) for clip in read_manifest(manifest)] == [
        (f"seed-tts-en/wavs/{name}.wav", 1.0, 24000, name.partition("-")[0], "en", text, "test")
        for name, (_, text) in LINES.items()
    ]


def test_a_fifth_field_names_the_wav(seed_tts: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.wav"
    write_audio(elsewhere, torch.zeros(8000), 8000)
    inner = "prompt-wavs/common_voice_en_1.wav"
    (seed_tts / "meta.lst").write_text(
        f"10002287-1|一|prompt-wavs/x.wav|二|{inner}\n10002288-1|一|x.wav|三|{elsewhere}\n"
    )
    manifest = find_manifest(f"seed-tts-zh:{seed_tts}?count=any", tmp_path / "out")
    first, second = read_manifest(manifest)
    assert (first.key, first.speaker, first.language, first.text) == (
        f"seed-tts-zh/{inner}", "10002287", "zh", "二",
    )  # fmt: skip
    assert second.path == elsewhere


def test_names_and_subsets_are_the_same_wherever_the_set_lies(
    librispeech: Path, tmp_path: Path
) -> None:
    names = []
    for place in ("one", "two"):
        folder = tmp_path / place / "somewhere"
        folder.parent.mkdir()
        os.rename(librispeech, folder)
        text = f"librispeech-test-clean:{folder}?count=any"
        clips = read_manifest(find_manifest(text, tmp_path / "out" / place))
        names.append([clip.name for clip in select_clips(clips, "test", 2)])
        os.rename(folder, librispeech)
    assert names[0] == names[1]


def test_a_manifest_is_written_again_only_where_something_changed(
    librispeech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, out = f"librispeech-test-clean:{librispeech}?count=any", tmp_path / "out"
    probed: list[Path] = []
    real = test_sets.probe_audio
    monkeypatch.setattr(test_sets, "probe_audio", lambda path: probed.append(path) or real(path))
    manifest = find_manifest(text, out)
    assert len(probed) == 3
    assert find_manifest(text, out) == manifest
    assert len(probed) == 3
    longer = librispeech / "61" / "70968" / "61-70968-0000.flac"
    soundfile.write(longer, torch.zeros(64000).numpy(), 16000)
    later = manifest.stat().st_mtime + 1
    os.utime(longer, (later, later))
    clips = read_manifest(find_manifest(text, out))
    (clip,) = [one for one in clips if one.path.stem == longer.stem]
    assert clip.duration == 4.0


def test_the_link_follows_the_folder_and_takes_nothings_place(
    librispeech: Path, seed_tts: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    find_manifest(f"seed-tts-en:{seed_tts}?count=any", out)
    moved = tmp_path / "moved"
    os.rename(seed_tts, moved)
    (clip, _) = read_manifest(find_manifest(f"seed-tts-en:{moved}?count=any", out))
    assert clip.path.resolve().is_relative_to(moved)
    (out / "librispeech-test-clean").mkdir()
    with pytest.raises(OSError, match="is in the way of a link"):
        find_manifest(f"librispeech-test-clean:{librispeech}?count=any", out)


def test_another_number_of_clips_is_refused(librispeech: Path, tmp_path: Path) -> None:
    for name, count in (("librispeech-test-clean", 2620), ("librispeech-test-other", 2939)):
        with pytest.raises(ManifestError) as fault:
            find_manifest(f"{name}:{librispeech}", tmp_path / "out")
        assert str(fault.value) == (
            f"{name}:{librispeech}: 3 clips are found, not {count}"
            " (?count=any takes them all the same)"
        )
    assert not (tmp_path / "out").exists()
    assert {name: one.clips for name, one in TEST_SETS.items()} == {
        "librispeech-test-clean": 2620,
        "librispeech-test-other": 2939,
        "seed-tts-en": 1088,
        "seed-tts-zh": 2020,
    }


def test_the_right_number_is_taken(
    librispeech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "librispeech-test-clean"
    monkeypatch.setitem(TEST_SETS, name, TEST_SETS[name]._replace(clips=3))
    assert len(read_manifest(find_manifest(f"{name}:{librispeech}", tmp_path / "out"))) == 3


def test_any_other_text_is_a_path(tmp_path: Path) -> None:
    assert find_manifest("a/manifest.csv", tmp_path) == Path("a/manifest.csv")
    assert find_manifest("librispeech-dev-clean:x", tmp_path) == Path("librispeech-dev-clean:x")


def refused(text: str, out: Path) -> str:
    with pytest.raises(ManifestError) as fault:
        find_manifest(text, out)
    assert "\n" not in str(fault.value)
    return str(fault.value)


def test_what_is_wrong_is_named(librispeech: Path, seed_tts: Path, tmp_path: Path) -> None:
    out, clean = tmp_path / "out", "librispeech-test-clean"
    for text in (clean, f"{clean}:{librispeech}?count=3", f"{clean}:?count=any"):
        assert f"{clean}:FOLDER or {clean}:FOLDER?count=any is expected" in refused(text, out)
    assert "/nowhere does not exist" in refused(f"{clean}:/nowhere", out)
    assert "0 clips are found" in refused(f"{clean}:{seed_tts}?count=any", out)
    assert "holds no meta.lst" in refused(f"seed-tts-en:{librispeech}", out)
    (librispeech / "1089" / "134686" / "1089-134686-0000.flac").unlink()
    assert "1089-134686-0000.flac is missing" in refused(f"{clean}:{librispeech}?count=any", out)
    (librispeech / "1089" / "134686" / "1089-134686.trans.txt").write_text("1089-134686-0000\n")
    said = refused(f"{clean}:{librispeech}?count=any", out)
    assert "1089-134686.trans.txt, line 1: an id and a text are expected" in said
    meta = seed_tts / "meta.lst"
    lines = meta.read_text()
    meta.write_text(lines + lines.splitlines()[0])
    assert "common_voice_en_2.wav is listed twice" in refused(
        f"seed-tts-en:{seed_tts}?count=any", out
    )
    meta.write_text("a|b|c\n")
    assert f"{meta}, line 1: id|prompt's text" in refused(f"seed-tts-en:{seed_tts}?count=any", out)
    meta.write_bytes(b"\xff\n")
    assert f"{meta} is damaged" in refused(f"seed-tts-en:{seed_tts}?count=any", out)
    meta.write_text(lines)
    (seed_tts / "wavs" / f"{next(iter(LINES))}.wav").write_bytes(b"no audio")
    assert "cannot be decoded" in refused(f"seed-tts-en:{seed_tts}?count=any", out)
