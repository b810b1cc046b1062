"""What the cheap evaluators of the analysis cost: python -m experiments.benchmark analysis

`python -m analysis` as a user types it, on a run whose weights are random, for they change little
of the time; what each evaluator took is what the analysis itself writes down. That includes the
start of its workers: the two test clips of the checkout say little, tens of a corpus more.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from dcvae.runs import write_record
from experiments.benchmark.parts import MANIFEST, baseline_model
from experiments.benchmark.table import print_table
from experiments.studies.options import CLIP_COUNTS
from experiments.training.hardware import describe_device

COLUMNS = ["evaluator", "clips", "seconds", "seconds a clip", "x real time"]


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser("experiments.benchmark analysis", description=__doc__)
    parser.add_argument("--size", default="base")
    parser.add_argument("--evaluators", default="quality,latents,latent_noise", metavar="A,B")
    parser.add_argument("--clips", type=int, default=20, help="but `latents` takes all labelled")
    parser.add_argument("--manifest", type=Path, default=MANIFEST)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args(arguments)
    if not options.manifest.is_file():
        raise ValueError(f"{options.manifest}: there is no such manifest")
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / options.size / "random" / "seed0"
        write_untrained(run, options.size, options.manifest.resolve())
        analyse(run, options.evaluators, options.clips, options.device)
        print(f"{describe_device(torch.device(options.device))}, torch {torch.__version__}")
        print(f"size={options.size}, random weights, {options.manifest}\n")
        print_table(COLUMNS, costs(run))


def write_untrained(run: Path, size: str, manifest: Path) -> None:
    """A finished run's folder, as far as the analysis reads it, without training."""
    torch.manual_seed(0)
    baseline_model(size).save_pretrained(run / "last")
    described = {
        "ablation": run.parent.name,
        "size": size,
        "seed": 0,
        "status": "finished",
        "steps": 0,
        "claims": [],
        "config": {"vocoder": {"name": "griffin_lim"}},
        "manifest": str(manifest),
    }
    write_record(run, described)


def analyse(run: Path, evaluators: str, clips: int, device: str) -> None:
    """Let the analysis answer; ValueError with its last line where it does not."""
    command = [
        sys.executable, "-m", "analysis", str(run), "--only", evaluators, "--no-study",
        "--device", device,
        *(text for name in CLIP_COUNTS for text in (f"--{name.replace('_', '-')}", str(clips))),
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ValueError(f"the analysis ended early: {done.stderr.strip().splitlines()[-1]}")


def costs(run: Path) -> Iterator[list[str]]:
    """A row for each evaluator, from analysis.json; a skipped one with its reason."""
    summary = json.loads((run / "analysis" / "analysis.json").read_text())
    for name, facts in summary["evaluators"].items():
        seconds, clips = facts["seconds"], facts["clips"]
        factor = facts["real_time_factor"]
        shown = "-" if factor is None else f"{factor:.3f}"
        yield [name, str(clips), f"{seconds:.1f}", f"{seconds / clips:.3f}", shown]
    for name, reason in summary["skipped"].items():
        yield [name, "-", "-", "-", f"skipped: {reason}"]
