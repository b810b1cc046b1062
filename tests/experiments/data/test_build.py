"""python -m experiments.data.build: folders to a list or a manifest."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dcvae.data.manifest import read_filelist, read_manifest
from dcvae.utils.jsonl import read_lines
from experiments.data import index
from experiments.data.build import build, main
from experiments.data.index_log import IndexLog

ROOT = Path(__file__).parents[3]
DATA = Path(__file__).parents[2] / "data"


def test_a_list_holds_the_readable_files(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    shutil.copy(DATA / "en_tt_weasels.flac", tmp_path)
    (tmp_path / "bad.wav").write_bytes(b"junk")
    main([str(tmp_path / "out.txt"), "--paths", str(tmp_path), str(DATA)])
    lines = (tmp_path / "out.txt").read_text().splitlines()
    assert len(lines) == 11
    assert all(Path(line).is_file() for line in lines)
    assert str(tmp_path / "en_tt_weasels.flac") in lines
    assert "11 files; 1 unreadable, see out.unreadable.txt" in capsys.readouterr().out


def test_a_manifest_has_splits_that_do_not_depend_on_where_the_folder_lies(tmp_path: Path) -> None:
    shutil.copytree(DATA, tmp_path / "copy")
    splits = []
    for folder in (DATA, tmp_path / "copy"):
        main([str(tmp_path / "out.csv"), "--paths", str(folder)])
        splits.append({clip.path.name: clip.split for clip in read_manifest(tmp_path / "out.csv")})
    assert splits[0] == splits[1]
    assert len(splits[0]) == 10
    assert set(splits[0].values()) == {"train", "validation", "test"}


def test_a_stopped_build_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after four files: those are not probed again, unless they changed."""
    folder, out = tmp_path / "speech", tmp_path / "out.parquet"
    shutil.copytree(DATA, folder)
    probed: list[str] = []
    plain = index._probe

    def probe(path: Path):
        probed.append(path.name)
        return plain(path)

    def stops(index_log: IndexLog, file: Path, found) -> None:
        if probed_so_far(index_log) == 4:
            raise KeyboardInterrupt
        add(index_log, file, found)

    def probed_so_far(index_log: IndexLog) -> int:
        return len(read_lines(index_log.path))

    add = IndexLog.add
    monkeypatch.setattr(index, "_probe", probe)
    monkeypatch.setattr(IndexLog, "add", stops)
    with pytest.raises(KeyboardInterrupt):
        build(out, [folder])
    assert not out.exists()
    index_log = tmp_path / ".out.parquet.journal"
    known = [json.loads(line)[0] for line in index_log.read_text().splitlines()]
    assert len(known) == 4
    with index_log.open("a") as file:
        file.write('["cut off')
    monkeypatch.setattr(IndexLog, "add", add)
    os.utime(known[0], (0, 0))
    probed.clear()
    build(out, [folder])
    files = {path.name for path in folder.glob("*.flac")}
    assert sorted(probed) == sorted(files - {Path(name).name for name in known[1:]})
    build(tmp_path / "fresh.parquet", [folder])
    assert list(read_manifest(out)) == list(read_manifest(tmp_path / "fresh.parquet"))
    assert not index_log.exists()


@pytest.mark.parametrize(
    ("out", "folder", "reason"),
    [
        ("o.txt", "absent", "does not exist"),
        ("o.txt", "empty", "holds no audio files"),
        ("o.txt", "file.wav", "is not a folder"),
        ("o.wav", "junk", "ends in .txt"),
        ("o.csv", "junk", "none of the 1 audio files"),
        ("o.txt", "junk", "none of the audio files"),
        ("dir.txt", "junk", "is a folder"),
    ],
)
def test_errors_are_one_line_and_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture, out: str, folder: str, reason: str
) -> None:
    for name in ("empty", "junk", "dir.txt"):
        (tmp_path / name).mkdir()
    (tmp_path / "junk" / "a.wav").write_bytes(b"junk")
    (tmp_path / "file.wav").touch()
    with pytest.raises(SystemExit) as caught:
        main([str(tmp_path / out), "--paths", str(tmp_path / folder)])
    assert caught.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("experiments.data.build: ")
    assert reason in last
    assert not (tmp_path / out).is_file()


def test_it_runs_as_a_module(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "experiments.data.build", str(tmp_path / "o.txt")]
    done = subprocess.run(
        [*command, "--paths", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "holds no audio files" in done.stderr


def test_ctrl_c_is_one_line_and_status_130(tmp_path: Path) -> None:
    """While many files are probed: what was found is kept, and the same command goes on."""
    folder = tmp_path / "speech"
    folder.mkdir()
    for number in range(3000):
        os.link(DATA / "en_tt_weasels.flac", folder / f"{number}.flac")
    command = [sys.executable, "-m", "experiments.data.build", tmp_path / "out.csv"]
    running = subprocess.Popen(
        list(map(str, [*command, "--paths", folder])),
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    journal = tmp_path / ".out.csv.journal"
    while running.poll() is None and not (journal.is_file() and journal.stat().st_size):
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130, errors
    told = [line for line in errors.splitlines() if line and "indexing" not in line]
    assert told == ["experiments.data.build: interrupted"]
    assert not (tmp_path / "out.csv").exists()
    assert journal.is_file()


def test_links_and_folders_within_each_other_make_no_clip_twice(tmp_path: Path) -> None:
    folder = tmp_path / "speech"
    shutil.copytree(DATA, folder / "en")
    (folder / "en" / "up").symlink_to(folder)
    main([str(tmp_path / "out.csv"), "--paths", str(folder), str(folder / "en")])
    clips = read_manifest(tmp_path / "out.csv")
    assert len(clips) == len({clip.path.resolve() for clip in clips}) == 10


def test_names_that_a_list_cannot_hold_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """A line's end within; a manifest holds them all."""
    folder = tmp_path / "speech"
    folder.mkdir()
    for name in ("a\rb.flac", "a\nb.flac", "c.flac"):
        shutil.copy(DATA / "en_tt_weasels.flac", folder / name)
    main([str(tmp_path / "out.txt"), "--paths", str(folder)])
    assert "2 files; 1 unreadable" in capsys.readouterr().out
    assert read_filelist(tmp_path / "out.txt") == [
        str(folder / "a\rb.flac"),
        str(folder / "c.flac"),
    ]
    told = (tmp_path / "out.unreadable.txt").read_text()
    assert told.count("\n") == 1
    assert "a\\nb.flac" in told
    main([str(tmp_path / "out.csv"), "--paths", str(folder)])
    assert {clip.path.name for clip in read_manifest(tmp_path / "out.csv")} == {
        "a\rb.flac", "a\nb.flac", "c.flac",
    }  # fmt: skip
