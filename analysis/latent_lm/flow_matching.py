"""Flow matching on vectors [..., D]: the path, its loss, Euler's solver, the Gaussian case.

Source: Lipman et al., "Flow Matching for Generative Modeling" (2023), with the straight path of
rectified flow (Liu et al., 2023): x_t = (1 - t) noise + t x, whose velocity is x - noise.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Velocity = Callable[[Tensor, Tensor], Tensor]  # x_t [..., D], t [..., 1] -> velocity [..., D]


def flow_error(velocity: Velocity, data: Tensor, noise: Tensor, times: Tensor) -> Tensor:
    """Squared error of the velocity, summed over dims: [..., D], [..., D], [..., 1] -> [...].

    Its least expected value for Gaussian data of covariance eigenvalues l_i is, over uniform
    times, (pi / 2) sum_i sqrt(l_i).
    """
    noisy = (1 - times) * noise + times * data
    return (velocity(noisy, times) - (data - noise)).square().sum(-1)


def linear_velocity(noisy: Tensor, times: Tensor, variance: Tensor | float = 1.0) -> Tensor:
    """The best linear estimate of x - noise from x_t, for x of mean 0 and this variance by dim.

    Cov(x - noise, x_t) / Var(x_t) times x_t; no other is better where x is Gaussian. At variance
    1 its error is the integral over t of 1 / ((1 - t)^2 + t^2), pi / 2, whatever x is like.
    """
    slope = times * variance - (1 - times)
    return slope / (times.square() * variance + (1 - times).square()) * noisy


def integrate(velocity: Velocity, noise: Tensor, steps: int) -> Tensor:
    """Noise [..., D] to samples [..., D]: Euler's method from t = 0 to 1 in equal steps."""
    sample = noise
    for step in range(steps):
        times = noise.new_full((*noise.shape[:-1], 1), step / steps)
        sample = sample + velocity(sample, times) / steps
    return sample


class Gaussian:
    """The model without context: each frame is drawn from one Gaussian, whatever came before."""

    def __init__(self, sequences: Sequence[Tensor]) -> None:
        """Fitted to frames [L, D] each: their mean and covariance."""
        count = sum(map(len, sequences))
        mean = torch.stack([frames.double().sum(0) for frames in sequences]).sum(0) / count
        total = torch.zeros(len(mean), len(mean), dtype=torch.float64)
        for frames in sequences:
            centred = frames - mean
            total += centred.T @ centred
        variances, axes = torch.linalg.eigh(total / count)
        self.mean = mean.float()
        self.variances, self.axes = variances.clamp(min=0).float(), axes.float()

    def velocity(self, noisy: Tensor, times: Tensor) -> Tensor:
        """The best velocity for this Gaussian, along the axes of its covariance."""
        centred = (noisy - times * self.mean) @ self.axes
        return linear_velocity(centred, times, self.variances) @ self.axes.T + self.mean

    def given(self, frames: Tensor) -> Velocity:
        """The velocity of every frame of [B, L, D]: the frames before it change nothing."""
        return self.velocity

    def sample(self, noise: Tensor) -> Tensor:
        """Standard normal noise [..., D] to frames [..., D]."""
        return (noise * self.variances.sqrt()) @ self.axes.T + self.mean
