"""What is put around the model while it trains: EMA, activation checkpointing, torch.compile."""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch._functorch import config as functorch_config
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.checkpoint import checkpoint

from dcvae import SpeechAutoencoder
from dcvae.models.backbone import Backbone
from dcvae.models.fused_ops.training import fuse_for_training

Tensors = tuple[Tensor, ...] | list[Tensor]

logger = logging.getLogger(__name__)


def ema_model(model: nn.Module, decay: float) -> AveragedModel:
    """A copy whose weights follow: average <- d * average + (1 - d) * weights.

    After n updates d is the lesser of `decay` and (1 + n) / (10 + n), as in TensorFlow's
    ExponentialMovingAverage: the average spans a ninth of the steps so far, until that is more
    than `decay` spans, so that a run of any length forgets where it began.
    Its `update_parameters(model)` is called after each step; the first call copies the weights.
    ValueError for a decay that is not between 0 and 1.
    """
    if not isinstance(decay, float) or not 0 < decay < 1:
        raise ValueError(
            f"trainer.ema_decay is a decay between 0 and 1 such as 0.999, not {decay!r}"
        )

    def follow(averages: Tensors, weights: Tensors, updates: Tensor | int) -> None:
        now = min(decay, (1 + int(updates)) / (10 + int(updates)))
        get_ema_multi_avg_fn(now)(averages, weights, updates)

    average = AveragedModel(model, multi_avg_fn=follow)
    average.requires_grad_(False)
    return average


def checkpoint_activations(backbone: Backbone) -> None:
    """Let every stage keep its input alone and compute its features again in the backward.

    In place; the weights' names stay. The gradients are the same: nothing in a stage is drawn at
    random (Chen et al., arXiv 1604.06174).
    """
    for stage in (*backbone.encoder.down_blocks, *backbone.decoder.up_blocks):
        stage.forward = partial(
            checkpoint, stage.forward, use_reentrant=False, preserve_rng_state=False
        )


def compile_in_place(model: SpeechAutoencoder, device: torch.device) -> bool:
    """Compile encoder and decoder at their first call; the names of the weights stay.

    The critics, which are weight-normed, are left as they are. False, after a warning, where no
    compiler works; ValueError for a weight-normed model.
    """
    if model.config["weight_norm"]:
        raise ValueError(
            "trainer.compile needs model.weight_norm=false: on a GPU the backward of compiled"
            " weight-normed convolutions fails above 64 channels"
        )
    try:  # a sine: what training would end with, up front
        torch.compile(lambda x: x.sin() + 1)(torch.zeros(1, device=device))
    except Exception as error:  # whatever a compiler, or the lack of one, can raise
        warn(error)
        return False
    CompiledModules([model.backbone.encoder, model.backbone.decoder])
    return True


class CompiledModules:
    """Modules whose forward is compiled; all run as they are written once one of them fails.

    What would fail in the backward is met in the forward, where there still is another way.
    """

    def __init__(self, parts: Sequence[nn.Module]) -> None:
        from torch._dynamo.exc import TorchDynamoException  # takes a second or more

        self.failure = TorchDynamoException
        self.plain = {part: part.forward for part in parts}
        for part in parts:
            part.forward = partial(self.forward, part, torch.compile(part.forward))

    def forward(
        self, part: nn.Module, compiled: Callable[..., Any], *arguments: Any, **options: Any
    ) -> Any:
        try:
            with functorch_config.patch(force_non_lazy_backward_lowering=True):
                return compiled(*arguments, **options)
        except self.failure as error:
            warn(error)
            self.give_up()
            return part(*arguments, **options)

    def give_up(self) -> None:
        for part, forward in self.plain.items():
            part.forward = forward
            fuse_for_training(part)


def warn(error: Exception) -> None:
    """Name the cause in one line."""
    lines = [line for line in str(error).splitlines() if line and not line.endswith("raised:")]
    reason = lines[0] if lines else type(error).__name__
    logger.warning(
        "trainer.compile needs a working compiler (on a CPU a C++ one),"
        " training goes on without: %s",
        reason,
    )


def uncompiled(compiled: bool) -> AbstractContextManager[object]:
    """Run a compiled model as it is written: it would be compiled again for clips of any length."""
    return torch.compiler.set_stance("force_eager") if compiled else nullcontext()
