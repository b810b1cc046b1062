"""The critics and their optimizer as one object, with a step for each side."""

from collections.abc import Callable, Sequence

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn.utils.parametrize import cached
from torch.optim import Optimizer

from dcvae.models.discriminators import DiscriminatorOutput
from dcvae.models.losses import discriminator_loss, feature_matching_loss, generator_loss
from experiments.training.optimizers import match_precision


class Discriminators(nn.ModuleList):
    """Several critics that are called as one."""

    def forward(self, mel: Tensor) -> list[DiscriminatorOutput]:
        """Log-mel [B, M, F] -> a judgement of each critic."""
        return [critic(mel) for critic in self]


class Adversary:
    """Learns to tell real mel from reconstructed mel, and judges reconstructions.

    `start_fraction` is the share of the run after which it takes part: a reconstruction that is
    still blurred teaches the critics nothing, and they are the costly part of a step.
    """

    def __init__(
        self,
        *,
        patch: nn.Module | None,
        bands: nn.Module | None,
        optimizer: Callable[[Sequence[nn.Module]], list[Optimizer]],
        start_fraction: float,
    ) -> None:
        critics = [critic for critic in (patch, bands) if critic is not None]
        if not critics:
            raise ValueError("an adversary needs a critic: to train without any, adversary=null")
        if not 0 <= start_fraction <= 1:
            raise ValueError(
                f"adversary.start_fraction is a share of the run from 0 to 1, not {start_fraction}"
            )
        self.critics: nn.Module = Discriminators(critics)
        self.optimizers = optimizer([self.critics])
        self.start_fraction = start_fraction

    def prepare(self, accelerator: Accelerator) -> None:
        """Move to the device. Contiguous: grouped convolutions lose by channels_last."""
        self.accelerator = accelerator
        match_precision(self.optimizers, accelerator.mixed_precision)
        self.critics, *self.optimizers = accelerator.prepare(self.critics, *self.optimizers)

    def discriminator_step(
        self, real: Tensor, fake: Tensor, max_grad_norm: float
    ) -> dict[str, Tensor]:
        """Take one step towards telling real from fake, both [B, M, F] without gradient.

        Where batches accumulate the step is that of the last one; the others add their gradient.
        """
        with self.accelerator.autocast():
            outputs = self.critics(torch.cat([real, fake]))
        of_real, of_fake = zip(*(one.logits.chunk(2) for one in outputs), strict=True)
        loss = discriminator_loss(of_real, of_fake)
        self.accelerator.backward(loss)
        if self.accelerator.sync_gradients:
            self.accelerator.clip_grad_norm_(self.critics.parameters(), max_grad_norm)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad()
        return {"critic": loss.detach()}

    def generator_losses(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """The generator's terms; frozen critics pass gradient on to `fake` and keep none."""
        # without DDP, which would go on to expect gradients for the critics
        critics = self.accelerator.unwrap_model(self.critics).requires_grad_(False)
        with self.accelerator.autocast(), cached():  # weights are normed once for both
            with torch.no_grad():
                judged_real = critics(real)
            judged_fake = critics(fake)
        critics.requires_grad_(True)
        return {
            "adversarial": generator_loss([one.logits for one in judged_fake]),
            "feature_matching": feature_matching_loss(
                [feature for one in judged_real for feature in one.features],
                [feature for one in judged_fake for feature in one.features],
            ),
        }
