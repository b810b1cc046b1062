"""Muon for filters, AdamW for the rest, and one learning-rate schedule."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # quintic coefficients of Muon's authors


def orthogonalise(matrix: Tensor, iterations: int = 5, *, bfloat16: bool = True) -> Tensor:
    """Push the singular values of [rows, columns] towards 1 by Newton-Schulz.

    Its authors' bfloat16 makes 4e-3 of a difference of rounding; float32 keeps it small.

    Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024).
    """
    a, b, c = NEWTON_SCHULZ
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if tall else matrix).to(torch.bfloat16 if bfloat16 else torch.float32)
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(iterations):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x


class Muon(Optimizer):
    """Nesterov momentum whose update is orthogonalised; filters count as [out, rest] matrices.

    The step is lr * scale * sqrt(max(out, rest)). A scale of 0.2 gives it AdamW's size, so that
    one learning rate serves both (arXiv 2502.16982); DC-Speech-VAE was trained with 1.0. Weight
    decay is decoupled.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        scale: float = 0.2,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "scale": scale}
        super().__init__(params, defaults | {"bfloat16": True})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self.update(parameter, group)

    def update(self, parameter: nn.Parameter, group: dict[str, Any]) -> None:
        gradient = parameter.grad
        assert gradient is not None
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(gradient)
        momentum = state["momentum"].lerp_(gradient, 1 - group["momentum"])
        direction = gradient.lerp(momentum, group["momentum"])
        matrix = orthogonalise(direction.flatten(1), bfloat16=group["bfloat16"])
        size = group["lr"] * group["scale"] * math.sqrt(max(matrix.shape))
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(matrix.view_as(direction), alpha=-size)


def is_filter(parameter: nn.Parameter) -> bool:
    """Two or more dims that mix inputs: no biases, norms' scales or weight-norm gains."""
    return parameter.ndim >= 2 and parameter[0].numel() > 1


def build_optimizers(
    modules: Iterable[nn.Module],
    *,
    lr: float,
    muon: bool,
    muon_gains: bool,
    muon_scale: float,
    momentum: float,
    betas: tuple[float, float],
    weight_decay: float,
) -> list[Optimizer]:
    """Muon for the filters if `muon`, and AdamW for all that is left.

    With `muon_gains` weight norm's gains [out, 1, 1, 1] go to Muon too, as [out, 1] matrices:
    whatever has two dims or more, as DC-Speech-VAE was trained.
    """
    parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
    filters = [p for p in parameters if muon and (is_filter(p) or (muon_gains and p.ndim >= 2))]
    chosen = {id(p) for p in filters}
    rest = [p for p in parameters if id(p) not in chosen]
    optimizers: list[Optimizer] = []
    if filters:
        optimizers.append(Muon(filters, lr, momentum, weight_decay, muon_scale))
    if rest:
        optimizers.append(AdamW(rest, lr, betas=betas, weight_decay=weight_decay, fused=True))
    return optimizers


def match_precision(optimizers: Iterable[Optimizer], precision: str) -> None:
    """Let Muon compute in bfloat16 where the model does ("bf16"), else in float32."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            if "bfloat16" in group:
                group["bfloat16"] = precision == "bf16"


def warmup_cosine(step: int, *, warmup: int, steps: int, final: float) -> float:
    """The learning rate's factor: linear from 0 over `warmup`, then cosine from 1 to `final`."""
    if step < warmup:
        return (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, steps - warmup))
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress))


def set_learning_rate(optimizers: Iterable[Optimizer], factor: float) -> None:
    """Set every rate to `factor` of its own, so that a step's rate follows from the step alone."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor
