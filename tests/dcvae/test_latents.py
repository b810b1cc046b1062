"""Shards read back: ten thousand clips, in a loader's workers, and every bad file."""

import pickle
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from dcvae import LatentShards
from dcvae.data.latent_shards import LABELS, Moments, ShardFacts, shard_name, write_shard
from dcvae.inference.shards.encoding import finish
from dcvae.inference.shards.plan import Plan

DIMS = 6
SPLITS = ("train", "train", "validation", "test")


def written(folder: Path, count: int, per_shard: int, seed: int = 0) -> dict[str, Tensor]:
    """A folder of clips of 1 to 9 frames, as encoding leaves it, and its latents by id."""
    ids = [f"clip{number:06d}.wav" for number in range(count)]
    columns: dict[str, list[object]] = {
        "id": list(ids), "path": [b""] * count, "bytes": [0] * count,
        **{label: [f"{label} {number}" for number in range(count)] for label in LABELS},
        "split": [SPLITS[number % len(SPLITS)] for number in range(count)],
    }  # fmt: skip
    plan = Plan(pa.table(columns), {"clips_per_shard": per_shard, "seed": seed})
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, 10, (count,), generator=generator).tolist()
    latents = {
        name: 3 + 2 * torch.randn(length, DIMS, generator=generator)
        for name, length in zip(ids, lengths, strict=True)
    }
    folder.mkdir(parents=True, exist_ok=True)
    for shard in range(plan.shards):
        rows = plan.rows(shard)
        named = zip(rows["tensor"], rows["id"], strict=True)
        frames = {tensor: latents[name] for tensor, name in named}
        clips = {tensor: [len(one), 4000 * len(one), 16000] for tensor, one in frames.items()}
        moments = Moments.of(torch.cat([*frames.values()]))
        write_shard(folder / shard_name(shard), frames, ShardFacts(plan.id, clips, {}, moments))
    finish(folder, plan, {"dims": DIMS})
    return latents


def test_ten_thousand_clips_come_back(tmp_path):
    latents = written(tmp_path, 10_000, 700)
    shards = LatentShards(tmp_path)
    assert len(shards) == 10_000
    for number, (frames, record) in enumerate(shards):
        assert record["id"] == f"clip{number:06d}.wav"
        assert record["text"] == f"text {number}"
        assert torch.equal(frames, latents[record["id"]])
        assert (record["frames"], record["samples"]) == (len(frames), 4000 * len(frames))
        assert record["seconds"] == len(frames) / 4
    assert len({record["shard"] for _, record in shards}) == 15
    assert shards.info["hours"] == pytest.approx(sum(map(len, latents.values())) / 4 / 3600)


def test_standardised_frames_have_mean_0_and_deviation_1(tmp_path):
    latents = written(tmp_path, 50, 20)
    raw, shards = LatentShards(tmp_path), LatentShards(tmp_path, standardise=True)
    frames = torch.cat([frames for frames, _ in shards]).double()
    # of values around 1, in float32
    torch.testing.assert_close(frames.mean(0), torch.zeros(DIMS).double(), rtol=0, atol=1e-6)
    torch.testing.assert_close(
        frames.std(0, correction=0), torch.ones(DIMS).double(), rtol=1e-6, atol=0
    )
    back = shards[7][0] * shards.std + shards.mean
    torch.testing.assert_close(back, raw[7][0], rtol=1e-6, atol=1e-6)
    assert torch.equal(raw[7][0], latents["clip000007.wav"])


def test_a_dim_that_never_changes_stays_finite(tmp_path):
    written(tmp_path, 4, 4)
    shards = LatentShards(tmp_path, standardise=True)
    shards.std[2] = 0.0
    assert shards[0][0].isfinite().all()


def test_splits(tmp_path):
    written(tmp_path, 20, 6)
    for split, count in (("train", 10), ("validation", 5), ("test", 5)):
        shards = LatentShards(tmp_path, split)
        assert len(shards) == count
        assert {record["split"] for _, record in shards} == {split}
    with pytest.raises(ValueError, match="no split 'unseen', but"):
        LatentShards(tmp_path, "unseen")


def test_indices(tmp_path):
    written(tmp_path, 5, 2)
    shards = LatentShards(tmp_path)
    assert shards[-1][1] == shards[4][1]
    for number in (5, -6):
        with pytest.raises(IndexError, match=f"clip {number} of 5"):
            shards[number]


def test_it_works_in_a_loaders_workers(tmp_path):
    latents = written(tmp_path, 40, 7)
    shards = LatentShards(tmp_path)
    assert len(shards[0][0])  # a shard is open here
    loaded = list(DataLoader(shards, batch_size=None, num_workers=2, shuffle=True))
    assert len(loaded) == 40
    for frames, record in loaded:
        assert torch.equal(frames, latents[record["id"]])


def test_no_open_file_is_pickled(tmp_path):
    written(tmp_path, 5, 2)
    shards = LatentShards(tmp_path, "train", standardise=True)
    before = shards[0][0]
    again = pickle.loads(pickle.dumps(shards))
    assert not again.shards
    assert len(again) == len(shards)
    assert torch.equal(again[0][0], before)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def swap(path: Path) -> None:
    """Another folder's file in its place."""
    other = path.parent / "other"
    written(other, 6, 2, seed=1)
    path.write_bytes((other / path.name).read_bytes())


def shorten(path: Path) -> None:
    """The index of fewer clips."""
    other = path.parent / "other"
    written(other, 4, 2)
    path.write_bytes((other / path.name).read_bytes())


@pytest.mark.parametrize(
    ("name", "harm", "words"),
    [
        ("dataset.json", Path.unlink, "is not there"),
        ("dataset.json", cut, "is damaged"),
        ("index.parquet", Path.unlink, "is not there"),
        ("index.parquet", cut, "is damaged"),
        ("index.parquet", shorten, "does not fit"),
        ("shard-00001.safetensors", Path.unlink, "is not there"),
        ("shard-00001.safetensors", cut, "is damaged"),
        ("shard-00001.safetensors", swap, "belongs to plan"),
    ],
)
def test_a_bad_file_is_named_in_one_line(
    tmp_path: Path, name: str, harm: Callable[[Path], None], words: str
):
    written(tmp_path, 6, 2)
    harm(tmp_path / name)
    with pytest.raises(ValueError, match=words) as told:
        list(LatentShards(tmp_path))
    assert str(tmp_path / name) in str(told.value)
    assert "\n" not in str(told.value)


def test_another_format_is_refused(tmp_path):
    written(tmp_path, 2, 2)
    text = (tmp_path / "dataset.json").read_text()
    (tmp_path / "dataset.json").write_text(text.replace('"format": 1', '"format": 2'))
    with pytest.raises(ValueError, match="is not of format 1"):
        LatentShards(tmp_path)
