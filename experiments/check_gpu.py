"""Whether a GPU trains as the CPU does, and how fast: python -m experiments.check_gpu OUT.md

Some hundred steps of size=base in bfloat16 by the real trainer; the losses of the first ten beside
those of the CPU in float32, with the same weights and batches and without noise, which the two draw
otherwise; what a step costs, at size=full with the published 11.1 s a clip, and the largest batch
that fits. OUT.md gets one table. It was not run on a GPU yet, but on a CPU alone (--device cpu).
Exit status 1 where the losses differ by more than 2%.
"""

import argparse
import multiprocessing
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from dcvae.utils.errors import ended_by_interrupts, user_errors

with ended_by_interrupts():
    import torch

    from dcvae.utils.files import replace_text
    from experiments.benchmark.gpu import curve, deviation, measure
    from experiments.benchmark.parts import configuration
    from experiments.benchmark.table import markdown
    from experiments.benchmark.train import COLUMNS as MEASURED
    from experiments.training.hardware import describe_device

COMPARED = 10  # steps
TOLERANCE = 0.02  # relative
COLUMNS = ["size", "clips x frames", *MEASURED[1:], "loss against the CPU's in float32"]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser("experiments.check_gpu", description=__doc__)
    parser.add_argument("out", type=Path, metavar="OUT.md")
    parser.add_argument("--size", default="base", help="what is trained (%(default)s)")
    parser.add_argument("--full-size", default="full", help="and what is measured (%(default)s)")
    parser.add_argument("--steps", type=int, default=200, help="%(default)s")
    parser.add_argument("--batch", type=int, default=8, help="clips of a step (%(default)s)")
    parser.add_argument("--most", type=int, help="clips to try at most: 1024, on a CPU 2")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument(
        "--tolerance", type=float, default=TOLERANCE, help="of the losses, relative (%(default)s)"
    )
    options = parser.parse_args(arguments)
    with user_errors("experiments.check_gpu"):
        check_options(options)
        table, worst = check(options)
        replace_text(options.out, table)
    print(table, end="")
    if worst > options.tolerance:
        verdict = f"the losses differ by {worst:.2%}, more than {options.tolerance:.0%}"
        print(f"experiments.check_gpu: {verdict}", file=sys.stderr)
        raise SystemExit(1)


def check_options(options: argparse.Namespace) -> None:
    """ValueError for what would fail minutes later."""
    if options.device == "cuda" and not torch.cuda.is_available():
        raise ValueError("there is no GPU here; --device cpu tries the check itself, on the CPU")
    if options.out.is_dir():
        raise ValueError(f"{options.out} is a folder: name a file for the table")
    if options.steps < COMPARED:
        raise ValueError(f"--steps must be {COMPARED} or more, not {options.steps}")
    for size in (options.size, options.full_size):
        configuration(size)


def check(options: argparse.Namespace) -> tuple[str, float]:
    """The table, and the largest relative difference of the first losses."""
    size, device, batch = options.size, options.device, options.batch
    most = options.most or (1024 if device != "cpu" else 2)
    # in a process of its own, for accelerate knows one device and one precision in each
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as other:
        reference = other.submit(curve, size, "no", "cpu", batch, COMPARED)
        losses = curve(size, "bf16", device, batch, options.steps)
        worst = deviation(losses[:COMPARED], reference.result())
    rows = [*measure(size, device, [batch], most), *measure(options.full_size, device, [], most)]
    rows[0].append(f"{worst:.2%} at most in {COMPARED} steps")
    lines = [
        f"{describe_device(torch.device(device))}, torch {torch.__version__}, bfloat16, both"
        f" critics. {options.steps} steps of size={size} took the loss from {losses[0]:.3f} to"
        f" {losses[-1]:.3f}.\n",
        *markdown(COLUMNS, ([*row, *["-"] * (len(COLUMNS) - len(row))] for row in rows)),
    ]
    return "\n".join(lines) + "\n", worst


if __name__ == "__main__":
    main()
