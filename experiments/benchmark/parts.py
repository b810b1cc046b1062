"""The parts of a size's baseline, as the configuration states them."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import DataLoader

from dcvae import SpeechAutoencoder, load_vocoder, read_audio
from dcvae.audio.mel import HOP, SAMPLE_RATE
from dcvae.models.discriminators import MultiBandDiscriminator, PatchDiscriminator
from experiments.adversary import Adversary
from experiments.composing import CONF, compose_runs
from experiments.data.clips import validation_waves
from experiments.objective import Objective
from experiments.optim import build_optimizers
from experiments.tracking import Tracker
from experiments.trainer import Trainer
from experiments.validation import Validation

SPEECH = Path(__file__).parents[2] / "tests" / "data"
MANIFEST = SPEECH / "manifest.csv"


def configuration(size: str) -> dict[str, Any]:
    """The baseline of a size, without what names classes; ValueError for an unknown size."""
    if not (CONF / "size" / f"{size}.yaml").is_file():
        raise ValueError(f"no size is named {size!r}: choose from {CONF / 'size'}")
    (composed,) = compose_runs("baseline", [0], [f"size={size}"])
    return values(composed.config)


def values(config: dict[str, Any]) -> dict[str, Any]:
    """What stands in a configuration, without Hydra's own keys such as _target_."""
    return {
        name: values(value) if isinstance(value, dict) else value
        for name, value in config.items()
        if not name.startswith("_")
    }


def model_arguments(size: str) -> dict[str, Any]:
    """SpeechAutoencoder's arguments."""
    arguments: dict[str, Any] = configuration(size)["model"]
    return arguments


def build_trainer(
    size: str,
    precision: str,
    folder: Path,
    data: Tensor | DataLoader[Tensor],
    device: str,
    settings: Mapping[str, object] | None = None,
    **model: object,
) -> Trainer:
    """The trainer of a size with both critics from the first step, past its warmup.

    `precision` is "bf16" or "no"; `data` is its loader, or one batch of waves [B, T] that is all
    there is; `settings` and `model` override what the size says of the trainer and of the model.
    """
    if isinstance(data, Tensor):
        data = DataLoader(list(data), batch_size=len(data))  # type: ignore[arg-type]
    config = configuration(size)
    torch.manual_seed(0)
    autoencoder = SpeechAutoencoder(**{**config["model"], **model})
    critics = config["adversary"]
    return Trainer(
        accelerator=Accelerator(cpu=device == "cpu", mixed_precision=precision),
        model=autoencoder,
        objective=Objective(**config["losses"]),
        optimizers=build_optimizers([autoencoder], **config["optimizer"]),
        adversary=Adversary(
            patch=PatchDiscriminator(**critics["patch"]),
            bands=MultiBandDiscriminator(**critics["bands"]),
            optimizer=partial(build_optimizers, **critics["optimizer"]),
            start=0.0,
        ),
        loader=data,
        validation=Validation(
            waves=validation_waves(MANIFEST, count=2),
            examples=0,
            vocoder=load_vocoder(),
            run_dir=folder,
            device=torch.device(device),
        ),
        tracker=Tracker(folder),
        run_dir=folder,
        **{**config["trainer"], "warmup": 0, **(settings or {})},
    )


def speech(batch: int, frames: int) -> Tensor:
    """Real speech [B, frames * HOP] at 22,050 Hz: the test clips one after the other, in turns."""
    clips = [read_audio(path) for path in sorted(SPEECH.glob("*.flac"))]
    if not clips:
        raise ValueError(f"there is no speech in {SPEECH}: run this in a checkout")
    samples = frames * HOP
    line = torch.cat(clips)
    line = line.repeat(-(-batch * samples // len(line)))
    assert SAMPLE_RATE == 22050
    return line[: batch * samples].view(batch, samples).clone()
