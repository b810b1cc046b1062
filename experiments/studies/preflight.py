"""What can be wrong with a study, told before anything starts: each check is one clear line."""

import importlib.util
import shutil

from dcvae.runs import read_record
from dcvae.utils.locks import check_writable
from experiments.config import check_same_config, read_registry
from experiments.studies.hardware import find_gpus, is_free
from experiments.studies.options import (
    BUDGETS,
    CLIP_COUNTS,
    EVALUATORS,
    EXECUTORS,
    UNTIL,
    Analysis,
    Study,
)
from experiments.studies.plan import Plan
from experiments.studies.registration import family_of


def check_plan(plan: Plan) -> None:
    """ValueError or OSError for the first thing that would end the study badly."""
    check_executor(plan.study)
    check_numbers(plan.study)
    check_end(plan)
    family_of(plan, read_registry())
    check_gpus(plan.study)
    if plan.study.analysis:
        check_analysis(plan.study.analysis)
    check_writable(plan.runs_dir)
    for row in plan.rows:
        record = read_record(row.run_dir)
        if record:
            check_same_config(row.run_dir, record, row.composed.config)


def check_executor(study: Study) -> None:
    if study.executor not in EXECUTORS:
        raise ValueError(f"executor={study.executor}: choose from {', '.join(EXECUTORS)}")
    if study.executor == "local":
        return
    if importlib.util.find_spec("submitit") is None:
        raise ValueError(f"executor={study.executor} needs submitit: pip install 'dcvae[slurm]'")
    if study.executor == "slurm" and shutil.which("sbatch") is None:
        raise ValueError("executor=slurm: there is no sbatch here; start on a node that has SLURM")


def check_numbers(study: Study) -> None:
    for name in ("jobs", "processes"):
        if getattr(study, name) < 1:
            raise ValueError(f"{name} must be 1 or more, not {getattr(study, name)}")
    if study.port is None or study.processes == 1:
        return
    if study.jobs > 1:
        raise ValueError(f"port={study.port} serves one run at a time: leave it out, or jobs=1")
    if study.executor != "slurm" and not is_free(study.port):
        raise ValueError(f"port={study.port} is taken: leave it out, and a free one is found")


def check_end(plan: Plan) -> None:
    """When seeds are added, and to what."""
    study = plan.study
    if study.until not in (None, *UNTIL):
        raise ValueError(f"until={study.until}: the one word is {', '.join(UNTIL)}")
    if study.until is None:
        if study.max_seeds is not None:
            raise ValueError(f"max_seeds={study.max_seeds} needs until={UNTIL[0]}")
        return
    if study.max_seeds is None:
        raise ValueError(f"until={study.until} needs max_seeds=NUMBER, after which it ends")
    if study.analysis is None:
        raise ValueError(f"until={study.until} needs an analysis: nothing is decided without one")
    seeds = {row.seed for row in plan.rows}
    systems = {(row.ablation, row.budget) for row in plan.rows}
    if len(plan.rows) != len(seeds) * len(systems):
        raise ValueError(f"until={study.until} adds blocks: every system needs the same seeds")
    if study.max_seeds < len(seeds):
        raise ValueError(f"max_seeds={study.max_seeds}, but the study begins with {len(seeds)}")


def check_gpus(study: Study) -> None:
    if study.gpus is None:
        return
    if study.executor == "slurm":
        raise ValueError("gpus names this machine's; SLURM's are slurm.gpus_per_node=NUMBER")
    there = find_gpus()
    for gpu in study.gpus:
        if gpu not in there:
            listed = ", ".join(there[::2]) or "none"
            raise ValueError(f"gpus: there is no GPU {gpu} here (nvidia-smi -L lists {listed})")
    needed = study.jobs * study.processes
    if needed > len(study.gpus):
        raise ValueError(
            f"jobs={study.jobs} with processes={study.processes} need {needed} GPUs, but gpus"
            f" names {len(study.gpus)}"
        )


def check_analysis(analysis: Analysis) -> None:
    for name in (*(analysis.only or ()), *(analysis.skip or ())):
        if name not in EVALUATORS:
            raise ValueError(
                f"analysis: no evaluator is named {name!r}: choose from {', '.join(EVALUATORS)}"
            )
    for name in CLIP_COUNTS:
        value = getattr(analysis, name)
        if value is not None and value < 1:
            raise ValueError(f"analysis.{name} must be 1 or more, not {value}")
    for name, known in (("budget", BUDGETS), ("checkpoint", ("last", "best"))):
        value = getattr(analysis, name)
        if value not in (None, *known):
            raise ValueError(f"analysis.{name}={value}: choose from {', '.join(known)}")
