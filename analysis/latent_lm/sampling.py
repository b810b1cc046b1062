"""Continuing held-out prompts: the model of latents draws what comes next, frame by frame."""

import torch
from torch import Tensor

from analysis.latent_lm.flow_matching import integrate
from analysis.latent_lm.network import LatentTransformer


@torch.no_grad()
def continue_frames(
    network: LatentTransformer, prompts: Tensor, noise: Tensor, solver_steps: int
) -> Tensor:
    """Standardised prompts [B, P, D] and noise [B, N, D] -> prompts and what follows [B, P+N, D].

    Each new frame is the end of its flow from its own noise, given all frames before it.
    """
    device = network.start.device
    frames = prompts.to(device)
    for number in range(noise.shape[1]):
        drawn = integrate(network.next(frames), noise[:, number].to(device), solver_steps)
        frames = torch.cat([frames, drawn[:, None]], 1)
    return frames.cpu()
