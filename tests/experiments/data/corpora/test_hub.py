"""A data set in the hub's format, made of the tests' own speech: streamed, cut, shared out."""

import sys
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from accelerate import Accelerator, PartialState, skip_first_batches
from torch import Tensor

from dcvae.audio.io import read_audio
from dcvae.data.manifest import read_manifest
from experiments.data.clips import training_clips, training_loader, validation_waves
from experiments.data.corpora import hub
from experiments.data.streams import row_split

datasets = pytest.importorskip("datasets")
DATA = Path(__file__).parents[3] / "data"
FRAMES, HOP = 48, 256
SPLIT = {"clips": {"train": 4, "validation": 2, "test": 1}, "rows": 40, "buffer": 8}


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four shards of ten rows; zeros appended to a file give it another hash, and split."""
    folder = tmp_path_factory.mktemp("repo")
    features = datasets.Features({"audio": datasets.Audio(), "who": datasets.Value("string")})
    files = sorted(DATA.glob("*.flac"))
    for shard in range(4):
        rows = [{"bytes": f.read_bytes() + bytes(shard), "path": f.name} for f in files]
        made = datasets.Dataset.from_dict(
            {"audio": rows, "who": [f.name[:2] for f in files]}, features=features
        )
        made.to_parquet(folder / f"train-{shard:05d}.parquet")
    return folder


@pytest.fixture
def manifest(repo: Path, tmp_path: Path) -> Path:
    return hub.fetch(str(repo), cache=str(tmp_path / "cache"), labels={"speaker": "who"}, **SPLIT)


def batches(manifest: Path, epochs: int = 1, **settings) -> list[Tensor]:
    loader = Accelerator().prepare(training_loader(manifest, FRAMES, 4, **settings))
    found = []
    for epoch in range(epochs):
        loader.set_epoch(epoch)
        found += [batch.clone() for batch in loader]
    return found


def test_what_analysis_needs_is_copied_once(repo: Path, manifest: Path) -> None:
    clips = read_manifest(manifest)
    assert Counter(clip.split for clip in clips) == SPLIT["clips"]
    assert all(clip.path.parent == manifest.parent for clip in clips)
    assert all(row_split(clip.path.read_bytes()) == clip.split for clip in clips)
    assert {clip.speaker for clip in clips} <= {"en", "es", "fr", "it", "ru"}
    assert len(validation_waves(manifest, 5)) == 2
    stamp = manifest.stat().st_mtime_ns
    again = hub.fetch(str(repo), cache=str(manifest.parents[1]), labels={"speaker": "who"}, **SPLIT)
    assert (again, again.stat().st_mtime_ns) == (manifest, stamp)
    assert len(training_clips(manifest, 1.0)) == 4


def test_crops_are_pieces_of_clips_that_are_kept_for_nothing_else(
    repo: Path, manifest: Path
) -> None:
    table = pa.concat_tables(pq.read_table(path) for path in sorted(repo.glob("*.parquet")))
    kept = [
        one["bytes"] for one in table["audio"].to_pylist() if row_split(one["bytes"]) == "train"
    ]
    wholes = {
        read_audio(f): any(content.startswith(f.read_bytes()) for content in kept)
        for f in DATA.glob("*.flac")
    }
    found = batches(manifest)
    assert {batch.shape for batch in found} == {(4, FRAMES * HOP)}
    assert len(found) == 9
    for crop in torch.cat(found)[::5]:
        (wave,) = [wave for wave in wholes if place(wave, crop) < 1e-5]
        assert wholes[wave]


def place(wave: Tensor, crop: Tensor) -> float:
    """How near the crop comes to a piece of the wave."""
    padded = torch.nn.functional.pad(wave, (0, max(len(crop) - len(wave), 0)))
    windows = padded.unfold(0, len(crop), 1)[:, ::997]
    return float((windows - crop[::997]).abs().amax(1).min())


def test_a_seed_gives_the_same_batches_and_an_epoch_others(manifest: Path) -> None:
    first, again = (batches(manifest, 2, seed=3, num_workers=2) for _ in range(2))
    assert len(first) == 18
    assert all(map(torch.equal, first, again))
    assert not torch.equal(first[0], first[9])
    assert not torch.equal(first[0], batches(manifest, seed=4, num_workers=2)[0])


def test_an_interrupted_epoch_goes_on(manifest: Path) -> None:
    whole = batches(manifest, 2, num_workers=2)
    loader = Accelerator().prepare(training_loader(manifest, FRAMES, 4, num_workers=2))
    loader.set_epoch(1)
    rest = [batch.clone() for batch in skip_first_batches(loader, 3)]
    assert len(rest) == 6
    assert all(map(torch.equal, rest, whole[12:]))


def test_processes_read_different_rows_and_agree_on_the_end(
    manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = PartialState()
    found, rows = [], []
    for rank in (0, 1):
        monkeypatch.setitem(state._shared_state, "num_processes", 2)
        monkeypatch.setitem(state._shared_state, "process_index", rank)
        loader = training_loader(manifest, FRAMES, 4)
        found.append([batch.clone() for batch in loader])
        loader.dataset.stream.set_epoch(0)
        rows.append({(one["path"], len(one["bytes"])) for one in audio_rows(loader.dataset.stream)})
    assert not rows[0] & rows[1]
    assert len(rows[0] | rows[1]) == 40
    assert [len(part) for part in found] == [9, 9]
    assert found[0][0].shape == (2, FRAMES * HOP)


def audio_rows(stream) -> list[dict]:
    return [row["audio"] for row in stream]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"repo": "/nowhere/at-all"}, "cannot be reached or read"),
        ({"column": "sound"}, "no column 'sound', but audio, who"),
        ({"labels": {"speaker": "speaker"}}, "no column 'speaker'"),
        ({"labels": {"voice": "who"}}, "data.labels has no voice, but speaker, language, text"),
    ],
)
def test_what_is_missing_is_named(repo: Path, tmp_path: Path, changed: dict, reason: str) -> None:
    asked = {"repo": str(repo), "cache": str(tmp_path), **SPLIT, **changed}
    with pytest.raises(ValueError, match=reason):
        hub.fetch(**asked)
    assert not list(tmp_path.iterdir())


def test_without_the_package_one_line_says_so(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ValueError, match=r"pip install 'dcvae\[hub\]'"):
        hub.fetch(str(repo), cache=str(tmp_path), **SPLIT)
