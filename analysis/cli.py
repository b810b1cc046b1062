"""The command line of the analysis: which runs, which checkpoint, how many clips."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from analysis.runs import Run, find_run
from analysis.score import Scorer
from dcvae.errors import user_errors

DEFAULT_CLIPS = 40  # one run takes about 20 s on two cores


def parser() -> argparse.ArgumentParser:
    it = argparse.ArgumentParser(
        prog="python -m analysis",
        description="Score trained runs on the fixed clips of the manifest's test split. "
        "What is scored already, for the same checkpoint, clips and metrics, is skipped.",
    )
    it.add_argument("runs", nargs="+", type=Path, metavar="RUN_DIR", help="a finished run's folder")
    it.add_argument("--checkpoint", choices=("last", "best"), default="last")
    it.add_argument("--clips", type=int, default=DEFAULT_CLIPS, help="how many (%(default)s)")
    it.add_argument("--manifest", type=Path, help="where the runs' manifest lies now, if moved")
    it.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return it


def main(arguments: Sequence[str] | None = None) -> None:
    """Score every run given; any that cannot be scored is reported before work begins."""
    with user_errors("analysis"):
        options = parser().parse_args(arguments)
        if options.clips < 1:
            raise ValueError(f"--clips must be 1 or more, not {options.clips}")
        runs = [find_run(folder, options.checkpoint, options.manifest) for folder in options.runs]
        with Scorer(options.clips, device_named(options.device)) as scorer:
            for run in runs:
                report(run, scorer)


def report(run: Run, scorer: Scorer) -> None:
    """Score one run and say in one line what came of it."""
    if scorer.is_scored(run):
        print(f"{run.name}: scored already, skipped", file=sys.stderr)
        return
    summary = scorer.score(run)
    print(f"{run.name}: {summary}", file=sys.stderr)


def device_named(name: str) -> torch.device:
    """The torch device of that name; ValueError where this machine has none such."""
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"--device {name} cannot be used here: {reason}") from None
    return device
