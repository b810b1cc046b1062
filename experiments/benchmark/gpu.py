"""What experiments.check_gpu measures: losses that can be compared, and the largest batch."""

import gc
import json
import statistics
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from dcvae.audio.mel import SAMPLE_RATE
from dcvae.runs import METRICS
from experiments.benchmark.device import Step, model_flops_utilization, peak_memory
from experiments.benchmark.parts import configuration, settled_trainer, speech
from experiments.benchmark.train import take_turns
from experiments.training.hardware import use_all_cores

TIMED = 5  # steps


def curve(size: str, precision: str, device: str, batch: int, steps: int) -> list[float]:
    """The total loss of each step of the trainer's own `fit`, critics, validation and states too.

    Weights and batches [batch, T] follow from the arguments alone; the latents get no noise, which
    a GPU draws otherwise, and the learning rate is constant, so that `steps` changes no step.
    """
    use_all_cores(processes=1)
    wave = speech(10 * batch, segment_frames(size))
    loader: DataLoader[Tensor] = DataLoader(list(wave), batch_size=batch)  # type: ignore[arg-type]
    overrides = [
        "model.noise=none", f"trainer.steps={steps}", "trainer.min_lr_ratio=1.0",
        "trainer.log_every=1", f"trainer.validate_every={steps}", f"trainer.save_every={steps}",
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settled_trainer(size, precision, folder, loader, device, overrides).fit()
        rows = map(json.loads, (folder / METRICS).read_text().splitlines())
        losses = [row["train/loss"] for row in rows if "train/loss" in row]
    release()
    return losses


def segment_frames(size: str) -> int:
    frames: int = configuration(size)["loader"]["segment_frames"]
    return frames


def deviation(ours: Sequence[float], reference: Sequence[float]) -> float:
    """The largest relative difference of a step's loss from the reference's."""
    return max(abs(a - b) / abs(b) for a, b in zip(ours, reference, strict=True))


def measure(size: str, device: str, batches: Sequence[int], most: int) -> list[list[str]]:
    """A row for each of these batches of clips, and one for the largest that fits, `most` or less.

    In bfloat16, both critics on, segments as long as the size's.
    """
    with tempfile.TemporaryDirectory() as folder:
        wave = speech(1, segment_frames(size))
        trainer = settled_trainer(size, "bf16", Path(folder), wave, device)
        cost = partial(cost_of_step, partial(trainer.train_step, step=0), size, device)
        rows = [*map(cost, batches), largest(cost, most)]
    del trainer, cost
    release()
    return rows


def release() -> None:
    """Give a GPU's memory back before something else is put on it."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def cost_of_step(step: Step, size: str, device: str, batch: int) -> list[str]:
    """Size, clips x frames, steps/s, seconds of speech/s, peak memory, FLOP/s, MFU."""
    frames = segment_frames(size)
    wave = speech(batch, frames).to(device)
    seconds = statistics.median(take_turns({"": step}, wave, TIMED)[""])
    return [
        size,
        f"{batch} x {frames}",
        f"{1 / seconds:.2f}",
        f"{wave.numel() / SAMPLE_RATE / seconds:.1f}",
        peak_memory(step, wave),
        model_flops_utilization(step, wave, seconds),
    ]


def largest(cost: Callable[[int], list[str]], most: int) -> list[str]:
    """The row of the last batch that fits, where 1, 2, 4, ... and at most `most` clips are tried.

    ValueError where not one clip fits.
    """
    last: list[str] = []
    batch, note = 1, "the most tried"
    while batch <= most:
        try:
            last = cost(batch)
        except torch.OutOfMemoryError:
            note = "the most that fit"
            break
        batch *= 2
    if not last:
        raise ValueError("not even one clip fits into the GPU's memory")
    size, shape, *measured = last
    return [size, f"{shape}, {note}", *measured]
