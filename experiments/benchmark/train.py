"""What a step of training costs: python -m experiments.benchmark train --against published

The real step of the real trainer, optimizers and both critics included, on real speech in memory.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from dcvae.mel import SAMPLE_RATE
from experiments.benchmark.parts import build_trainer, configuration, speech
from experiments.benchmark.published import PublishedStep
from experiments.benchmark.table import print_table, spread
from experiments.hardware import choose_precision, describe_device, use_all_cores
from experiments.optim import build_optimizers
from experiments.trainer import Trainer

COLUMNS = ["way", "steps/s", "s of speech/s", "peak memory", "FLOP/s, share of the card's"]
Step = Callable[[Tensor], dict[str, Tensor]]


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser("experiments.benchmark train", description=__doc__)
    parser.add_argument("--size", default="base")
    parser.add_argument("--batch", type=int, default=8, help="clips")
    parser.add_argument("--frames", type=int, default=256, help="of mel a clip: 86 a second")
    parser.add_argument("--steps", type=int, default=8, help="timed, of each way")
    parser.add_argument("--precision", default="auto", help="auto, bf16 or no")
    parser.add_argument("--against", choices=["published"], help="measure beside it, in turns")
    parser.add_argument("--threads", type=int, help="of a CPU; all that there are by default")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args(arguments)
    precision = choose_precision(options.precision)
    use_all_cores(processes=1)
    if options.threads:
        torch.set_num_threads(options.threads)
    print(f"{describe_device(torch.device(options.device))}, torch {torch.__version__}")
    print(f"size={options.size}, {options.batch} x {options.frames} frames, both critics\n")
    wave = speech(options.batch, options.frames)
    with tempfile.TemporaryDirectory() as folder:
        trainer = build_trainer(options.size, precision, Path(folder), wave, options.device)
        ways: dict[str, Step] = {precision_name(precision): partial(trainer.train_step, step=0)}
        if options.against:
            ways["published"] = published_step(options.size, trainer)
        seconds = take_turns(ways, wave.to(options.device), options.steps)
        report(ways, seconds, wave.to(options.device))


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
        partial(build_optimizers, **config["optimizer"]),
        partial(build_optimizers, **config["adversary"]["optimizer"]),
        config["trainer"]["clip_norm"],
    )


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
            spread([1 / one for one in taken]),
            spread([speech_seconds / one for one in taken], 1),
            peak_memory(step, wave),
            share_of_card(step, wave, sorted(taken)[len(taken) // 2]),
        ])  # fmt: skip
    print_table(COLUMNS, rows)
    print("\nMedians, with quartiles in brackets.", end="")
    if wave.device.type == "cpu":
        print(" The memory is the whole process's.", end="")
    print()
    if len(ways) > 1:
        ours, theirs = seconds.values()
        ratios = [slow / fast for fast, slow in zip(ours, theirs, strict=True)]
        print(f"{spread(ratios)} times the published way's steps/s, turn by turn.")


def peak_memory(step: Step, wave: Tensor) -> str:
    """Of one more step on a GPU, which tells them apart; else of the process so far."""
    if wave.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(wave.device)
        step(wave)
        return f"{torch.cuda.max_memory_allocated(wave.device) / 2**30:.2f} GiB"
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB"


def share_of_card(step: Step, wave: Tensor, seconds: float) -> str:
    """FLOP/s of a step, and their share of what a bfloat16 matrix product reaches here."""
    if wave.device.type != "cuda":
        return "-"
    with FlopCounterMode(display=False) as counter:
        step(wave)
    rate = counter.get_total_flops() / seconds
    return f"{rate / 1e12:.1f} T, {rate / matrix_rate(wave.device):.0%}"


def matrix_rate(device: torch.device, size: int = 8192, repeats: int = 20) -> float:
    """FLOP/s of a bfloat16 matrix product on a GPU."""
    matrix = torch.randn(size, size, device=device, dtype=torch.bfloat16)
    for _ in range(3):
        matrix @ matrix
    synchronise(device)
    began = time.perf_counter()
    for _ in range(repeats):
        matrix @ matrix
    synchronise(device)
    return 2 * size**3 * repeats / (time.perf_counter() - began)


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
