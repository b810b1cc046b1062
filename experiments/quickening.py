"""The backbone's parts in fewer operations while they train: equal to rounding, gradients too.

dcvae.fusing does the like for inference, where weights may be rewritten; here they stay as they
are, by name and by value, and a part in eval mode is diffusers' own.
"""

from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_dc import DCUpBlock2d
from diffusers.models.normalization import RMSNorm
from torch import Tensor, nn
from torch.nn import functional


def quicken(backbone: nn.Module) -> None:
    """Let each part of a backbone take the shorter way in training, in place."""
    quicker = {RMSNorm: QuickNorm, DCUpBlock2d: QuickUpBlock}
    for part in backbone.modules():
        if type(part) in quicker:
            part.__class__ = quicker[type(part)]


class QuickNorm(RMSNorm):
    """RMS norm over the last axis; diffusers' own goes through float32 in several passes."""

    def forward(self, hidden_states: Tensor) -> Tensor:
        """Features [..., C] to the same shape and dtype."""
        if not self.training or self.bias is None:
            return super().forward(hidden_states)
        return ChannelNormalise.apply(hidden_states, self.weight, self.bias, self.eps)


class ChannelNormalise(torch.autograd.Function):
    """y = x / rms(x) * weight + bias over the last axis (Zhang and Sennrich, 2019).

    The squares are summed in float32 or wider and the weights' gradients too; all that has the
    size of x stays in its dtype.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
        wide = torch.promote_types(x.dtype, torch.float32)
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=wide)
        scale = torch.rsqrt(length.square() / x.shape[-1] + eps).to(x.dtype)
        unit = x * scale
        ctx.save_for_backward(unit, scale, weight)
        return torch.addcmul(bias.to(x.dtype), unit, weight.to(x.dtype))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        unit, scale, weight = ctx.saved_tensors
        gradient = gradients[0].to(unit.dtype)
        narrow = weight.to(unit.dtype)
        product = gradient * unit
        along = (product @ narrow).unsqueeze(-1) / unit.shape[-1]
        to_x = torch.addcmul(gradient * narrow, unit, along, value=-1).mul_(scale)
        return to_x, total(product, weight.dtype), total(gradient, weight.dtype), None


def total(features: Tensor, dtype: torch.dtype) -> Tensor:
    """The sum of [..., C] over all but the last axis, added up in `dtype`."""
    return features.flatten(0, -2).sum(0, dtype=dtype)


class QuickUpBlock(DCUpBlock2d):
    """Nearest 2x upsampling and a 3x3 convolution in 4/9 of the products.

    After upsampling, a 3x3 kernel meets every pixel twice or four times: each of the four phases of
    the output is a 2x2 convolution of the input, with kernels that are sums of the 3x3 kernel's
    rows and columns. The shortcut is left apart: bfloat16 would round the weights that it joins.
    """

    def forward(self, hidden_states: Tensor) -> Tensor:
        """Features [B, I, H, W] to [B, O, 2 * H, 2 * W]."""
        if not self.training or not self.interpolate:
            return super().forward(hidden_states)
        kernels = phase_kernels(self.conv.weight)
        bias = self.conv.bias
        assert bias is not None
        phases = functional.conv2d(hidden_states, kernels, bias.repeat(4), padding=1)
        output = Interleave.apply(phases)
        if self.shortcut:
            repeated = hidden_states.repeat_interleave(self.repeats, dim=1)
            output = output + functional.pixel_shuffle(repeated, 2)
        return output


def phase_kernels(weight: Tensor) -> Tensor:
    """A kernel [O, I, 3, 3] over upsampled pixels -> [4 * O, I, 2, 2] over the pixels themselves.

    The phases come first, row by row: the even ones meet one row or column of the kernel and then
    two, the odd ones two and then one.
    """
    first, middle, last = weight.unbind(2)
    rows = (torch.stack([first, middle + last], 2), torch.stack([first + middle, last], 2))
    phases = []
    for kernel in rows:  # [O, I, 2, 3]
        left, centre, right = kernel.unbind(3)
        phases += [torch.stack([left, centre + right], 3), torch.stack([left + centre, right], 3)]
    return torch.cat(phases)


class Interleave(torch.autograd.Function):
    """Phases [B, 4 * O, H + 1, W + 1] of a picture -> the picture [B, O, 2 * H, 2 * W].

    An even row of the picture lies at its phase's row, an odd one at the row after.
    """

    @staticmethod
    def forward(ctx: Any, phases: Tensor) -> Tensor:
        batch, channels, rows, columns = phases.shape
        shape = (batch, channels // 4, 2 * (rows - 1), 2 * (columns - 1))
        picture = empty_like(phases, shape)
        for part, place in zip(*parts(phases, picture), strict=True):
            place.copy_(part)
        return picture

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        picture = gradients[0]
        batch, channels, rows, columns = picture.shape
        shape = (batch, 4 * channels, rows // 2 + 1, columns // 2 + 1)
        phases = empty_like(picture, shape).zero_()
        for part, place in zip(*parts(phases, picture), strict=True):
            part.copy_(place)
        return phases


def parts(phases: Tensor, picture: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Views of the four phases, and of the pixels that each of them gives to the picture."""
    height, width = (size - 1 for size in phases.shape[2:])
    corners = [(0, 0), (0, 1), (1, 0), (1, 1)]
    return (
        [
            phase[:, :, row : row + height, column : column + width]
            for phase, (row, column) in zip(phases.chunk(4, dim=1), corners, strict=True)
        ],
        [picture[:, :, row::2, column::2] for row, column in corners],
    )


def empty_like(features: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Of another shape, but the same dtype, device and memory format."""
    last = features.is_contiguous(memory_format=torch.channels_last)
    memory_format = torch.channels_last if last else torch.contiguous_format
    return torch.empty(
        shape, dtype=features.dtype, device=features.device, memory_format=memory_format
    )
