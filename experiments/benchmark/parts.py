"""What the benchmarks measure: a size's baseline, on the real speech of the tests."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from dcvae import SpeechAutoencoder, read_audio
from dcvae.audio.mel import HOP, SAMPLE_RATE
from experiments.config import CONF, compose_runs, instantiate
from experiments.tracking.tracker import Tracker
from experiments.training.builder import build_accelerator, build_trainer
from experiments.training.trainer import Trainer

SPEECH = Path(__file__).parents[2] / "tests" / "data"
MANIFEST = SPEECH / "manifest.csv"
SETTLED = [  # both critics from the first step, past the warmup, and little to validate on
    "adversary.start_fraction=0.0", "trainer.warmup_steps=0",
    "validation.clips={count: 2, min_seconds: 1.0, max_seconds: null}", "validation.examples=0",
]  # fmt: skip


def configuration(size: str, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """The baseline of a size; ValueError for an unknown size."""
    if not (CONF / "size" / f"{size}.yaml").is_file():
        raise ValueError(f"no size is named {size!r}: choose from {CONF / 'size'}")
    (composed,) = compose_runs("baseline", [0], [f"size={size}", *overrides])
    return composed.config


def baseline_model(size: str) -> SpeechAutoencoder:
    """With random weights."""
    model: SpeechAutoencoder = instantiate(configuration(size)["model"])
    return model


def settled_trainer(
    size: str,
    precision: str,
    folder: Path,
    data: Tensor | DataLoader[Tensor],
    device: str,
    overrides: Sequence[str] = (),
) -> Trainer:
    """The trainer of a size with both critics from the first step, past its warmup.

    `precision` is "bf16" or "no"; `data` is its loader, or one batch of waves [B, T] that is all
    there is; `overrides` are Hydra's.
    """
    if isinstance(data, Tensor):
        data = DataLoader(list(data), batch_size=len(data))  # type: ignore[arg-type]
    config = configuration(size, [*SETTLED, f"precision={precision}", *overrides])
    accelerator = build_accelerator(config, cpu=torch.device(device).type == "cpu")
    return build_trainer(
        config, accelerator, MANIFEST, folder, tracker=Tracker(folder), loader=data
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
