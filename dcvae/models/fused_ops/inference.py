"""Fused parts for inference alone, where weights may be rewritten."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from dcvae.models.backbone import DownBlock, RMSNorm, UpBlock
from dcvae.models.fused_ops.resampling import CORNERS, Interleave, phase_kernels


def fuse_for_inference(backbone: nn.Module) -> None:
    """Put fused parts in the places of the plain ones; weight norm must be folded in before."""
    fused: dict[type[nn.Module], Callable[[Any], nn.Module]]
    fused = {RMSNorm: ChannelNorm, DownBlock: fused_down_block, UpBlock: PhaseUpBlock}
    for part in list(backbone.modules()):
        for name, child in list(part.named_children()):
            if type(child) in fused:
                setattr(part, name, fused[type(child)](child))


class ChannelNorm(nn.Module):
    """RMS norm over the last axis with gain and bias (Zhang and Sennrich, 2019).

    The plain norm writes its input out in float32 and reads it again; here the sum of squares alone
    is float32, at a third of the time in bfloat16.
    """

    def __init__(self, norm: RMSNorm) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps

    def forward(self, features: Tensor) -> Tensor:
        """Features [..., C] to the same shape and dtype."""
        length = torch.linalg.vector_norm(features, dim=-1, keepdim=True, dtype=torch.float32)
        scale = torch.rsqrt(length.square() / features.shape[-1] + self.eps).to(features.dtype)
        return torch.addcmul(self.bias, features * scale, self.weight)


@torch.no_grad()
def fused_down_block(block: DownBlock) -> nn.Module:
    """The block's strided 3x3 convolution with its shortcut among the weights.

    The shortcut unshuffles 2x2 cells into channels c * 4 + row * 2 + column and averages groups of
    them: a cell's pixels lie under the kernel's lower right corner.
    """
    conv = block.conv
    if block.shortcut:
        pixel = torch.arange(4 * conv.in_channels)
        row, column = pixel % 4 // 2, pixel % 2
        conv.weight[pixel // block.group_size, pixel // 4, 1 + row, 1 + column] += (
            1 / block.group_size
        )
    return conv


class PhaseUpBlock(nn.Module):
    """FusedUpBlock with the shortcut as one more weight of each phase's kernel.

    The shortcut repeats channels and shuffles them into pixels.
    """

    @torch.no_grad()
    def __init__(self, block: UpBlock) -> None:
        super().__init__()
        kernels = phase_kernels(block.conv.weight).unflatten(0, (4, -1))  # [4, O, I, 2, 2]
        if block.shortcut:
            out = torch.arange(kernels.shape[1])
            for phase, (row, column) in enumerate(CORNERS):
                kernels[phase, out, (out * 4 + phase) // block.repeats, 1 - row, 1 - column] += 1
        self.weight = nn.Parameter(kernels.flatten(0, 1))  # [4 * O, I, 2, 2]
        assert block.conv.bias is not None
        self.bias = nn.Parameter(block.conv.bias.repeat(4))

    def forward(self, features: Tensor) -> Tensor:
        """Features [B, I, H, W] to [B, O, 2 * H, 2 * W]."""
        phases = functional.conv2d(features, self.weight, self.bias, padding=1)
        picture: Tensor = Interleave.apply(phases, None)
        return picture
