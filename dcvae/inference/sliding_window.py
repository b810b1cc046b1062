"""Long signals in constant memory: a function applied window by window, as if to all at once."""

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor


def windowed(
    function: Callable[[Tensor], Tensor],
    blocks: Iterable[Tensor],
    *,
    size: int,
    context: int,
    up: int = 1,
    down: int = 1,
) -> Iterator[Tensor]:
    """Yield function(signal) in pieces, the signal being all `blocks` joined at their last axis.

    `down` inputs give `up` outputs, and no output depends on an input more than `context` away
    from its place, so that the pieces joined equal the whole. `size` new inputs are taken at a
    time, with the context on either side; both must be multiples of `down`. The function sees
    the signal's true ends, and pads there as it always does; a signal of no more than
    size + context is passed in one piece.
    """
    assert size > 0
    assert size % down == 0
    assert context % down == 0
    pending: list[Tensor] = []
    held = left = 0  # inputs in `pending`; how many of them are context, with their outputs out
    for block in blocks:
        pending.append(block)
        held += block.shape[-1]
        while held > left + size + context:
            signal = torch.cat(pending, -1)
            output = function(signal[..., : left + size + context])
            yield output[..., left // down * up : (left + size) // down * up]
            done = left + size
            left = min(context, done)
            pending = [signal[..., done - left :]]
            held = pending[0].shape[-1]
    if held > left:
        yield function(torch.cat(pending, -1))[..., left // down * up :]
