"""Compile the autoencoder, or say in one line why that cannot be."""

from contextlib import AbstractContextManager, nullcontext

import torch

from dcvae import SpeechAutoencoder


def compile_in_place(model: SpeechAutoencoder, device: torch.device) -> None:
    """Compile encoder and decoder at their first call; the names of the weights stay.

    The critics, which are weight-normed, are left as they are. ValueError for a weight-normed
    model, and where no compiler works.
    """
    if model.config["weight_norm"]:
        raise ValueError(
            "trainer.compile needs model.weight_norm=false: on a GPU the backward of compiled"
            " weight-normed convolutions fails above 64 channels"
        )
    try_compiler(device)
    model.backbone.encoder.compile()
    model.backbone.decoder.compile()


def try_compiler(device: torch.device) -> None:
    """ValueError where not even a sine can be compiled: what training would end with, up front."""
    try:
        torch.compile(lambda x: x.sin() + 1)(torch.zeros(1, device=device))
    except Exception as error:  # whatever a compiler, or the lack of one, can raise
        lines = [line for line in str(error).splitlines() if line and not line.endswith("raised:")]
        reason = lines[0] if lines else type(error).__name__
        raise ValueError(
            f"trainer.compile needs a working compiler (on a CPU a C++ one): {reason}"
        ) from error


def uncompiled(compiled: bool) -> AbstractContextManager[object]:
    """Run a compiled model as it is written: it would be compiled again for clips of any length."""
    return torch.compiler.set_stance("force_eager") if compiled else nullcontext()
