"""Training the model of latents: every run gets the same steps, on as much speech each."""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from analysis.latent_lm.data import draw_batches, pad
from analysis.latent_lm.flow_matching import flow_error
from analysis.latent_lm.network import LatentTransformer
from analysis.latent_lm.presets import Preset
from analysis.metrics.score import Array, Unmeasurable
from dcvae.utils.muon import Muon

Weights = dict[str, Array]  # a network's parameters by name

BETAS = (0.9, 0.95)
WEIGHT_DECAY = 0.01
CLIP_NORM = 1.0
CLIP_SECONDS = 4.0  # of the clips on which operations are counted
AVERAGED = 0.1  # of the steps so far, over which the weights are averaged


def build_network(dims: int, seed: int, preset: Preset) -> LatentTransformer:
    """The untrained model; the seed alone decides its weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LatentTransformer(dims, preset.network)


def weights_of(network: LatentTransformer) -> Weights:
    """A copy of the parameters, on the CPU."""
    return {name: value.numpy(force=True).copy() for name, value in network.state_dict().items()}


def restore_network(
    weights: Weights, dims: int, preset: Preset, device: torch.device
) -> LatentTransformer:
    """The model with these parameters, which are not trained any more."""
    network = LatentTransformer(dims, preset.network)
    network.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    return network.requires_grad_(False).to(device)


def train(
    sequences: Sequence[Tensor],
    frames_per_second: float,
    seed: int,
    preset: Preset,
    device: torch.device,
) -> Iterator[tuple[int, LatentTransformer]]:
    """Train on frames [L, D] each; yields the steps of the curve and the weights.

    The seed decides the first weights, the order of clips and the noise. The rate is constant and
    what is yielded is the average of the weights of about the last tenth of the steps, so that each
    point of the curve is nearly where a budget of so many steps would have ended. Unmeasurable if
    there is less speech than a batch takes, or if the loss is not finite any more.
    """
    batch_frames = math.ceil(preset.batch_seconds * frames_per_second)
    if sum(map(len, sequences)) < batch_frames:
        speech = sum(map(len, sequences)) / frames_per_second
        raise Unmeasurable(
            f"the training split has {speech:.0f} s of speech, a batch takes"
            f" {preset.batch_seconds:.0f} s"
        )
    network = build_network(sequences[0].shape[1], seed, preset).to(device)
    average = copy.deepcopy(network).requires_grad_(False)
    optimizers = build_optimizers(network, preset.learning_rate)
    generator = torch.Generator().manual_seed(seed)
    batches = draw_batches([len(one) for one in sequences], batch_frames, generator)
    if 0 in preset.curve:
        yield 0, average
    steps = range(1, preset.steps + 1)
    with tqdm(steps, "training", unit="step", disable=None, leave=False) as bar:
        for step in bar:
            rate = preset.learning_rate * min(1, step / preset.warmup)
            batch = [sequences[number] for number in next(batches)]
            loss = train_step(network, optimizers, rate, batch, preset.draws, generator)
            if not math.isfinite(loss):
                raise Unmeasurable(f"the training loss was {loss} at step {step}")
            update_average(average, network, step)
            if step in preset.curve or step == preset.steps:
                yield step, average


def build_optimizers(network: LatentTransformer, rate: float) -> list[Optimizer]:
    """Muon (Jordan et al., 2024) for the blocks' matrices, AdamW for what is left.

    Muon learns in half the steps of AdamW here; scaled to AdamW's step, one rate serves both. It
    iterates in float32: matrices are small, and many a processor only imitates bfloat16.
    """
    blocks = [network.blocks, network.head.blocks]
    matrices = [weight for block in blocks for weight in block.parameters() if weight.ndim == 2]
    chosen = {id(weight) for weight in matrices}
    rest = [weight for weight in network.parameters() if id(weight) not in chosen]
    muon = Muon(matrices, rate, weight_decay=WEIGHT_DECAY, bfloat16=False)
    return [muon, AdamW(rest, rate, betas=BETAS, weight_decay=WEIGHT_DECAY, fused=True)]


def train_step(
    network: LatentTransformer,
    optimizers: Sequence[Optimizer],
    rate: float,
    batch: Sequence[Tensor],
    draws: int,
    generator: torch.Generator,
) -> float:
    """One step on frames [L, D] each; the loss a dim of a frame, before it."""
    loss = batch_loss(network, batch, draws, generator)
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), CLIP_NORM)
    for optimizer in optimizers:
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        optimizer.zero_grad()
    return float(loss.detach())


def batch_loss(
    network: LatentTransformer, batch: Sequence[Tensor], draws: int, generator: torch.Generator
) -> Tensor:
    """The loss of frames [L, D] each, a dim of a frame.

    Times are stratified: each of a frame's draws comes from its own equal part of 0 to 1.
    """
    frames, real = pad(batch)
    noise = torch.randn(draws, *frames.shape, generator=generator)
    uniform = torch.rand(draws, *frames.shape[:-1], 1, generator=generator)
    times = (torch.arange(draws).view(-1, 1, 1, 1) + uniform) / draws
    frames, real, noise, times = (x.to(network.start.device) for x in (frames, real, noise, times))
    with fast_arithmetic(frames.device):
        error = flow_error(network.given(frames), frames, noise, times)
    return error[:, real].mean() / frames.shape[-1]


def count_flops(network: LatentTransformer, frames_per_second: float, preset: Preset) -> float:
    """Floating-point operations of one training step, forward and backward.

    Counted on a batch of clips of CLIP_SECONDS: how long clips are changes only the small share of
    attention among them. The optimizer's own are left out.
    """
    length = max(1, round(CLIP_SECONDS * frames_per_second))
    clips = max(1, round(preset.batch_seconds / CLIP_SECONDS))
    batch = list(torch.zeros(clips, length, network.dims))
    counted = copy.deepcopy(network).requires_grad_()
    with FlopCounterMode(display=False) as counter:
        batch_loss(counted, batch, preset.draws, torch.Generator()).backward()
    return float(counter.get_total_flops())


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, step: int) -> None:
    """Move the averaged weights by 1 / (1 + AVERAGED * step) of the way to the network's."""
    weight = 1 / (1 + AVERAGED * step)
    for mean, parameter in zip(average.parameters(), network.parameters(), strict=True):
        mean.lerp_(parameter, weight)


def fast_arithmetic(device: torch.device) -> AbstractContextManager[None]:
    """bfloat16 where the device multiplies it itself: twice as fast, and the loss is the same."""
    able = device.type == "cuda" and torch.cuda.is_bf16_supported()
    if device.type == "cpu":
        ask: Callable[[], dict[str, Any]] = getattr(torch.cpu, "get_capabilities", dict)
        found = ask()  # nothing before torch 2.12
        able = any(found.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    return torch.autocast(device.type, torch.bfloat16, enabled=able)
