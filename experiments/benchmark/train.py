"""What a step of training costs: python -m experiments.benchmark train --against published

The real step of the real trainer, optimizers and both critics included, on real speech in memory.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from dcvae.audio.mel import SAMPLE_RATE
from experiments.benchmark.device import Step, model_flops_utilization, peak_memory, synchronise
from experiments.benchmark.parts import MANIFEST, configuration, settled_trainer, speech
from experiments.benchmark.published import PublishedStep
from experiments.benchmark.table import format_quartiles, print_table
from experiments.benchmark.waiting import long_loader, share_of_waiting
from experiments.config import instantiate
from experiments.training.hardware import (
    choose_precision,
    describe_device,
    flush_denormals,
    keep_freed_memory,
    use_all_cores,
)
from experiments.training.trainer import Trainer

COLUMNS = ["way", "steps/s", "s of speech/s", "peak memory", "FLOP/s, MFU"]


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser("experiments.benchmark train", description=__doc__)
    parser.add_argument("--size", default="base")
    parser.add_argument("--batch", type=int, default=8, help="clips")
    parser.add_argument("--frames", type=int, default=256, help="of mel a clip: 86 a second")
    parser.add_argument("--steps", type=int, default=8, help="timed, of each way")
    parser.add_argument("--precision", default="auto", help="auto, bf16 or no")
    parser.add_argument("--against", choices=["published"], help="measure beside it, in turns")
    parser.add_argument("--loader", action="store_true", help="time the wait for data as well")
    parser.add_argument("--manifest", type=Path, default=MANIFEST, help="what --loader reads")
    parser.add_argument("--threads", type=int, help="of a CPU; all that there are by default")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args(arguments)
    precision = choose_precision(options.precision)
    use_all_cores(processes=1)
    flush_denormals()
    if options.threads:
        torch.set_num_threads(options.threads)
    print(f"{describe_device(torch.device(options.device))}, torch {torch.__version__}")
    print(f"size={options.size}, {options.batch} x {options.frames} frames, both critics\n")
    wave = speech(options.batch, options.frames)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data: Tensor | DataLoader[Tensor] = wave
        if options.loader:
            shape = options.batch, options.frames, options.steps
            data = long_loader(options.size, options.manifest, *shape, folder)
        trainer = settled_trainer(options.size, precision, folder, data, options.device)
        ours = partial(trainer.train_step, step=0)
        ways: dict[str, Step] = {precision_name(precision): keeping_memory(ours, True)}
        if options.against:
            ways["published"] = keeping_memory(published_step(options.size, trainer), False)
        seconds = take_turns(ways, wave.to(options.device), options.steps)
        report(ways, seconds, wave.to(options.device))
        if options.loader:
            print(share_of_waiting(trainer, options.steps))


def precision_name(precision: str) -> str:
    return {"bf16": "ours, bfloat16", "no": "ours, float32"}.get(precision, precision)


def published_step(size: str, trainer: Trainer) -> PublishedStep:
    """The reference with the trainer's weights, losses and optimizers' settings."""
    torch.backends.cuda.matmul.allow_tf32 = True  # ours has bfloat16, or asked for float32
    torch.backends.cudnn.allow_tf32 = True
    config = configuration(size)
    assert trainer.adversary is not None
    patch, bands = trainer.accelerator.unwrap_model(trainer.adversary.critics)
    return PublishedStep(
        trainer.accelerator.unwrap_model(trainer.model),
        patch,
        bands,
        trainer.objective,
        instantiate(config["optimizer"]),
        instantiate(config["adversary"]["optimizer"]),
        config["trainer"]["max_grad_norm"],
    )


def keeping_memory(step: Step, keep: bool) -> Step:
    """The step under the allocator that its way of training has."""

    def take(wave: Tensor) -> dict[str, Tensor]:
        keep_freed_memory(keep)
        return step(wave)

    return take


def take_turns(ways: dict[str, Step], wave: Tensor, steps: int) -> dict[str, list[float]]:
    """Seconds of every step; the ways take turns, so that a slow spell meets them all."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(steps + 1):
        for name, step in ways.items():
            synchronise(wave.device)
            began = time.perf_counter()
            step(wave)
            synchronise(wave.device)
            if turn:  # the first one warms up
                seconds[name].append(time.perf_counter() - began)
    return seconds


def report(ways: dict[str, Step], seconds: dict[str, list[float]], wave: Tensor) -> None:
    """A row a way, and how many times as fast the first one is."""
    speech_seconds = wave.numel() / SAMPLE_RATE
    rows = []
    for name, step in ways.items():
        taken = seconds[name]
        rows.append([
            name,
            format_quartiles([1 / one for one in taken]),
            format_quartiles([speech_seconds / one for one in taken], 1),
            peak_memory(step, wave),
            model_flops_utilization(step, wave, sorted(taken)[len(taken) // 2]),
        ])  # fmt: skip
    print_table(COLUMNS, rows)
    print("\nMedians, with quartiles in brackets.", end="")
    if wave.device.type == "cpu":
        print(" The memory is the whole process's.", end="")
    print()
    if len(ways) > 1:
        ours, theirs = seconds.values()
        ratios = [slow / fast for fast, slow in zip(ours, theirs, strict=True)]
        print(f"{format_quartiles(ratios)} times the published way's steps/s, turn by turn.")
