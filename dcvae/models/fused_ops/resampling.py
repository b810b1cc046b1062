"""Changes of resolution by two, in fewer products and passes.

A phase of a picture [B, C, 2 * H, 2 * W] is one of the four [B, C, H, W] of which every pixel of
the coarse grid takes one: rows and columns from 0 or from 1 on in twos, row by row.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

CORNERS = ((0, 0), (0, 1), (1, 0), (1, 1))


def phase_kernels(weight: Tensor) -> Tensor:
    """A kernel [O, I, 3, 3] over upsampled pixels -> [4 * O, I, 2, 2] over the pixels themselves.

    Phase by phase: the even ones meet one row or column of the kernel and then two, the odd ones
    two and then one.
    """
    first, middle, last = weight.unbind(2)
    rows = (torch.stack([first, middle + last], 2), torch.stack([first + middle, last], 2))
    phases = []
    for kernel in rows:  # [O, I, 2, 3]
        left, centre, right = kernel.unbind(3)
        phases += [torch.stack([left, centre + right], 3), torch.stack([left + centre, right], 3)]
    return torch.cat(phases)


class Interleave(torch.autograd.Function):
    """Phases [B, 4 * O, H + 1, W + 1] -> the picture [B, O, 2 * H, 2 * W], on to a shortcut.

    An even row of the picture lies at its phase's row, an odd one at the row after. The shortcut's
    features [B, I, H, W], if there are any, are spread over the picture's pixels.
    """

    @staticmethod
    def forward(ctx: Any, phases: Tensor, shortcut: Tensor | None) -> Tensor:
        batch, channels, rows, columns = phases.shape
        ctx.repeats = 0 if shortcut is None else channels // shortcut.shape[1]
        dtype = ctx.dtype = phases.dtype
        if shortcut is not None:
            dtype = torch.promote_types(dtype, shortcut.dtype)
        picture = empty_like(phases, (batch, channels // 4, 2 * rows - 2, 2 * columns - 2), dtype)
        added = [None] * 4 if shortcut is None else repeat_features(shortcut, ctx.repeats)
        for part, place, more in zip(crops(phases), phases_of(picture), added, strict=True):
            place.copy_(part) if more is None else torch.add(part, more, out=place)
        return picture

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor | None]:
        picture = gradients[0]
        batch, channels, rows, columns = picture.shape
        shape = (batch, 4 * channels, rows // 2 + 1, columns // 2 + 1)
        phases = empty_like(picture, shape, ctx.dtype)
        phases[:, :, :: rows // 2] = 0  # what lies beside some phase's picture
        phases[:, :, :, :: columns // 2] = 0
        for part, place in zip(crops(phases), phases_of(picture), strict=True):
            part.copy_(place)
        return phases, gather(picture, ctx.repeats) if ctx.repeats else None


class Average(torch.autograd.Function):
    """The means of `group` values each, of a picture's pixels and channels as `gather` has them."""

    @staticmethod
    def forward(ctx: Any, picture: Tensor, group: int) -> Tensor:
        ctx.group, ctx.shape = group, picture.shape
        return gather(picture, group).div_(group)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        gradient = gradients[0]
        picture = empty_like(gradient, ctx.shape, gradient.dtype)
        parts = repeat_features(gradient / ctx.group, ctx.group)
        for part, place in zip(parts, phases_of(picture), strict=True):
            place.copy_(part)
        return picture, None


def is_simple(repeats: int) -> bool:
    """Whether the channels of a shortcut's phases are slices."""
    return repeats in (1, 2) or repeats % 4 == 0


def repeat_features(features: Tensor, repeats: int) -> Iterator[Tensor]:
    """Features [B, I, H, W] -> the phases [B, O, H, W] of a picture, 4 * O = repeats * I.

    As pixel_shuffle would of repeated channels: channel o of phase p has (4 * o + p) // repeats.
    """
    if repeats > 4:
        features = features.repeat_interleave(repeats // 4, dim=1)
    return slices(features, repeats)


def gather(picture: Tensor, repeats: int) -> Tensor:
    """The transpose of `repeat_features`: sums [B, I, H, W] of a picture [B, O, 2 * H, 2 * W]."""
    batch, channels, rows, columns = picture.shape
    shape = (batch, channels * max(1, 4 // repeats), rows // 2, columns // 2)
    features = empty_like(picture, shape, picture.dtype)
    pairs = zip(slices(features, repeats), phases_of(picture), strict=True)
    for number, (part, place) in enumerate(pairs):
        part.copy_(place) if number % repeats == 0 else part.add_(place)
    return features.unflatten(1, (-1, repeats // 4)).sum(2) if repeats > 4 else features


def slices(features: Tensor, repeats: int) -> Iterator[Tensor]:
    """The channels that each of the four phases has."""
    step = max(1, 4 // repeats)
    return (features[:, phase // repeats :: step] for phase in range(4))


def crops(phases: Tensor) -> Iterator[Tensor]:
    """Of phases [B, 4 * O, H + 1, W + 1] the four [B, O, H, W] that lie in the picture."""
    height, width = (size - 1 for size in phases.shape[2:])
    return (
        phase[:, :, row : row + height, column : column + width]
        for phase, (row, column) in zip(phases.chunk(4, dim=1), CORNERS, strict=True)
    )


def phases_of(picture: Tensor) -> Iterator[Tensor]:
    """Views [B, C, H, W] of a picture [B, C, 2 * H, 2 * W]."""
    return (picture[:, :, row::2, column::2] for row, column in CORNERS)


def empty_like(features: Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Of another shape and dtype, but the same device and memory format."""
    last = features.is_contiguous(memory_format=torch.channels_last)
    memory_format = torch.channels_last if last else torch.contiguous_format
    return torch.empty(shape, dtype=dtype, device=features.device, memory_format=memory_format)
