"""What the model of latents is given: frames, scaled or not, in batches of like length."""

import itertools

import pytest
import torch

from analysis.latent_lm.data import (
    Scaling,
    choose_clips,
    draw_batches,
    pad,
    to_frames,
    to_latents,
)
from analysis.metrics.score import Unmeasurable
from dcvae.data.manifest import Clip


def sequences(dims=5, count=6):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(4 + one, dims, generator=generator) for one in range(count)]


def test_frames_are_latents_turned_and_back():
    latents = torch.randn(3, 2, 7)
    frames = to_frames(latents)
    assert frames.shape == (7, 6)
    assert frames[4].tolist() == latents[:, :, 4].flatten().tolist()
    torch.testing.assert_close(to_latents(frames, bins=2), latents)


def test_standardised_frames_have_mean_zero_and_variance_one():
    frames = [3 * one + torch.arange(5) for one in sequences()]
    standardised = torch.cat([Scaling.standardise(frames).apply(one) for one in frames])
    torch.testing.assert_close(standardised.mean(0), torch.zeros(5), atol=1e-5, rtol=0)
    torch.testing.assert_close(standardised.var(0, correction=0), torch.ones(5))


def test_the_scale_and_the_place_of_a_space_change_nothing():
    plain = sequences()
    moved = [100 * one + 7 for one in plain]
    first, second = Scaling.standardise(plain), Scaling.standardise(moved)
    for one, other in zip(plain, moved, strict=True):
        torch.testing.assert_close(second.apply(other), first.apply(one), atol=1e-4, rtol=1e-4)


def test_dead_dims_are_left_out_and_come_back_as_their_mean():
    frames = [torch.cat([one, torch.full((len(one), 1), 2.5)], 1) for one in sequences()]
    scaling = Scaling.standardise(frames)
    assert scaling.dims == 5
    assert scaling.apply(frames[0]).shape == (4, 5)
    torch.testing.assert_close(scaling.invert(scaling.apply(frames[0])), frames[0])


def test_without_scaling_frames_stay_as_they_are():
    frames = sequences()[0]
    scaling = Scaling.none(5)
    assert scaling.dims == 5
    assert torch.equal(scaling.apply(frames), frames)
    assert torch.equal(scaling.invert(frames), frames)


@pytest.mark.parametrize(
    ("frames", "reason"),
    [([], "no clip that can be used"), ([torch.ones(5, 3)], "do not vary")],
)
def test_latents_that_cannot_be_standardised_are_refused(frames, reason):
    with pytest.raises(Unmeasurable, match=reason):
        Scaling.standardise(frames)


def test_padding_says_what_is_real():
    frames, real = pad([torch.ones(2, 3), torch.ones(4, 3)])
    assert frames.shape == (2, 4, 3)
    assert real.tolist() == [[True, True, False, False], [True] * 4]
    assert frames[0].sum() == 6


def test_a_round_of_batches_takes_every_clip_once_and_keeps_to_the_limit():
    lengths = [2 + one % 13 for one in range(700)]
    batches = draw_batches(lengths, 40, torch.Generator().manual_seed(0))
    for _ in range(2):
        taken: list[int] = []
        while len(taken) < len(lengths):
            batch = next(batches)
            assert len(batch) * max(lengths[one] for one in batch) <= 40
            taken += batch
        assert sorted(taken) == list(range(700))


def test_a_clip_longer_than_a_batch_is_a_batch():
    batches = draw_batches([50, 3, 3], 10, torch.Generator().manual_seed(0))
    assert sorted(map(sorted, itertools.islice(batches, 2))) == [[0], [1, 2]]


def test_speech_is_chosen_up_to_the_budget_from_every_speaker(tmp_path):
    clips = [
        Clip(tmp_path / f"{one}.wav", 5.0, 22050, "ab"[one // 20], split="train", key=f"{one}.wav")
        for one in range(40)
    ]
    chosen = choose_clips(clips, "train", 50 / 3600)
    assert len(chosen) == 10
    assert [clip.speaker for clip in chosen] == ["a", "b"] * 5
    assert len(choose_clips(clips, "train", 1.0)) == 40
    assert choose_clips(clips, "validation", 1.0) == []
