"""data=filelist: lists and manifests of one's own audio."""

import shutil
from pathlib import Path

import pytest

from dcvae.data.manifest import read_manifest
from experiments.data.corpora import filelist

DATA = Path(__file__).parents[3] / "data"


def write_list(path: Path, names: list[Path]) -> str:
    path.write_text("".join(f"{name}\n" for name in names))
    return str(path)


def test_one_list_is_split_by_hash_and_indexed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = write_list(tmp_path / "all.txt", [*sorted(DATA.glob("*.flac")), tmp_path / "gone.wav"])
    manifest = filelist.fetch(train, cache=str(tmp_path / "cache"))
    clips = read_manifest(manifest)
    assert len(clips) == 10
    assert {clip.split for clip in clips} == {"train", "validation", "test"}
    assert "gone.wav" in manifest.with_name(f"{manifest.stem}.unreadable.txt").read_text()
    monkeypatch.setattr(filelist, "index_files", None)  # would fail if it were used again
    assert filelist.fetch(train, cache=str(tmp_path / "cache")) == manifest
    monkeypatch.undo()
    write_list(tmp_path / "all.txt", sorted(DATA.glob("en*.flac")))
    assert filelist.fetch(train, cache=str(tmp_path / "cache")) != manifest


def test_given_lists_keep_their_splits(tmp_path: Path) -> None:
    files = sorted(DATA.glob("*.flac"))
    names = ("train", "validation", "test")
    parts = dict(zip(names, (files[:5], files[5:7], files[7:]), strict=True))
    lists = {name: write_list(tmp_path / f"{name}.txt", part) for name, part in parts.items()}
    clips = read_manifest(filelist.fetch(**lists, cache=str(tmp_path / "cache")))
    for name, part in parts.items():
        assert sorted(clip.path for clip in clips if clip.split == name) == part


def test_relative_paths_start_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(DATA / "en_tt_weasels.flac", tmp_path / "a.flac")
    train = write_list(tmp_path / "list.txt", [Path("a.flac"), Path(), Path("a.flac")])
    monkeypatch.chdir(tmp_path)
    clips = read_manifest(filelist.fetch(train, cache="cache"))
    assert [clip.path for clip in clips] == [tmp_path / "a.flac"]


def test_a_manifest_of_one_s_own_is_used_as_it_is(tmp_path: Path) -> None:
    own = DATA / "manifest.csv"
    assert filelist.fetch(str(own), cache=str(tmp_path)) == own
    test = write_list(tmp_path / "test.txt", [DATA / "ru_confbridge_only_one.flac"])
    clips = read_manifest(filelist.fetch(str(own), test=test, cache=str(tmp_path)))
    assert [clip.path.name for clip in clips if clip.split == "test"] == [
        "ru_confbridge_only_one.flac"
    ]


def test_bad_lists_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n\n")
    write_list(tmp_path / "gone.txt", [tmp_path / "no.wav", tmp_path / "none.wav"])
    for name, reason in (
        ("missing.txt", "does not exist"),
        ("", "is a folder"),
        ("empty.txt", "is empty"),
        ("gone.txt", r"none of the 2 files .*no\.wav.*relative paths start from"),
    ):
        with pytest.raises(ValueError, match=reason) as caught:
            filelist.fetch(str(tmp_path / name), cache=str(tmp_path / "cache"))
        assert str(tmp_path / name) in str(caught.value)
    assert not list(tmp_path.glob("cache/*"))


def test_one_file_is_in_one_split_whatever_it_is_called(tmp_path: Path) -> None:
    """By ways around, by links, and in two lists, of which what is held out has it."""
    files = sorted(DATA.glob("*.flac"))
    (tmp_path / "link.flac").symlink_to(files[0])
    around = [file.parent / ".." / file.parent.name / file.name for file in files[1:]]
    train = write_list(tmp_path / "train.txt", [*files, *around, tmp_path / "link.flac"])
    test = write_list(tmp_path / "test.txt", [around[-1], tmp_path / "link.flac"])
    clips = read_manifest(filelist.fetch(train, test=test, cache=str(tmp_path / "cache")))
    places = [clip.path.resolve() for clip in clips]
    assert sorted(places) == files
    held_out = {clip.path.resolve() for clip in clips if clip.split == "test"}
    assert held_out == {files[0], files[-1]}
