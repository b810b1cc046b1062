"""Batches of clips: alike whatever else is in them, read a few at a time."""

from pathlib import Path

import torch

from analysis import batching
from analysis.batching import FRAMES_AT_ONCE, Sample, crop, group, pad_mels, read_batches
from dcvae.data.manifest import Clip, read_manifest


def test_every_readable_clip_is_in_one_batch_and_the_others_are_named(spoken: Path) -> None:
    clips = [*read_manifest(spoken), Clip(Path("/gone.wav"), 1.0, 22050)]
    unreadable: dict[str, str] = {}
    batches = list(read_batches(clips, unreadable, FRAMES_AT_ONCE))
    assert max(map(len, batches)) > 1
    names = [sample.name for batch in batches for sample in batch]
    assert sorted([*names, *unreadable]) == sorted(clip.name for clip in clips)
    assert list(unreadable.values()) == ["/gone.wav: there is no such audio file"]
    for batch in batches:
        assert len({sample.padded_frames for sample in batch}) == 1
        assert pad_mels([sample.mel for sample in batch], batch[0].padded_frames).shape[2] % 64 == 0


def test_few_clips_are_held_at_once(spoken: Path, monkeypatch) -> None:
    monkeypatch.setattr(batching, "READ_AT_ONCE", 3)
    read: list[str] = []
    original = batching.read_sample

    def counted(clip: Clip, log_mel) -> Sample:
        read.append(clip.name)
        return original(clip, log_mel)

    monkeypatch.setattr(batching, "read_sample", counted)
    batches = read_batches(read_manifest(spoken), {})
    next(batches)
    assert len(read) == 3


def test_a_clips_numbers_depend_on_it_alone(spoken: Path, make_context) -> None:
    context = make_context(spoken)
    together = {
        name: (latents, mel)
        for batch in context.batches(context.clips)
        for name, latents, mel in zip(batch.names, batch.clip_latents, batch.mels, strict=True)
    }
    for clip in context.clips[:3]:
        (batch,) = make_context(spoken).batches([clip])  # one that has computed nothing yet
        latents, mel = together[clip.name]
        assert torch.equal(batch.clip_latents[0], latents)
        assert torch.equal(batch.mels[0], mel)
        assert mel.shape == batch.samples[0].mel.shape
        assert batch.waves[0].shape == batch.samples[0].wave.shape


def test_padding_is_cropped_away_again() -> None:
    clip = Clip(Path("a.wav"), 1.0, 22050)
    sample = Sample(clip, torch.zeros(33 * 256), torch.randn(80, 33))
    assert [len(batch) for batch in group([sample], 64)] == [1]
    padded = pad_mels([sample.mel], sample.padded_frames)
    assert padded.shape == (1, 80, 64)
    assert torch.equal(crop(padded, [sample.frames])[0], sample.mel)
    assert crop(torch.zeros(1, 64 * 256), [sample.frames * 256])[0].shape == sample.wave.shape
