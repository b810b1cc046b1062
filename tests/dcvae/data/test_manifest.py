"""The manifest: what is written is read, names are stable, subsets are fixed and balanced."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from dcvae.data.manifest import (
    Clip,
    ManifestError,
    read_filelist,
    read_manifest,
    select_clips,
    write_manifest,
)

DATA = Path(__file__).parents[2] / "data"


def some_clips(folder: Path, count: int = 60) -> list[Clip]:
    """Three speakers of unequal size, every tenth clip short."""
    return [
        Clip(
            folder / f"clip {index}.wav",
            0.5 if index % 10 == 0 else 2.0 + index / 7,
            16000,
            speaker="abc"[index % 3 if index < 30 else 0],
            language="en",
            text=f'said "{index}",\nand more',
            split="test" if index % 2 else "train",
        )
        for index in range(count)
    ]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    clips = some_clips(tmp_path / "below")
    clips.append(Clip(Path("/elsewhere/č.ogg"), 1.25, 22050, split="validation"))
    write_manifest(tmp_path / "m.csv", clips)
    back = read_manifest(tmp_path / "m.csv")
    assert [replace(clip, key="", duration=0) for clip in back] == [
        replace(clip, duration=0) for clip in clips
    ]
    assert all(abs(a.duration - b.duration) < 1e-6 for a, b in zip(back, clips, strict=True))
    text = (tmp_path / "m.csv").read_text()
    assert text.startswith("path,duration,sample_rate,speaker,language,text,split\nbelow/clip 0")
    assert str(tmp_path) not in text  # such a folder can move


@pytest.mark.parametrize("name", ["a\rb.wav", "a\nb.wav", 'a"b.wav', "a,b.wav", "a\u2028b.wav"])
def test_every_name_comes_back(tmp_path: Path, name: str) -> None:
    write_manifest(tmp_path / "m.csv", [Clip(tmp_path / name, 1.0, 16000)])
    (clip,) = read_manifest(tmp_path / "m.csv")
    assert clip.path == tmp_path / name


def test_a_mark_at_the_beginning_hides_nothing(tmp_path: Path) -> None:
    """As a spreadsheet writes one before what it saves."""
    own = (DATA / "manifest.csv").read_bytes()
    (tmp_path / "m.csv").write_bytes(b"\xef\xbb\xbf" + own.replace(b"\n", b"\r\n"))
    assert [clip.key for clip in read_manifest(tmp_path / "m.csv")] == [
        clip.key for clip in read_manifest(DATA / "manifest.csv")
    ]
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbfa.wav\r\nb\xe2\x80\xa8c.wav\r\n")
    assert read_filelist(tmp_path / "list.txt") == ["a.wav", "b\u2028c.wav"]


def test_names_are_unique_safe_and_move_with_the_folder(tmp_path: Path) -> None:
    names = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        clips = [Clip(folder / f"{speaker}/a b.wav", 1.0, 8000) for speaker in ("p/x", "q/x", "r")]
        clips += [Clip(folder / f"x/a-b.{suffix}", 1.0, 8000) for suffix in ("wav", "ogg")]
        write_manifest(folder / "m.csv", clips)
        names.append([clip.name for clip in read_manifest(folder / "m.csv")])
    assert names[0] == names[1]
    assert len(set(names[0])) == 5
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_") for name in names[0])
    digest = hashlib.sha256(b"en/hello.flac").hexdigest()[:10]
    assert Clip(Path("a"), 1, 1, key="en/hello.flac").name == f"en-hello-{digest}"


def test_the_tests_own_manifest_is_whole() -> None:
    clips = read_manifest(DATA / "manifest.csv")
    assert all(clip.path.is_file() for clip in clips)
    assert {clip.language for clip in clips} == {"en", "es", "fr", "it", "ru"}
    assert min(sum(clip.split == split for clip in clips) for split in ("validation", "test")) == 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "no column 'path'"),
        ("a,b\n1,2\n", "no column 'path'"),
        ("path,duration,sample_rate,speaker,language,text,split\n", "lists no clips"),
        ("path,path,duration,sample_rate,speaker,language,text,split\n", "'path' more than once"),
        (
            "path,duration,sample_rate,speaker,language,text,split\na,1,1000000000000,,,,test\n",
            "Hz",
        ),
        ("path,duration,sample_rate,speaker,language,text,split\na.wav,1\n", "line 2.*incomplete"),
        ("path,duration,sample_rate,speaker,language,text,split\na,x,8000,,,,test\n", "numbers"),
        ("path,duration,sample_rate,speaker,language,text,split\na,-1,8000,,,,test\n", "positive"),
        ("path,duration,sample_rate,speaker,language,text,split\na,1,8000,,,,dev\n", "'dev'"),
        ('path,duration,sample_rate,speaker,language,text,split\na,1,8000,"x', "damaged"),
    ],
)
def test_a_bad_manifest_is_named(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "bad.csv").write_text(content)
    with pytest.raises(ManifestError, match=reason) as caught:
        read_manifest(tmp_path / "bad.csv")
    assert "bad.csv" in str(caught.value)
    with pytest.raises(ManifestError, match="no such manifest"):
        read_manifest(tmp_path / "missing.csv")


def test_a_selection_is_balanced_long_enough_and_independent_of_order(tmp_path: Path) -> None:
    clips = some_clips(tmp_path)
    selected = select_clips(clips, "test", 6, 1.0)
    assert [clip.speaker for clip in selected] == ["a", "b", "c", "a", "b", "c"]
    assert all(clip.split == "test" and clip.duration >= 1 for clip in selected)
    assert select_clips(clips[::-1], "test", 6, 1.0) == selected
    assert select_clips(clips, "test", 3, 1.0) == selected[:3]
    fewer = [clip for clip in clips if clip != selected[-1]]
    assert select_clips(fewer, "test", 6, 1.0)[:5] == selected[:5]


def test_a_selection_takes_all_there_is_and_never_nothing(tmp_path: Path) -> None:
    clips = some_clips(tmp_path, 9)
    assert len(select_clips(clips, "test", 100)) == 4
    with pytest.raises(ManifestError, match=r"'validation'.* which has 0"):
        select_clips(clips, "validation", 2)
