"""The weighted sum that is trained: one dict of terms is both objective and log."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dcvae import Reconstruction
from dcvae.models.losses import DispersiveForm, dispersive_loss, kl_divergence, reconstruction_loss
from experiments.training.distributed import gather_rows


@dataclass(frozen=True)
class Term:
    """A loss's section of the configuration; a stray key in it is a TypeError."""

    weight: float


@dataclass(frozen=True)
class DispersiveTerm(Term):
    form: DispersiveForm
    temperature: float


class Objective:
    """Which terms count, and how much."""

    def __init__(
        self,
        *,
        reconstruction: dict[str, Any],
        dispersive: dict[str, Any],
        kl: dict[str, Any],
        adversarial: dict[str, Any],
        feature_matching: dict[str, Any],
        gather: Callable[[Tensor], Tensor] = gather_rows,
    ) -> None:
        """`gather` brings the latents of all processes together: each clip repels every other."""
        self.gather = gather
        self.dispersive = DispersiveTerm(**dispersive)
        self.weights = {
            "reconstruction": Term(**reconstruction).weight,
            "dispersive": self.dispersive.weight,
            "kl": Term(**kl).weight,
            "adversarial": Term(**adversarial).weight,
            "feature_matching": Term(**feature_matching).weight,
        }

    def terms(self, mel: Tensor, output: Reconstruction) -> dict[str, Tensor]:
        """The autoencoder's own terms for log-mel [B, M, F]; the critics add theirs.

        A batch of one clip has no pairs, and no dispersive term.
        """
        latent = output.latent
        terms = {"reconstruction": reconstruction_loss(output.mel, mel)}
        clips = self.gather(latent.clean)
        if len(clips) > 1:
            terms["dispersive"] = dispersive_loss(
                clips, self.dispersive.form, self.dispersive.temperature
            )
        if latent.log_variance is not None:
            terms["kl"] = kl_divergence(latent.clean, latent.log_variance)
        return terms

    def total(self, terms: dict[str, Tensor]) -> Tensor:
        """sum(weight * term); a term of weight 0 is measured but left out, for 0 x NaN is NaN."""
        counted = [self.weights[name] * term for name, term in terms.items() if self.weights[name]]
        if not counted:
            raise ValueError("every loss has weight 0: there is nothing to train on")
        return torch.stack(counted).sum()
