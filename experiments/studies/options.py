"""What a study's YAML file may say, with the defaults of what it does not."""

from dataclasses import dataclass, field, fields
from typing import Any

EXECUTORS = ("local", "slurm", "submitit_local")
QUESTIONS = (
    "quality", "pitch", "dnsmos", "visqol", "intelligibility", "speaker", "latents",
    "latent_noise", "input_noise", "round_trips", "interpolation", "modelability",
    "unseen", "unseen_speaker",
)  # fmt: skip
BUDGETS = ("quick", "paper")
CLIP_COUNTS = ("clips", "robustness_clips", "word_clips", "unseen_clips")  # of Analysis


@dataclass
class Analysis:
    """Options of `python -m analysis`, by its names; None leaves its default."""

    clips: int | None = None
    robustness_clips: int | None = None
    word_clips: int | None = None
    unseen_clips: int | None = None
    only: list[str] | None = None
    skip: list[str] | None = None
    checkpoint: str | None = None
    whisper: str | None = None
    budget: str | None = None
    manifest: str | None = None
    device: str | None = None

    def arguments(self) -> list[str]:
        """["--clips", "40", "--only", "quality,pitch"]"""
        found = []
        for option in fields(self):
            value = getattr(self, option.name)
            if value is not None:
                text = ",".join(value) if isinstance(value, list) else str(value)
                found += [f"--{option.name.replace('_', '-')}", text]
        return found


@dataclass
class Study:
    """A list of runs and how they are run."""

    ablations: Any = "all"  # or a list of names
    seeds: list[int] = field(default_factory=lambda: [0])
    overrides: list[str] = field(default_factory=list)  # Hydra's, for every run
    analysis: Analysis | None = None  # None: not analysed
    report: bool = False
    executor: str = "local"
    jobs: int = 1  # runs at once; SLURM gets all of them and decides by itself
    gpus: list[str] | None = None  # ids of this machine's; each run gets `processes` of them
    processes: int = 1  # of one run
    port: int | None = None  # of a run's processes; None: a free one for each launch
    slurm: dict[str, Any] = field(default_factory=dict)  # submitit's: partition, timeout_min, ...
