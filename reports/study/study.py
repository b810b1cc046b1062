"""A study: its analysed runs, their statistics and curves."""

from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

import pandas as pd

from dcvae.runs import METRICS, Run, RunError
from dcvae.utils.jsonl import read_lines
from reports.metric_registry import metric_of
from reports.study.results import Results


@dataclass
class Study:
    """The analysed runs of a study, the baseline's first, and what is missing around them."""

    size: str
    runs: list[Run]
    results: Results
    missing: list[str] = field(default_factory=list)
    name: str = ""  # of RUNS/studies/NAME; "" for all runs of a size
    peers: "Study | None" = None  # other systems that were scored on the study's clips
    picked: tuple[str, ...] = ()  # systems that go first where there is no room for all

    @property
    def systems(self) -> list[str]:
        return list(dict.fromkeys(run.system for run in self.runs))

    def of(self, system: str) -> list[Run]:
        """The runs of one system, by seed."""
        return [run for run in self.runs if run.system == system]

    @property
    def by_choice(self) -> list[str]:
        """The systems: the baseline, those that were picked, and the others."""
        return list(dict.fromkeys([self.systems[0], *self.picked, *self.systems]))

    def shown(self, most: int) -> list[str]:
        """The systems that have a place among so many, in the study's order."""
        chosen = self.by_choice[:most]
        return [system for system in self.systems if system in chosen]

    def select(self, metric: str, condition: str) -> pd.DataFrame:
        """`Results.select` of the study's systems, in the unit in which the metric is written."""
        found = self.results.select(metric, condition, self.systems)
        found[["mean", "low", "high"]] *= metric_of(metric).unit
        return found

    @cached_property
    def curves(self) -> pd.DataFrame:
        """`read_curves`, read once for all figures."""
        return read_curves(self)

    @property
    def date(self) -> str:
        """ISO day on which the last run ended, so that the same runs make the same report."""
        ends = [str(run.record.get("finished") or "")[:10] for run in self.runs]
        return max(ends) or date.today().isoformat()

    @property
    def seeds(self) -> list[int]:
        return sorted({run.seed for run in self.runs})

    @property
    def clips(self) -> int:
        """On how many clips the first run was scored."""
        return len((self.runs[0].summary or {}).get("clips", ()))

    @property
    def intervals(self) -> str:
        """What the page's intervals are; with one seed they say nothing of another training."""
        counts = {len(self.of(system)) for system in self.systems}
        if max(counts) == 1:
            return "95% intervals over clips, of these weights"
        alone = " (of one seed: over clips, of these weights)" if 1 in counts else ""
        return f"95% intervals over training seeds and clips{alone}"

    @property
    def verdicts(self) -> str:
        """How a claim gets a verdict; "" where no system has a second seed."""
        if all(len(self.of(system)) == 1 for system in self.systems):
            return ""
        return (
            "Supported and contradicted are verdicts of a two-sided test at 5% after Holm's"
            " correction for the study's claims, Bonferroni's within strata and in the full design."
            " Negligible: the 90% interval lies within the margin. Undecided: neither, so far."
            " Exploratory claims are not corrected."
        )

    @property
    def more_seeds(self) -> str:
        """What trains and analyses more seeds of every system, with its command."""
        seeds, what, which = self.seeds, "the seeds that are missing", f"study={self.name}"
        if self.results.record.get("phases"):  # which have seeds of their own
            return f"train {what}: `python -m experiments.study {which}`"
        if not self.name:
            ablations = dict.fromkeys(run.ablation for run in self.runs)
            which = f"study=paper size={self.size} ablations=[{','.join(ablations)}]"
        if len(seeds) == 1:
            seeds = [seeds[0] + number for number in range(3)]
            what = f"seeds {seeds[1]} and {seeds[2]}"
        elif self.name:  # they are in its plan
            return f"train {what}: `python -m experiments.study {which}`"
        listed = ",".join(map(str, seeds))
        return f"train {what}: `python -m experiments.study {which} seeds=[{listed}]`"


def read_curves(study: Study) -> pd.DataFrame:
    """metrics.jsonl of every run as columns system, seed, step, key, value.

    A last line cut short by a crash is left out; RunError names the file of a row without a step.
    """
    rows = []
    for run in study.runs:
        for point in points_of(run):
            rows += [
                (run.system, run.seed, point["step"], key, value)
                for key, value in point.items()
                if key.startswith(("train/", "validation/")) and isinstance(value, (int, float))
            ]
    return pd.DataFrame(rows, columns=["system", "seed", "step", "key", "value"])


def points_of(run: Run) -> list[dict[str, Any]]:
    """The rows of a run's metrics.jsonl; none where it has no such file."""
    path = run.folder / METRICS
    points = read_lines(path)
    for number, point in enumerate(points, start=1):
        step = point.get("step") if isinstance(point, dict) else None
        if isinstance(step, bool) or not isinstance(step, (int, float)):
            raise RunError(f"{path} is damaged: its row {number} has no step")
    return points
