import pytest
import torch
from torch.nn import functional

from dcvae.inference.sliding_window import windowed


def smooth(signal):
    """Sees 3 to either side, and pads its ends by reflection, as the mel does."""
    kernel = torch.arange(1.0, 8.0, dtype=torch.float64)[None, None]
    return functional.conv1d(functional.pad(signal, (3, 3), mode="reflect"), kernel)


def thin(signal):
    """One output for 4 inputs, of which it sees the 4 and 4 on either side; zeros beyond."""
    kernel = torch.arange(1.0, 13.0, dtype=torch.float64)[None, None]
    filled = functional.pad(signal, (0, -signal.shape[-1] % 4))
    return functional.conv1d(functional.pad(filled, (4, 4)), kernel, stride=4)


def widen(signal):
    """Two outputs for an input, from it and one on either side."""
    return functional.interpolate(functional.pad(signal, (1, 1)), scale_factor=2)[..., 1:-3]


@pytest.mark.parametrize("length", [1, 5, 15, 16, 17, 20, 24, 25, 61, 100])
@pytest.mark.parametrize("block", [1, 7, 16, 1000])
@pytest.mark.parametrize(
    ("function", "context", "ratio"),
    [(smooth, 4, {}), (thin, 4, {"down": 4}), (widen, 4, {"up": 2})],
)
def test_windows_joined_equal_the_whole(length, block, function, context, ratio):
    signal = torch.randn(2, 1, max(length, 4), dtype=torch.float64)
    pieces = windowed(function, signal.split(block, -1), size=16, context=context, **ratio)
    # absolute, as the terms of a sum may cancel: 12 of up to 12 x 5 round by 1e-13 in float64
    torch.testing.assert_close(torch.cat(list(pieces), -1), function(signal), rtol=0, atol=1e-12)


def test_too_little_context_shows():
    signal = torch.randn(1, 1, 64, dtype=torch.float64)
    pieces = windowed(smooth, [signal], size=16, context=2)
    assert not torch.allclose(torch.cat(list(pieces), -1), smooth(signal))


def test_no_window_is_longer_than_its_size_and_two_contexts():
    seen = []

    def record(signal):
        seen.append(signal.shape[-1])
        return signal

    signal = torch.arange(1000.0)
    pieces = list(windowed(record, signal.split(13), size=40, context=10))
    assert torch.equal(torch.cat(pieces), signal)
    assert max(seen) == 60
    assert max(map(len, pieces)) <= 50


def test_a_signal_that_never_ends_is_taken_as_it_comes():
    def endless():
        while True:
            yield torch.ones(10)

    pieces = windowed(lambda signal: 2 * signal, endless(), size=10, context=0)
    assert torch.equal(next(pieces), 2 * torch.ones(10))


def test_nothing_gives_nothing():
    assert list(windowed(smooth, [], size=4, context=4)) == []
