"""The transformer is causal, of one size for every run, and starts from what is known."""

from functools import partial

import pytest
import torch

from analysis.latent_lm.network import LatentTransformer, rotate, waves
from analysis.latent_lm.presets import PRESETS, NetworkSize

# What float32 leaves of a few layers of sums of 32 products, in shapes that may round otherwise;
# the values are around 1. What must not be the same here differs by more than 1e-3.
close = partial(torch.testing.assert_close, rtol=1e-4, atol=1e-4)
SMALL = NetworkSize(width=32, layers=2, heads=2, head_layers=1)


@pytest.fixture
def network() -> LatentTransformer:
    """With weights that none of its layers has at the start, where several are zero."""
    torch.manual_seed(0)
    network = LatentTransformer(6, SMALL)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return network


@torch.no_grad()
def test_a_later_frame_changes_nothing_before_it(network):
    frames = torch.randn(2, 7, 6)
    changed = frames.clone()
    changed[:, 4] += 1
    before, after = network(frames), network(changed)
    assert before.shape == (2, 8, 32)
    close(after[:, :5], before[:, :5])  # output 4 is of frames 0 to 3
    assert ((after[:, 5:] - before[:, 5:]).abs().amax(-1) > 1e-3).all()
    close(network(frames[:, :4]), before[:, :5])


@torch.no_grad()
def test_the_next_frame_is_the_last_of_those_given(network):
    frames, noisy = torch.randn(2, 5, 6), torch.randn(2, 5, 6)
    times = torch.rand(2, 5, 1)
    of_all = network.given(frames)(noisy, times)
    of_last = network.next(frames[:, :4])(noisy[:, 4], times[:, 4])
    close(of_last, of_all[:, 4])


@torch.no_grad()
def test_the_order_of_the_frames_before_matters(network):
    frames = torch.randn(1, 5, 6)
    swapped = frames[:, [1, 0, 2, 3, 4]]
    assert (network(frames)[:, -1] - network(swapped)[:, -1]).abs().max() > 1e-3


def test_attention_sees_how_far_apart_frames_are_and_not_where():
    query, key = torch.randn(2, 8, generator=torch.Generator().manual_seed(0))
    queries, keys = (rotate(one.expand(1, 1, 12, 8))[0, 0] for one in (query, key))
    products = queries @ keys.T
    close(products.diagonal(-3), products[3, 0].expand(9))
    assert abs(products[3, 0] - products[0, 0]) > 1e-3


@torch.no_grad()
def test_the_velocity_is_at_first_the_best_linear_one():
    network = LatentTransformer(6, SMALL)
    noisy, times = torch.randn(2, 5, 6), torch.full((2, 5, 1), 0.25)
    given = network.given(torch.randn(2, 5, 6))(noisy, times)
    close(given, (0.25 - 0.75) / (0.25**2 + 0.75**2) * noisy)


def test_times_become_waves_that_tell_them_apart():
    coded = waves(torch.linspace(0, 1, 50)[:, None], 16)
    assert coded.shape == (50, 16)
    assert torch.cdist(coded, coded).add(torch.eye(50)).min() > 0.02


@pytest.mark.parametrize("name", PRESETS)
def test_nearly_all_parameters_are_the_same_in_every_space(name):
    shapes = {}
    for dims in (80, 160, 162):
        network = LatentTransformer(dims, PRESETS[name].network)
        shapes[dims] = {key: tuple(value.shape) for key, value in network.named_parameters()}
    unlike = {key for key in shapes[80] if shapes[80][key] != shapes[160][key]}
    assert unlike == {
        "enter.weight",
        "head.enter.weight",
        "head.leave.weight",
        "head.leave.bias",
    }
