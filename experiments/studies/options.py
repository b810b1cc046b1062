"""What a study's YAML file may say, with the defaults of what it does not."""

from dataclasses import dataclass, field, fields
from typing import Any

UNTIL = ("decided",)
EXECUTORS = ("local", "slurm", "submitit_local")
EVALUATORS = (
    "quality", "pitch", "distillmos", "dnsmos", "visqol", "intelligibility", "speaker",
    "latents", "phones", "channels", "latent_noise", "latent_noise_audio", "input_noise",
    "round_trips", "interpolation", "modelability", "continuation_frechet", "continuations",
    "interface", "unseen",
    "unseen_speaker",
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
class Phase:
    """Runs that are planned together: every ablation with its seeds, at every budget."""

    name: str = ""
    ablations: Any = None  # names, lists of names (a composition), or "all"
    factors: list[str] | None = None  # ablations of which all compositions are run
    seeds: Any = None  # [0, 1], or counts: {baseline: 10, default: 3}; None: [0]
    budgets: list[int | None] | None = None  # trainer.steps; None: the size's own


@dataclass
class Study:
    """Runs, how they are run, and the claims that they are to decide."""

    ablations: Any = None  # these four as in a phase; "all" where there are neither factors
    factors: list[str] | None = None
    seeds: Any = None
    budgets: list[int | None] | None = None
    phases: list[Phase] = field(default_factory=list)  # in their order, instead of those four
    family: list[str] | None = None  # ids of claims, or ablations; None: all claims there are
    until: str | None = None  # "decided": add blocks of seeds while a claim of the family is open
    max_seeds: int | None = None  # of each ablation, where seeds are added
    overrides: list[str] = field(default_factory=list)  # Hydra's, for every run
    analysis: Analysis | None = None  # None: not analysed
    report: bool = False
    executor: str = "local"
    jobs: int = 1  # runs at once; SLURM gets all of them and decides by itself
    gpus: list[str] | None = None  # ids of this machine's; each run gets `processes` of them
    processes: int = 1  # of one run
    port: int | None = None  # of a run's processes; None: a free one for each launch
    slurm: dict[str, Any] = field(default_factory=dict)  # submitit's: partition, timeout_min, ...
