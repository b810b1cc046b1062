"""Fused parts for training: weights stay as they are, by name and by value.

A part in eval mode is the plain one.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from dcvae.models.backbone import DownBlock, RMSNorm, UpBlock
from dcvae.models.fused_ops.resampling import Average, Interleave, is_simple, phase_kernels


def fuse_for_training(backbone: nn.Module) -> None:
    """Let each part of a backbone take the shorter way in training, in place."""
    fused: dict[type[nn.Module], type[nn.Module]] = {
        RMSNorm: FusedRMSNorm,
        DownBlock: FusedDownBlock,
        UpBlock: FusedUpBlock,
    }
    for part in backbone.modules():
        if type(part) in fused:
            part.__class__ = fused[type(part)]


class FusedRMSNorm(RMSNorm):
    """RMS norm over the last axis; the plain one goes through float32 in several passes."""

    def forward(self, features: Tensor) -> Tensor:
        """Features [..., C] to the same shape and dtype."""
        if not self.training:
            return super().forward(features)
        return RMSNormFunction.apply(features, self.weight, self.bias, self.eps)


class RMSNormFunction(torch.autograd.Function):
    """y = x / rms(x) * weight + bias over the last axis (Zhang and Sennrich, 2019).

    Sums are taken in float32 or wider and kept in the dtype of x, as is all that has its size.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
        wide = torch.promote_types(x.dtype, torch.float32)
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True).to(wide)
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
        to_weight, to_bias = total(product, weight.dtype), total(gradient, weight.dtype)
        to_x = torch.mul(gradient, narrow, out=product)
        to_x.addcmul_(unit, along, value=-1).mul_(scale)
        return to_x, to_weight, to_bias, None


class FusedUpBlock(UpBlock):
    """Nearest 2x upsampling and a 3x3 convolution in 4/9 of the products.

    After upsampling, a 3x3 kernel meets every pixel twice or four times: each of the four phases of
    the output is a 2x2 convolution of the input, with kernels that are sums of the 3x3 kernel's
    rows and columns. The shortcut is left apart: bfloat16 would round the weights that it joins.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Features [B, I, H, W] to [B, O, 2 * H, 2 * W]."""
        simple = not self.shortcut or is_simple(self.repeats)
        if not (self.training and simple):
            return super().forward(features)
        kernels, bias = phase_kernels(self.conv.weight), self.conv.bias
        assert bias is not None
        phases = functional.conv2d(features, kernels, bias.repeat(4), padding=1)
        return Interleave.apply(phases, features if self.shortcut else None)


class FusedDownBlock(DownBlock):
    """A strided convolution beside the shortcut's means, without unshuffled pixels in between."""

    def forward(self, features: Tensor) -> Tensor:
        """Features [B, I, 2 * H, 2 * W] to [B, O, H, W]."""
        if not (self.training and self.shortcut and is_simple(self.group_size)):
            return super().forward(features)
        return self.conv(features) + Average.apply(features, self.group_size)


def total(features: Tensor, dtype: torch.dtype) -> Tensor:
    """The sum of [..., C] over all but the last axis, in `dtype`.

    A product with ones adds up in float32 and reads the features once.
    """
    rows = features.flatten(0, -2)
    return (rows.new_ones(1, len(rows)) @ rows)[0].to(dtype)
