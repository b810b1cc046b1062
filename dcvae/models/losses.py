"""Losses as pure functions of tensors: each returns one scalar in float32."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional

DispersiveForm = Literal["cosine", "infonce_l2"]


def reconstruction_loss(mel: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error between log-mels [B, M, F], in natural-log units."""
    return functional.l1_loss(mel.float(), target.float())


def dispersive_loss(latents: Tensor, form: DispersiveForm, temperature: float) -> Tensor:
    """Repulsion between the clips of a batch, without positive pairs: latents [B, ...].

    - cosine: the mean squared cosine over pairs of different clips (DC-Speech-VAE). In [0, 1].
    - infonce_l2: log of the mean over all ordered pairs, each clip with itself included, of
      exp(-D / temperature), D the squared distance divided by the dimension count, so that it
      does not depend on the latent's size (Dispersive Loss, arXiv 2506.09027, InfoNCE-L2).
    """
    if form not in get_args(DispersiveForm):
        raise ValueError(f"form must be one of {', '.join(get_args(DispersiveForm))}, not {form}")
    flat = latents.float().flatten(1)  # [B, D]
    if form == "infonce_l2":
        squares = flat.square().sum(dim=1)
        distances = (squares[:, None] + squares - 2 * flat @ flat.T).clamp(min=0) / flat.shape[1]
        return torch.exp(-distances / temperature).mean().log()
    unit = functional.normalize(flat, dim=1)
    cosines = unit @ unit.T
    off_diagonal = ~torch.eye(len(flat), dtype=torch.bool, device=flat.device)
    return cosines[off_diagonal].square().mean()


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) || N(0, 1)) in nats, averaged over every latent float."""
    mean, log_variance = mean.float(), log_variance.float()
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()


def generator_loss(logits: Sequence[Tensor]) -> Tensor:
    """Least-squares GAN (Mao et al., 2017): the sum over critics of mean (1 - D(fake))^2."""
    return torch.stack([(1 - fake.float()).square().mean() for fake in logits]).sum()


def discriminator_loss(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """Least-squares GAN: the sum over critics of mean (1 - D(real))^2 + mean D(fake)^2."""
    return generator_loss(real) + torch.stack([one.float().square().mean() for one in fake]).sum()


def feature_matching_loss(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """The sum over the critics' feature maps of their mean absolute difference.

    Maps of one shape come as stacks [S, ...]; the real ones get no gradient.
    """
    pairs = zip(real, fake, strict=True)
    return torch.stack([len(f) * MeanDifference.apply(f, r) for r, f in pairs]).sum()


class MeanDifference(torch.autograd.Function):
    """The mean of |fake - real| in float32; its gradient needs no more than the difference."""

    @staticmethod
    def forward(ctx: Any, fake: Tensor, real: Tensor) -> Tensor:
        difference = fake - real
        ctx.save_for_backward(difference)
        return difference.to(torch.float32, copy=True).abs_().mean()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (difference,) = ctx.saved_tensors
        return difference.sign().mul_(gradients[0] / difference.numel()), None
