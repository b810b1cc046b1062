"""Compile the autoencoder, or say in one line why that cannot be and train it as it is written."""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch._dynamo.exc import TorchDynamoException
from torch._functorch import config as functorch_config

from dcvae import SpeechAutoencoder
from experiments.quickening import quicken

logger = logging.getLogger(__name__)


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
    CompiledParts([model.backbone.encoder, model.backbone.decoder])
    return True


class CompiledParts:
    """Modules whose forward is compiled; all run as they are written once one of them fails.

    What would fail in the backward is met in the forward, where there still is another way.
    """

    def __init__(self, parts: Sequence[nn.Module]) -> None:
        self.plain = {part: part.forward for part in parts}
        for part in parts:
            part.forward = partial(self.forward, part, torch.compile(part.forward))

    def forward(
        self, part: nn.Module, compiled: Callable[..., Any], *arguments: Any, **options: Any
    ) -> Any:
        try:
            with functorch_config.patch(force_non_lazy_backward_lowering=True):
                return compiled(*arguments, **options)
        except TorchDynamoException as error:
            warn(error)
            self.give_up()
            return part(*arguments, **options)

    def give_up(self) -> None:
        for part, forward in self.plain.items():
            part.forward = forward
            quicken(part)


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
