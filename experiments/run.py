"""Train one ablation: accelerate launch experiments/run.py ablation=no_dispersive

The only file that names Hydra: below it there is no configuration object, only arguments.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, from any folder
os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # errors reach us instead of Hydra's own printer

import hydra
from accelerate import Accelerator, DataLoaderConfiguration
from accelerate.utils import set_seed
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dcvae.errors import user_errors
from experiments.checkpointing import Progress
from experiments.data.clips import training_loader, validation_waves
from experiments.hardware import choose_precision, describe_device, use_all_cores
from experiments.objective import Objective
from experiments.record import check_same_config, git_commit, now, read_record, write_record
from experiments.tracking import DEFAULT_URI, MLflowRun, Tracker, flatten
from experiments.trainer import Trainer
from experiments.validation import Validation

CONF = Path(__file__).parent / "conf"
USER_ERRORS = ("run.py", HydraException, OmegaConfBaseException)


def train(cfg: DictConfig, size: str, ablation: str) -> None:
    """Build the parts from their sections, and fit; a finished run is left as it is."""
    check_types(cfg, size)
    config: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)  # type: ignore[assignment]
    run_dir = Path(cfg.runs_dir, size, ablation, f"seed{cfg.seed}")
    earlier = read_record(run_dir)
    if earlier:
        check_same_config(run_dir, earlier, config)
        if earlier["status"] == "finished":
            print(f"{run_dir} is finished ({earlier['steps']} steps): nothing to train")
            return
    precision = choose_precision(cfg.precision)
    accelerator = Accelerator(
        mixed_precision=precision,
        # one batch is cut among the processes, so that their number changes no result
        dataloader_config=DataLoaderConfiguration(split_batches=True),
    )
    use_all_cores(processes=int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    with accelerator.main_process_first():
        manifest = Path(build(cfg.data)).resolve()
    set_seed(cfg.seed)
    model = build(cfg.model)
    parts: dict[str, Any] = {
        "accelerator": accelerator,
        "model": model,
        "objective": Objective(**config["losses"]),
        "optimizers": build(cfg.optimizer)([model]),
        "adversary": build(cfg.adversary),
        "loader": training_loader(manifest, seed=cfg.seed, **config["loader"]),
        "validation": Validation(
            waves=validation_waves(manifest, **config["validation"]["clips"]),
            examples=cfg.validation.examples,
            vocoder=build(cfg.vocoder),
            run_dir=run_dir,
            device=accelerator.device,
        ),
        "run_dir": run_dir,
        "channels_last": precision == "bf16",  # slower than contiguous in float32
        **config["trainer"],
    }
    record = {
        "ablation": ablation,
        "size": size,
        "seed": cfg.seed,
        "status": "running",
        "config": config,
        "claim": config["claim"] if config["claim"]["text"] else None,
        "manifest": str(manifest),
        "commit": git_commit(),
        "started": earlier["started"] if earlier else now(),
        "finished": None,
        "steps": cfg.trainer.steps,
        "parameters": model.parameters_count,
        "floats_per_second": model.floats_per_second,
        "latent_frames_per_second": model.latent_frames_per_second,
        "device": describe_device(accelerator.device),
        "processes": accelerator.num_processes,
        "precision": precision,
    }
    if accelerator.is_main_process:
        run_dir.mkdir(parents=True, exist_ok=True)
        tracker = Tracker(run_dir, mlflow_starter(cfg.mlflow, run_dir, earlier))
        record["mlflow"] = tracker.describe()
        write_record(run_dir, record)
        tracker.log_params(record)
        progress = fit(Trainer(tracker=tracker, **parts), tracker)
        finish(run_dir, record, progress, tracker)
    else:
        Trainer(tracker=Tracker(), **parts).fit()
    accelerator.end_training()


def check_types(cfg: DictConfig, size: str) -> None:
    """ValueError for a number that became something else: trainer.steps=many."""
    files = [CONF / "config.yaml", CONF / "size" / f"{size}.yaml"]
    stated = OmegaConf.merge(*map(OmegaConf.load, files))
    given = flatten(OmegaConf.to_container(cfg))  # type: ignore[arg-type]
    for name, value in flatten(OmegaConf.to_container(stated)).items():  # type: ignore[arg-type]
        now_is = given.get(name)
        if isinstance(value, int | float) and not isinstance(now_is, int | float | None):
            raise ValueError(f"{name} must be a number such as {value}, not {now_is!r}")


def build(section: DictConfig | None) -> Any:
    """Hydra's instantiate, but a part's own complaint is passed on as it is."""
    try:
        return instantiate(section)
    except InstantiationException as error:
        if isinstance(error.__cause__, ValueError | OSError):
            raise error.__cause__ from None
        raise


def fit(trainer: Trainer, tracker: Tracker) -> Progress:
    """Train, and leave word of a bad end."""
    try:
        return trainer.fit()
    except BaseException as error:
        tracker.finish("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
        raise


def finish(run_dir: Path, record: dict[str, Any], progress: Progress, tracker: Tracker) -> None:
    """Mark the run finished, with what it took."""
    speed = progress.speech_seconds / progress.seconds
    times = {
        "train_seconds": progress.seconds,
        "speech_seconds": progress.speech_seconds,
        "speech_per_second": speed,
    }
    write_record(run_dir, record | times | {"status": "finished", "finished": now()})
    tracker.log_metrics(progress.step, {f"run/{name}": value for name, value in times.items()})
    tracker.log_artifacts(run_dir / "last", "last")
    tracker.finish("FINISHED")
    print(
        f"{run_dir}: {progress.step} steps over {progress.speech_seconds / 60:.0f} minutes of"
        f" speech in {progress.seconds:.0f} s: {speed:.1f} s a second"
    )


def mlflow_starter(
    section: DictConfig | None, run_dir: Path, earlier: dict[str, Any] | None
) -> Callable[[], MLflowRun] | None:
    """What opens this run's MLflow run, again the same one on resuming; None without MLflow."""
    if section is None:
        return None
    uri = os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI
    known = (earlier or {}).get("mlflow") or {}
    run_id = known.get("run_id") if known.get("tracking_uri") == uri else None
    name = "/".join(run_dir.parts[-3:])
    return lambda: MLflowRun(uri, section.experiment, name, run_id)


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(cfg: DictConfig) -> None:
    choices = HydraConfig.get().runtime.choices
    with user_errors(*USER_ERRORS):  # inside, before Hydra adds lines of its own
        train(cfg, choices["size"], choices["ablation"])


if __name__ == "__main__":
    with user_errors(*USER_ERRORS):
        main()
