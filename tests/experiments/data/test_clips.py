"""Training crops: the same for a seed whatever the workers, processes or interruptions."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from accelerate.data_loader import prepare_data_loader, skip_first_batches
from torch import Tensor

from dcvae.audio.io import AudioError, read_audio
from dcvae.data.manifest import Clip, ManifestError, read_manifest, write_manifest
from experiments.data.clips import Clips, training_loader, validation_waves

DATA = Path(__file__).parents[2] / "data"
HOP, RATE = 256, 22050


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Every real clip as three training clips: 30 rows."""
    clips = read_manifest(DATA / "manifest.csv")
    rows = [Clip(clip.path, clip.duration, clip.sample_rate) for clip in clips] * 3
    write_manifest(tmp_path / "m.csv", rows)
    return tmp_path / "m.csv"


def batches(loader) -> list[Tensor]:
    return [batch.clone() for batch in loader]


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return len(one) == len(other) and all(map(torch.equal, one, other))


def test_two_workers_and_none_give_the_same_batches_for_three_epochs(manifest: Path) -> None:
    loaders = [
        prepare_data_loader(training_loader(manifest, 48, 4, num_workers=workers, seed=7))
        for workers in (0, 2)
    ]
    epochs = [[batches(loader) for loader in loaders] for _ in range(3)]
    assert all(same(none, two) for none, two in epochs)
    assert not torch.equal(epochs[0][0][0], epochs[1][0][0])
    assert epochs[0][0][0].shape == (4, 48 * HOP)
    assert len(epochs[0][0]) == 7
    other = batches(prepare_data_loader(training_loader(manifest, 48, 4, seed=8)))
    assert not same(epochs[0][0], other)


def test_every_clip_comes_once_an_epoch(manifest: Path) -> None:
    order = list(training_loader(manifest, 48, 4, seed=1).sampler)
    assert sorted(index for _, index in order) == list(range(30))
    assert {epoch for epoch, _ in order} == {0}


def test_two_processes_share_an_epoch_out(manifest: Path) -> None:
    alone = prepare_data_loader(training_loader(manifest, 48, 3))
    shards = [
        prepare_data_loader(training_loader(manifest, 48, 3), num_processes=2, process_index=rank)
        for rank in (0, 1)
    ]
    for loader in (alone, *shards):
        loader.set_epoch(5)
    whole, (even, odd) = batches(alone), (batches(shard) for shard in shards)
    assert same(even, whole[0::2])
    assert same(odd, whole[1::2])


@pytest.mark.parametrize("processes", [1, 2])
def test_a_resumed_epoch_goes_on_where_it_stopped(manifest: Path, processes: int) -> None:
    def loader():
        return prepare_data_loader(
            training_loader(manifest, 48, 3), num_processes=processes, process_index=0
        )

    first, second = loader(), loader()
    third_epoch = [batches(first) for _ in range(3)][2]
    second.set_epoch(2)
    assert same(batches(skip_first_batches(second, 2)), third_epoch[2:])


def test_the_global_generator_is_left_alone(manifest: Path) -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    batches(training_loader(manifest, 48, 4))
    assert torch.equal(torch.rand(3), expected)


def test_a_crop_is_a_piece_of_its_clip_and_moves_with_the_epoch(manifest: Path) -> None:
    clips = read_manifest(manifest)
    dataset = Clips(clips, segment_frames=64, seed=0)
    whole = read_audio(clips[0].path)
    places = set()
    for epoch in range(8):
        crop = dataset[epoch, 0]
        windows = whole.unfold(0, 64 * HOP, 1)  # every place where the crop could lie
        distance = (windows[:, ::997] - crop[::997]).abs().amax(1)
        assert distance.min() < 1e-5
        places.add(int(distance.argmin()))
    assert len(places) == 8
    assert max(places) - min(places) > RATE // 2


def test_a_short_clip_ends_in_zeros(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "short.wav", np.full(RATE // 4, 0.5), RATE)
    crop = Clips([Clip(tmp_path / "short.wav", 0.25, RATE)], 64, 0)[0, 0]
    assert crop.shape == (64 * HOP,)
    assert crop[: RATE // 4].min() > 0.49
    assert crop[RATE // 4 :].abs().max() == 0


def test_a_clip_that_vanished_is_named(tmp_path: Path) -> None:
    dataset = Clips([Clip(tmp_path / "gone.wav", 2.0, RATE)], 64, 0)
    with pytest.raises(AudioError, match=r"gone\.wav"):
        dataset[0, 0]


def test_too_few_clips_for_a_batch_are_counted(manifest: Path) -> None:
    with pytest.raises(ValueError, match=r"m\.csv has 30 training clips.* one batch of 31"):
        training_loader(manifest, 64, 31)
    with pytest.raises(ValueError, match="has 0 training clips of 60 s or more"):
        training_loader(manifest, 64, 2, min_seconds=60.0)


def test_validation_waves_are_fixed_and_centred() -> None:
    whole = validation_waves(DATA / "manifest.csv", 10)
    assert [clip.split for clip, _ in whole] == ["validation", "validation"]
    centres = validation_waves(DATA / "manifest.csv", 10, max_seconds=1.0)
    for (clip, wave), (_, centre) in zip(whole, centres, strict=True):
        assert len(wave) == pytest.approx(clip.duration * RATE, abs=1)
        first = round((clip.duration - 1) / 2 * RATE)
        assert abs(len(centre) - RATE) <= 1
        torch.testing.assert_close(centre, wave[first : first + len(centre)], atol=2e-6, rtol=0)
    with pytest.raises(ManifestError, match="'validation' with 60 s"):
        validation_waves(DATA / "manifest.csv", 10, min_seconds=60.0)
