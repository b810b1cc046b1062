"""The commands of a study, as lists of arguments and with the environment that they need."""

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.studies.hardware import find_gpus
from experiments.studies.options import Analysis, Study
from experiments.studies.plan import Plan, Row

RUN = str(Path(__file__).parents[1] / "run.py")
PYTHON = (sys.executable, "-m")
THREADS = ("DCVAE_THREADS", "OMP_NUM_THREADS")
LAUNCH = (
    *PYTHON, "accelerate.commands.launch", "--quiet", "--multi_gpu", "--num_machines", "1",
    "--mixed_precision", "no", "--dynamo_backend", "no",
)  # fmt: skip


def train_command(study: Study, row: Row) -> list[str]:
    """One process is started as it is: the launcher would turn every exit status into 1."""
    if study.processes == 1:
        return [sys.executable, RUN, *row.overrides]
    port = study.port or 0  # at which the launcher finds a free one
    return [
        *LAUNCH, "--num_processes", str(study.processes), "--main_process_port", str(port),
        RUN, *row.overrides,
    ]  # fmt: skip


def analyse_command(analysis: Analysis, run_dir: Path) -> list[str]:
    """Without the study's statistics, which need all runs and come at the end."""
    return [*PYTHON, "analysis", str(run_dir), *analysis.arguments(), "--no-study"]


def statistics_commands(plan: Plan) -> list[list[str]]:
    """What is made of all runs that are there: the study's statistics."""
    if plan.study.analysis is None:
        return []
    options = plan.study.analysis.arguments()
    return [[*PYTHON, "analysis", "--study", str(plan.folder), *options]]


def report_commands(plan: Plan) -> list[list[str]]:
    """What is made once, at the end."""
    if not plan.study.report:
        return []
    return [[*PYTHON, "reports.build", str(plan.runs_dir), "--study", plan.name]]


def environment(study: Study, gpus: list[str] | None = None) -> dict[str, str]:
    """What a run's processes need in their environment: GPUs, or gloo where there are none."""
    needed = gpu_variables(gpus)
    if study.processes > 1 and not has_gpus(study):
        needed["ACCELERATE_USE_CPU"] = "true"
    if study.jobs > 1 and study.executor != "slurm":
        needed |= share_of_cores(study.jobs * study.processes)
    return needed


def share_of_cores(processes: int) -> dict[str, str]:
    """As many threads for each as there are cores, unless the user says otherwise.

    Two runs that take all cores each wait for one another's threads, and lose a factor of four.
    """
    cores = max(1, len(os.sched_getaffinity(0)) // processes)
    return {name: str(cores) for name in THREADS if name not in os.environ}


def gpu_variables(gpus: Sequence[str] | None) -> dict[str, str]:
    """What lets a process see these GPUs alone."""
    return {} if gpus is None else {"CUDA_VISIBLE_DEVICES": ",".join(gpus)}


def has_gpus(study: Study) -> bool:
    """Whether the runs will see GPUs: SLURM gives one to each process unless told otherwise."""
    if study.executor == "slurm":
        return bool(study.slurm.get("gpus_per_node", study.processes))
    return bool(study.gpus if study.gpus is not None else find_gpus())


def quoted(command: list[str], variables: dict[str, str]) -> str:
    """A line for a shell."""
    return " ".join(
        [
            *(f"{name}={shlex.quote(value)}" for name, value in variables.items()),
            shlex.join(command),
        ]
    )
