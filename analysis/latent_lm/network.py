"""The model of latents: a causal transformer over frames, with a flow-matching head.

Each latent frame, flattened to [D], is one token. What the transformer has seen of the frames
before conditions a small network that turns noise into the next frame, as in "Autoregressive
Image Generation without Vector Quantization" (Li et al., 2024). Only the three layers that read
or write frames depend on D. B sequences, L frames, W width, N noises a frame.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from analysis.latent_lm.flow_matching import Velocity, linear_velocity
from analysis.latent_lm.presets import NetworkSize


def rotate(x: Tensor) -> Tensor:
    """Rotary position embedding (Su et al., 2021) of queries or keys [B, heads, L, E]."""
    length, size = x.shape[-2:]
    rates = 10_000 ** (-torch.arange(0, size, 2, device=x.device) / size)
    angles = torch.arange(length, device=x.device)[:, None] * rates
    first, second = x.chunk(2, -1)
    cosine, sine = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], -1)


class Norm(nn.Module):
    """RMSNorm over the last dim, without weights: the layer that follows has its own."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.rms_norm(x, x.shape[-1:], eps=1e-6)


class Block(nn.Module):
    """Causal attention, then a network on each frame; both add to [B, L, W], at first nothing."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = Norm()
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.mix = nn.Linear(width, width, bias=False)
        self.expand = nn.Linear(width, 4 * width, bias=False)
        self.contract = nn.Linear(4 * width, width, bias=False)
        nn.init.zeros_(self.mix.weight)
        nn.init.zeros_(self.contract.weight)

    def forward(self, x: Tensor) -> Tensor:
        split = self.qkv(self.norm(x)).unflatten(-1, (3, self.heads, -1))
        query, key, value = split.permute(2, 0, 3, 1, 4)  # [B, heads, L, W / heads] each
        attended = functional.scaled_dot_product_attention(
            rotate(query), rotate(key), value, is_causal=True
        )
        x = x + self.mix(attended.transpose(1, 2).flatten(-2))
        return x + self.contract(functional.gelu(self.expand(self.norm(x))))


class HeadBlock(nn.Module):
    """A residual layer whose scale, shift and gate the condition sets (adaLN; Peebles, 2023)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = Norm()
        self.modulate = nn.Linear(width, 3 * width)
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)
        nn.init.zeros_(self.modulate.weight)
        nn.init.zeros_(self.modulate.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        scale, shift, gate = self.modulate(condition).chunk(3, -1)
        hidden = functional.silu(self.first(self.norm(x) * (1 + scale) + shift))
        return x + gate * self.second(hidden)


class FlowHead(nn.Module):
    """The velocity of one frame's flow, given what the transformer knows of it.

    It corrects the best linear velocity of standardised data, which it equals before training:
    the loss starts at pi / 2 a dim, what mean and variance alone give, and falls by what is
    learned.
    """

    def __init__(self, dims: int, width: int, layers: int) -> None:
        super().__init__()
        self.enter = nn.Linear(dims, width)
        self.time = nn.Sequential(
            nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width, bias=False)
        )
        self.blocks = nn.ModuleList(HeadBlock(width) for _ in range(layers))
        self.norm = Norm()
        self.leave = nn.Linear(width, dims)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, noisy: Tensor, times: Tensor, known: Tensor) -> Tensor:
        """x_t [..., D], t [..., 1] and the transformer's output [..., W] -> velocity [..., D]."""
        condition = functional.silu(known + self.time(waves(times, known.shape[-1])))
        x = self.enter(noisy)
        for block in self.blocks:
            x = block(x, condition)
        return self.leave(self.norm(x)).float() + linear_velocity(noisy, times)


def waves(times: Tensor, width: int) -> Tensor:
    """Times from 0 to 1, [..., 1], as cosines and sines of 1 to 1,000 radians: [..., width]."""
    rates = torch.logspace(0, 3, width // 2, device=times.device)
    return torch.cat([(times * rates).cos(), (times * rates).sin()], -1)


class LatentTransformer(nn.Module):
    """Frames [B, L, D] -> for each frame, what the frames before it tell: [B, L, W]."""

    def __init__(self, dims: int, size: NetworkSize) -> None:
        super().__init__()
        self.dims = dims
        self.start = nn.Parameter(torch.zeros(size.width))  # stands before the first frame
        self.enter = nn.Linear(dims, size.width)
        self.blocks = nn.ModuleList(Block(size.width, size.heads) for _ in range(size.layers))
        self.norm = Norm()
        self.leave = nn.Linear(size.width, size.width)
        self.head = FlowHead(dims, size.width, size.head_layers)

    def forward(self, frames: Tensor) -> Tensor:
        """Causal: output i depends on frames 0 to i - 1. L + 1 outputs: the last is of the next."""
        start = self.start.expand(len(frames), 1, -1)
        x = torch.cat([start, self.enter(frames)], 1)
        for block in self.blocks:
            x = block(x)
        return self.leave(self.norm(x))

    def given(self, frames: Tensor) -> Velocity:
        """The velocity of every frame of [B, L, D], each given the frames before it."""
        known = self(frames)[:, :-1]
        return lambda noisy, times: self.head(noisy, times, known)

    def next(self, frames: Tensor) -> Velocity:
        """The velocity of the frame that comes after [B, L, D]."""
        known = self(frames)[:, -1]
        return lambda noisy, times: self.head(noisy, times, known)
