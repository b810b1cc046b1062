"""A generator's errors, of a model that knows the process it draws from."""

import math

import pytest
import torch

from analysis.latent_lm.flow_matching import linear_velocity
from analysis.latent_lm.rollout import draw_frames

MEMORY = 0.8


class Exact:
    """The process x' = MEMORY x + noise of variance 1, given its past, as the network gives it."""

    start = torch.zeros(1)

    def __call__(self, frames):
        """[B, L, D] -> [B, L + 1, D]: the mean of each frame given the one before it."""
        return MEMORY * torch.cat([torch.zeros_like(frames[:, :1]), frames], 1)

    def head(self, noisy, times, known):
        variance = 1 - MEMORY**2
        return linear_velocity(noisy - times * known, times, variance) + known


@pytest.fixture(scope="module")
def frames():
    """One sequence [L, D], long enough for its spread to be known."""
    generator = torch.Generator().manual_seed(0)
    steps = torch.randn(24, 2000, generator=generator) * math.sqrt(1 - MEMORY**2)
    found = [torch.randn(2000, generator=generator)]
    for step in steps[1:]:
        found.append(MEMORY * found[-1] + step)
    return torch.stack(found)


@pytest.mark.parametrize("run", [1, 4])
def test_errors_add_up_within_a_run_and_begin_anew_with_the_next(frames, run):
    """Two independent draws of the j-th frame from one history differ by 2 (1 - MEMORY^(2 j))."""
    noise = torch.randn(frames.shape, generator=torch.Generator().manual_seed(1))
    drawn = draw_frames(Exact(), frames, noise, run, 64)
    errors = (drawn - frames).square().mean(1)
    for place in range(run, len(frames)):  # the first run has no history
        expected = 2 * (1 - MEMORY ** (2 * (place % run + 1)))
        # of 2,000 dims a mean square is known to 3%, and Euler's method is off by a few
        assert float(errors[place]) == pytest.approx(expected, rel=0.15)


def test_a_clip_whose_last_run_is_short_is_drawn_whole(frames):
    noise = torch.randn(7, 2000, generator=torch.Generator().manual_seed(1))
    drawn = draw_frames(Exact(), frames[:7], noise, 4, 8)
    assert drawn.shape == (7, 2000)
    assert not bool((drawn == frames[:7]).all(1).any())


def test_a_run_longer_than_the_clip_is_free_generation(frames):
    noise = torch.randn(5, 2000, generator=torch.Generator().manual_seed(1))
    long = draw_frames(Exact(), frames[:5], noise, 100, 8)
    assert torch.equal(long, draw_frames(Exact(), torch.zeros(5, 2000), noise, 100, 8))
