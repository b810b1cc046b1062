"""The published recipe's way of a step, as a reference to measure against; nothing trains with it.

Float32 (TF32 where a GPU has it) in the contiguous layout, weight norm on every convolution, mel
clip by clip as a worker makes it, ten stacks of convolutions for ten bands, critics that keep a
gradient in the generator's step, and real features with gradient. Muon and AdamW go parameter by
parameter. What it computes is what our trainer computes: the losses of a step are equal.
"""

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm
from torch.nn.utils.parametrize import is_parametrized
from torch.optim import AdamW, Optimizer

from dcvae import LogMel, SpeechAutoencoder
from dcvae.models.discriminators import (
    SLOPE,
    DiscriminatorOutput,
    MultiBandDiscriminator,
    PatchDiscriminator,
)
from dcvae.models.losses import discriminator_loss, generator_loss
from dcvae.utils.muon import NEWTON_SCHULZ, Muon
from experiments.training.objective import Objective


class BandLoop(nn.Module):
    """A multi-band critic's function, one small stack of convolutions after the other."""

    def __init__(self, grouped: MultiBandDiscriminator) -> None:
        super().__init__()
        stacks = [nn.ModuleList() for _ in range(grouped.bands)]
        for layer in grouped.layers:
            assert isinstance(layer, nn.Conv2d)
            assert layer.bias is not None
            weights, biases = (one.chunk(grouped.bands) for one in (layer.weight, layer.bias))
            for stack, weight, bias in zip(stacks, weights, biases, strict=True):
                conv = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1)
                conv.load_state_dict({"weight": weight, "bias": bias})
                stack.append(weight_norm(conv))
        self.stacks, self.output = nn.ModuleList(stacks), grouped.output

    def forward(self, mel: Tensor) -> DiscriminatorOutput:
        outputs, features = [], []
        bands = mel.unsqueeze(1).chunk(len(self.stacks), dim=2)
        for stack, band in zip(self.stacks, bands, strict=True):
            assert isinstance(stack, nn.ModuleList)
            hidden = band
            for layer in stack:
                hidden = functional.leaky_relu(layer(hidden), SLOPE)
                features.append(hidden)
            outputs.append(hidden)
        logits = self.output(torch.cat(outputs, dim=2))
        depth = len(features) // len(self.stacks)
        later = [one for number, one in enumerate(features) if number % depth]
        return DiscriminatorOutput(logits, [*later, logits])


class ContiguousPatch(nn.Module):
    """A patch critic's function in the contiguous layout."""

    def __init__(self, patch: nn.Module) -> None:
        super().__init__()
        assert isinstance(patch, PatchDiscriminator)
        self.layers, self.output = patch.layers, patch.output

    def forward(self, mel: Tensor) -> DiscriminatorOutput:
        hidden, features = mel.unsqueeze(1), []
        for layer in self.layers:
            hidden = functional.leaky_relu(layer(hidden), SLOPE)
            features.append(hidden)
        logits = self.output(hidden)
        return DiscriminatorOutput(logits, [*features[1:], logits])


class PlainMuon(Muon):
    """Muon one parameter at a time, its iterations written out, always in bfloat16."""

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                assert parameter.grad is not None
                momentum = self.state[parameter].setdefault(
                    "momentum", torch.zeros_like(parameter.grad)
                )
                momentum.lerp_(parameter.grad, 1 - group["momentum"])
                direction = parameter.grad.lerp(momentum, group["momentum"])
                matrix = newton_schulz(direction.flatten(1), group["bfloat16"])
                size = group["lr"] * group["scale"] * max(matrix.shape) ** 0.5
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(matrix.view_as(parameter), alpha=-size)


def newton_schulz(matrix: Tensor, bfloat16: bool) -> Tensor:
    a, b, c = NEWTON_SCHULZ
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if tall else matrix).to(torch.bfloat16 if bfloat16 else torch.float32)
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(5):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x


class PublishedStep:
    """A step of autoencoder and critics; the parts are its own, with the weights of those given."""

    def __init__(
        self,
        model: SpeechAutoencoder,
        patch: nn.Module,
        bands: MultiBandDiscriminator,
        objective: Objective,
        optimizer: Callable[[list[nn.Module]], list[Optimizer]],
        critic_optimizer: Callable[[list[nn.Module]], list[Optimizer]],
        max_grad_norm: float,
    ) -> None:
        """The factories make the optimizers whose plain counterparts take the steps."""
        device = next(model.parameters()).device
        self.mel = LogMel().to(device)
        self.model = weight_normed(model).to(device)
        critics = [ContiguousPatch(deepcopy(patch)), BandLoop(deepcopy(bands))]
        self.critics = nn.ModuleList(critics).to(device)
        self.objective, self.max_grad_norm = objective, max_grad_norm
        self.optimizers = [plain(one) for one in optimizer([self.model])]
        self.critic_optimizers = [plain(one) for one in critic_optimizer([self.critics])]

    def __call__(self, wave: Tensor) -> dict[str, Tensor]:
        """Waves [B, T] -> the step's terms."""
        mel = torch.cat([self.mel(clip[None]) for clip in wave])
        output = self.model(mel)
        terms = self.objective.terms(mel, output)
        critic = self.discriminator_step(mel, output.mel.detach())
        real, fake = self.discriminate(mel), self.discriminate(output.mel)
        terms["adversarial"] = generator_loss([one.logits for one in fake])
        differences = [
            functional.l1_loss(of_fake, of_real)
            for judged_real, judged_fake in zip(real, fake, strict=True)
            for of_real, of_fake in zip(judged_real.features, judged_fake.features, strict=True)
        ]
        terms["feature_matching"] = torch.stack(differences).sum()
        loss = self.objective.total(terms)
        loss.backward()
        self.take(self.model, self.optimizers)
        for optimizer in self.critic_optimizers:  # what judging left there
            optimizer.zero_grad()
        return {"loss": loss, **terms, "critic": critic}

    def discriminator_step(self, real: Tensor, fake: Tensor) -> Tensor:
        loss = discriminator_loss(
            [one.logits for one in self.discriminate(real)],
            [one.logits for one in self.discriminate(fake)],
        )
        loss.backward()
        self.take(self.critics, self.critic_optimizers)
        return loss.detach()

    def discriminate(self, mel: Tensor) -> list[DiscriminatorOutput]:
        return [critic(mel) for critic in self.critics]

    def take(self, module: nn.Module, optimizers: list[Optimizer]) -> None:
        nn.utils.clip_grad_norm_(module.parameters(), self.max_grad_norm)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()


def weight_normed(model: SpeechAutoencoder) -> SpeechAutoencoder:
    """The same function with a gain and a direction for each filter, as far as it has none."""
    with torch.random.fork_rng():
        other = SpeechAutoencoder(**model.config)
    other.load_state_dict(model.state_dict())
    for part in other.modules():
        if isinstance(part, nn.Conv2d) and not is_parametrized(part):
            weight_norm(part)
    return other


def plain(optimizer: Optimizer) -> Optimizer:
    """Its counterpart for the same parameters, without fused or batched steps."""
    (group,) = optimizer.param_groups
    if isinstance(optimizer, Muon):
        options = {name: group[name] for name in ("lr", "momentum", "weight_decay", "scale")}
        return PlainMuon(group["params"], **options)
    options = {name: group[name] for name in ("lr", "betas", "weight_decay")}
    return AdamW(group["params"], foreach=False, fused=False, **options)
