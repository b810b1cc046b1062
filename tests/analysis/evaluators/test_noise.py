"""Noise: at the ratio that is asked for, fixed by the clip, of other voices."""

import math
from pathlib import Path

import pytest
import torch

from analysis.evaluators.noise import add_at_ratio, babble, fixed_noise
from dcvae.audio.io import read_audio
from dcvae.data.manifest import Clip, read_manifest


@pytest.mark.parametrize("decibels", [20, 10, 5, 0])
def test_the_ratio_is_that_asked_for(spoken: Path, decibels: int) -> None:
    speech = 0.2 * read_audio(read_manifest(spoken)[0].path)
    noise = fixed_noise("a", speech.shape)
    added = add_at_ratio(speech, noise, decibels) - speech
    ratio = 10 * math.log10(speech.square().mean() / added.square().mean())
    assert ratio == pytest.approx(decibels, abs=0.01)


def test_a_loud_mixture_is_scaled_into_range() -> None:
    speech = torch.ones(1000)
    mixture = add_at_ratio(speech, torch.ones(1000), 0)
    assert mixture.abs().max() == 1
    assert torch.isfinite(add_at_ratio(speech, torch.zeros(1000), 0)).all()


def test_noise_depends_on_the_name_alone() -> None:
    assert torch.equal(fixed_noise("a", (2, 3)), fixed_noise("a", (2, 3)))
    assert not torch.equal(fixed_noise("a", (2, 3)), fixed_noise("b", (2, 3)))


def test_babble_is_made_of_other_voices_and_repeats(spoken: Path) -> None:
    clips = read_manifest(spoken)
    first = babble(clips[0], clips, 50_000)
    assert torch.equal(first, babble(clips[0], clips[::-1], 50_000))
    assert not torch.equal(first, babble(clips[1], clips, 50_000))
    assert first.square().mean() == pytest.approx(5, rel=0.4)  # five voices of power 1
    own = read_audio(clips[0].path)
    correlation = torch.corrcoef(torch.stack([first[: len(own)], own]))[0, 1]
    assert abs(correlation) < 0.1


def test_unreadable_voices_are_passed_over(spoken: Path) -> None:
    clips = read_manifest(spoken)
    gone = Clip(Path("/gone.wav"), 1.0, 22050)
    assert not babble(clips[0], [clips[0], gone], 100).any()
    assert babble(clips[0], [*clips[:2], gone], 100).any()
