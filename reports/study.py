"""A study: its analysed runs, their statistics and curves."""

from dataclasses import dataclass, field
from datetime import date

import pandas as pd

from dcvae.runs import METRICS, Run
from dcvae.utils.jsonl import as_row
from reports.metric_registry import metric_of
from reports.results import Results


@dataclass
class Study:
    """The analysed runs of a study, the baseline's first, and what is missing around them."""

    size: str
    runs: list[Run]
    results: Results
    missing: list[str] = field(default_factory=list)
    name: str = ""  # of RUNS/studies/NAME; "" for all runs of a size
    peers: "Study | None" = None  # other systems that were scored on the study's clips

    @property
    def systems(self) -> list[str]:
        return list(dict.fromkeys(run.system for run in self.runs))

    def of(self, system: str) -> list[Run]:
        """The runs of one system, by seed."""
        return [run for run in self.runs if run.system == system]

    def select(self, metric: str, condition: str) -> pd.DataFrame:
        """`Results.select` of the study's systems, in the unit in which the metric is written."""
        found = self.results.select(metric, condition, self.systems)
        found[["mean", "low", "high"]] *= metric_of(metric).unit
        return found

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
            " correction for the study's claims. Negligible: the 90% interval lies within the"
            " margin. Undecided: neither, so far. Exploratory claims are not corrected."
        )

    @property
    def more_seeds(self) -> str:
        """What trains and analyses more seeds of every system, with its command."""
        seeds, what, which = self.seeds, "the seeds that are missing", f"study={self.name}"
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

    A last line cut short by a crash is left out.
    """
    rows = []
    for run in study.runs:
        path = run.folder / METRICS
        lines = path.read_bytes().splitlines() if path.is_file() else []
        for point in filter(None, map(as_row, lines)):
            rows += [
                (run.system, run.seed, point["step"], key, value)
                for key, value in point.items()
                if key.startswith(("train/", "validation/")) and isinstance(value, (int, float))
            ]
    return pd.DataFrame(rows, columns=["system", "seed", "step", "key", "value"])
