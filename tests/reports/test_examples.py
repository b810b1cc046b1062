"""Example clips that are damaged or too many: the page is there, and says what it is without."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import soundfile

from reports import build
from reports.figures import tsne
from reports.page import audio_grid
from reports.page.audio_grid import listening
from reports.page.examples import mels, shortest
from reports.page.html import render, without_panels
from reports.study.collect import collect, pick
from reports.study.study import Study

MakeRun = Callable[..., Path]
CLIP = "voice-0-0123456789"
OTHER = "voice-1-0123456789"
SYSTEMS = ["baseline", "no_dispersive", "plain_ae"]


@pytest.fixture
def copied(runs: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(runs, tmp_path / "runs"))


def example(root: Path, system: str = "plain_ae", clip: str = CLIP) -> Path:
    return root / "tiny" / system / "seed0" / "analysis" / "examples" / clip


def stored(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


MEL = np.random.default_rng(0).normal(-4, 2, (80, 60)).astype(np.float32)
DAMAGED = {
    "empty": b"",
    "no archive": b"PK\3\4 and then something else",
    "cut short": stored(original=MEL, reconstruction=MEL)[:9000],
    "one array": stored(original=MEL),
    "one dimension": stored(original=MEL[0], reconstruction=MEL[0]),
    "no frames": stored(original=MEL[:, :0], reconstruction=MEL[:, :0]),
    "not finite": stored(original=MEL, reconstruction=np.full_like(MEL, np.nan)),
    "text": stored(original=MEL, reconstruction=np.full(MEL.shape, "a")),
    "another length": stored(original=MEL, reconstruction=MEL[:, :30]),
    "another clip": stored(original=MEL[:, :30], reconstruction=MEL[:, :30]),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_mel_is_left_out_and_named(copied: Path, content: bytes) -> None:
    path = example(copied) / "mel.npz"
    path.write_bytes(content)
    study = collect(copied)
    heard = listening(study)
    (note,) = heard.notes
    assert note.startswith(f"{path} is damaged: ")
    first, second, _ = heard.players
    assert [one.system for one in first.cells] == ["original", "ceiling", *SYSTEMS[:2]]
    assert [one.system for one in second.cells] == ["original", "ceiling", *SYSTEMS]
    assert list(mels(study, CLIP, study.systems)[0]) == ["original", *SYSTEMS[:2]]


def test_a_damaged_wave_is_left_out_and_named_on_page_and_stderr(
    copied: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (example(copied) / "reconstruction.wav").write_bytes(b"")
    whole = (example(copied, clip=OTHER) / "reconstruction.wav").read_bytes()
    (example(copied, clip=OTHER) / "reconstruction.wav").write_bytes(whole[:20])
    soundfile.write(example(copied, "baseline") / "original.wav", np.zeros(0), 22050)
    out = tmp_path / "out"
    with patch.object(build, "measured_plots", return_value=[]):  # they take a quarter of a minute
        build.main([str(copied), "--out", str(out)])
    told = capsys.readouterr().err.splitlines()
    page = (out / "index.html").read_text()
    for path in (
        example(copied) / "reconstruction.wav",
        example(copied, clip=OTHER) / "reconstruction.wav",
        example(copied, "baseline") / "original.wav",
    ):
        assert sum(f"report: {path} is damaged" in line for line in told) == 1
        assert f"{path} is damaged" in page
    assert page.count("<audio") == 2 * 5 + 4 - 3


def test_where_all_examples_are_damaged_the_page_does_not_say_that_none_is_kept(
    copied: Path,
) -> None:
    for path in copied.rglob("mel.npz"):
        path.write_bytes(b"")
    study = collect(copied)
    page = render(study, "today", [])
    assert "hold no example audio" not in page
    assert page.count(" is damaged: ") >= 9
    assert shortest(study, study.systems) == {}


def test_the_first_run_need_not_be_the_one_that_keeps_examples(copied: Path) -> None:
    shutil.rmtree(example(copied, "baseline").parent)
    heard = listening(collect(copied))
    assert [one.system for one in heard.players[0].cells] == ["original", "ceiling", *SYSTEMS[1:]]


def size_of(study: Study) -> int:
    """Characters of one example's audio."""
    return sum(len(cell.audio) for cell in listening(study).players[0].cells)


def test_clips_that_are_too_many_for_the_page_are_counted(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audio_grid, "BUDGET", int(1.9 * size_of(study)))
    heard = listening(study)
    assert [one.clip for one in heard.players] == ["voice 0", "voice 0, continued after 1.5 s"]
    (note,) = heard.notes
    assert "hold 2 of the 3 clips" in note
    assert "`--pick NAME,NAME`" in note


def test_systems_that_are_too_many_for_the_page_are_named_and_can_be_picked(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audio_grid, "BUDGET", int(0.85 * size_of(study)))
    page = render(study, "today", [])
    assert "hold no example audio" not in page
    assert "hold the audio of 2 of the 3 systems" in page
    assert "Left out: plain_ae." in page
    assert "<code>--pick NAME,NAME</code>" in page
    assert page.count("<audio") == 4
    picked = listening(pick(study, ["plain_ae"]))
    assert [one.system for one in picked.players[0].cells][2:] == ["baseline", "plain_ae"]
    assert any("Left out: no_dispersive." in note for note in picked.notes)


def test_a_pick_of_what_is_not_there_is_one_line(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        build.main([str(runs), "--out", str(tmp_path / "out"), "--pick", "plain_ae, plan_ae"])
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert stop.value.code == 2
    assert "the study has no system 'plan_ae'; it has baseline, no_dispersive, plain_ae" in line


def test_maps_of_many_systems_are_of_some_and_the_caption_says_so(
    by_hand: Callable[..., Study],
) -> None:
    names = ["baseline", *(f"no_{number:02}" for number in range(59))]
    study = by_hand(names, {})
    assert study.shown(3) == names[:3]
    chosen = pick(study, ["no_58", "no_30"])
    assert chosen.shown(3) == ["baseline", "no_30", "no_58"]
    [plot] = tsne.PLOTS
    assert f"Shown are {tsne.MOST} of 60 systems." in plot.of(study).caption
    (note,) = without_panels(chosen, [(plot, tsne.table(by_hand(names[:1], {})))])
    assert f"shows {tsne.MOST} of the 60 systems" in note
    assert "`--pick NAME,NAME`" in note
