"""Muon for filters, AdamW for the rest, and one learning-rate schedule."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from torch import nn
from torch.optim import AdamW, Optimizer

from dcvae.utils.muon import Muon


def is_filter(parameter: nn.Parameter) -> bool:
    """Two or more dims that mix inputs: no biases, norms' scales or weight-norm gains."""
    return parameter.ndim >= 2 and parameter[0].numel() > 1


def build_optimizers(
    modules: Iterable[nn.Module],
    *,
    lr: float,
    muon: Mapping[str, Any] | None,
    adamw: Mapping[str, Any],
    weight_decay: float,
) -> list[Optimizer]:
    """Muon for the filters unless it is None, and AdamW for all that is left.

    `muon` has momentum, scale and gains, `adamw` has betas. With gains, those of weight norm
    [out, 1, 1, 1] go to Muon too, as [out, 1] matrices: whatever has two dims or more, as
    DC-Speech-VAE was trained.
    """
    parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
    options = dict(muon or {})
    gains = options.pop("gains", False)
    filters = [p for p in parameters if muon and (is_filter(p) or (gains and p.ndim >= 2))]
    chosen = {id(p) for p in filters}
    rest = [p for p in parameters if id(p) not in chosen]
    optimizers: list[Optimizer] = []
    if filters:
        optimizers.append(Muon(filters, lr, weight_decay=weight_decay, **options))
    if rest:
        optimizers.append(AdamW(rest, lr, weight_decay=weight_decay, fused=True, **adamw))
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
