"""A generator's own errors: held-out frames drawn by the model of latents, from true history."""

import torch
from torch import Tensor

from analysis.latent_lm.flow_matching import integrate
from analysis.latent_lm.network import LatentTransformer


@torch.no_grad()
def draw_frames(
    network: LatentTransformer, frames: Tensor, noise: Tensor, run: int, solver_steps: int
) -> Tensor:
    """Every frame of a clip [L, D] drawn anew, from noise [L, D], by the model that continues it.

    The clip is cut into runs of `run` frames. Each run begins from the true frames before it, and
    within it each frame follows those drawn: with 1 every frame is drawn given true history, with
    more the errors add up as they do when the model runs freely. All runs are drawn side by side.
    """
    device = network.start.device
    starts = torch.arange(0, len(frames), run)
    histories = frames.expand(len(starts), -1, -1).clone().to(device)
    for number in range(run):
        places = starts + number
        inside = places < len(frames)
        rows, places = torch.arange(len(starts))[inside], places[inside]
        if not len(rows):
            break
        known = network(histories[rows])[torch.arange(len(rows)), places]

        def velocity(noisy: Tensor, times: Tensor, known: Tensor = known) -> Tensor:
            return network.head(noisy, times, known)

        histories[rows, places] = integrate(velocity, noise[places].to(device), solver_steps)
    runs = torch.arange(len(frames)) // run
    return histories[runs, torch.arange(len(frames))].cpu()
