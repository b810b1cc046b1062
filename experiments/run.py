"""Train one ablation: accelerate launch experiments/run.py ablation=no_dispersive

Several at once are one run without all of these parts: ablation=[no_noise,no_layernorm].

With config.py the only file that names Hydra: below them there is no configuration object, only
arguments.
"""

import logging
import os
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, from any folder
os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # errors reach us instead of Hydra's own printer

from dcvae.utils.errors import ended_by_interrupts, user_errors

with ended_by_interrupts():
    import hydra
    import torch
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import DictConfig

    from dcvae.claims import read_claims
    from dcvae.data.provenance import Corpus
    from dcvae.runs import read_record, write_record
    from dcvae.utils.locks import check_free, folder_lock
    from experiments.config import (
        COMPOSING_ERRORS,
        budget_of,
        check_same_config,
        chosen_ablation,
        hydra_overrides,
        instantiate,
        read_registry,
        resolve_config,
        run_folder,
        steps_of,
    )
    from experiments.data.clips import training_clips
    from experiments.limits import whole_variable
    from experiments.record import git_commit, now
    from experiments.tracking.mlflow_client import read_patience
    from experiments.tracking.tracker import Tracker
    from experiments.training.builder import build_accelerator, build_trainer
    from experiments.training.checkpointing import Progress
    from experiments.training.hardware import THREADS_VARIABLE, prepare_process
    from experiments.training.preemption import EXIT_STATUS, Interrupted, PreemptionHandler
    from experiments.training.trainer import Trainer

USER_ERRORS = ("run.py", *COMPOSING_ERRORS)


def train(config: dict[str, Any], size: str, ablation: str, data: str) -> None:
    """Check, build, fit, finish; a finished run is left as it is."""
    budget = budget_of(config, steps_of(size))
    run_dir = run_folder(config, size, budget, ablation)
    is_main_process = os.environ.get("RANK", "0") == "0"
    earlier = check(run_dir, config, ablation, is_main_process)
    if earlier.get("status") == "finished":
        print(f"{run_dir} is finished ({earlier.get('steps')} steps): nothing to train")
        return

    accelerator = build_accelerator(config)
    prepare_process(processes=int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    with accelerator.main_process_first():
        manifest = Path(instantiate(config["data"])).resolve()
    clips = training_clips(manifest, config["loader"]["min_seconds"])
    corpus = manifest.stem if data == "filelist" else data  # speech of your own is named by you
    described = {
        "ablation": ablation,
        "size": size,
        "seed": config["seed"],
        "budget": budget,
        "commit": git_commit(),
        "corpus": asdict(Corpus.of(corpus, manifest.name, clips)),
    }
    tracker = Tracker(run_dir if accelerator.is_main_process else None)
    trainer = build_trainer(
        config, accelerator, manifest, run_dir, tracker=tracker, described=described
    )
    record = {
        **described,
        "status": "running",
        "config": config,
        "claims": config["claims"],
        "manifest": str(manifest),
        "started": earlier.get("started", now()),
        "finished": None,
        "mlflow": None,  # the sync notes it
        **trainer.facts(),
    }
    with folder_lock(run_dir) if is_main_process else nullcontext():
        if is_main_process:
            write_record(run_dir, record)
            if config["mlflow"] is not None:
                tracker.start_sync()
        progress = fit(trainer, run_dir, record)
        if is_main_process:
            finish(run_dir, record, progress, tracker)
    accelerator.end_training()


def check(
    run_dir: Path, config: dict[str, Any], ablation: str, is_main_process: bool
) -> dict[str, Any]:
    """The run's record of before, {} if there is none; ValueError for what cannot be trained."""
    read_claims(ablation, config["claims"])
    check_processes(os.environ)
    read_patience()
    whole_variable(THREADS_VARIABLE, 1)
    if is_main_process:
        check_free(run_dir)
    earlier = read_record(run_dir) or {}
    if earlier:
        check_same_config(run_dir, earlier, config)
    return earlier


def check_processes(environment: Mapping[str, str]) -> None:
    """ValueError where the launcher does not do what it was asked: other processes, or a GPU.

    `accelerate launch --cpu --num_processes 2` names a meeting place, and starts one process.
    """
    if "MASTER_ADDR" in environment and "WORLD_SIZE" not in environment:
        raise ValueError(
            "accelerate launch --cpu starts one process, whatever --num_processes says: several"
            " take ACCELERATE_USE_CPU=true accelerate launch --multi_gpu --num_processes 2"
        )
    visible = environment.get("CUDA_VISIBLE_DEVICES", "")
    if visible not in {"", "-1"} and not torch.cuda.is_available():
        raise ValueError(
            f"CUDA_VISIBLE_DEVICES={visible} names no GPU that can be used here: unset it to train"
            " on the CPU"
        )


def fit(trainer: Trainer, run_dir: Path, record: dict[str, Any]) -> Progress:
    """Train, and leave word of an early end: Interrupted is exit status 75."""
    try:
        with PreemptionHandler() as preemption:
            return trainer.fit(preemption)
    except BaseException as error:
        stopped = isinstance(error, KeyboardInterrupt | Interrupted)
        if trainer.tracker.active:
            status = "interrupted" if stopped else "failed"
            write_record(run_dir, record | {"status": status})
        trainer.tracker.finish("KILLED" if stopped else "FAILED")
        if isinstance(error, Interrupted):
            print(f"{run_dir}: stopped as asked; the same command goes on", file=sys.stderr)
            raise SystemExit(EXIT_STATUS) from None
        raise


def finish(run_dir: Path, record: dict[str, Any], progress: Progress, tracker: Tracker) -> None:
    """Mark the run finished, with what it took."""
    speed = progress.speech_seconds / progress.seconds
    times = {
        "train_seconds": progress.seconds,
        "speech_seconds": progress.speech_seconds,
        "speech_per_second": speed,
        "speech_per_second_at_end": progress.speech_per_second,
    }
    ended = {"status": "finished", "finished": now(), "best_step": progress.best_step}
    write_record(run_dir, record | times | ended)
    tracker.log_metrics(progress.step, {f"run/{name}": value for name, value in times.items()})
    tracker.finish("FINISHED")
    critics = " with the critics on" if record["config"]["adversary"] else ""
    print(
        f"{run_dir}: {progress.step} steps over {progress.speech_seconds / 60:.0f} minutes of"
        f" speech in {progress.seconds:.0f} s: {speed:.1f} s a second,"
        f" {progress.speech_per_second:.1f} at the end{critics}"
    )


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(cfg: DictConfig) -> None:
    asked = HydraConfig.get()
    choices = asked.runtime.choices
    with user_errors(*USER_ERRORS):  # inside, before Hydra adds lines of its own
        ablation = chosen_ablation(asked.overrides.task, read_registry())
        train(resolve_config(cfg, choices["size"]), choices["size"], ablation, choices["data"])


if __name__ == "__main__":
    logging.basicConfig(format="%(message)s")
    logging.getLogger("experiments").setLevel(logging.INFO)
    with user_errors(*USER_ERRORS):
        sys.argv[1:] = hydra_overrides(sys.argv[1:], read_registry())
        main()
