"""What the page says in numbers: results, the latent space, failures; all from the statistics."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from dcvae.runs import Run
from reports.formatting import UNKNOWN
from reports.metric_registry import LATENT, LATENTS, QUALITY, UNSEEN, Metric, describe
from reports.study.results import NOTHING, Estimate, Record, of_most_seeds
from reports.study.study import Study

REFERENCES = ("original", "ceiling")  # the same for every run: no model made them
FAILURES = 12  # kinds that are listed


@dataclass
class Result:
    """One row of a table of metrics; its values are in the unit in which they are written."""

    name: str
    values: dict[str, Estimate]
    best: set[str] = field(default_factory=set)
    untrained: Estimate = NOTHING
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def known(self) -> bool:
        return any(one.known for one in self.values.values())

    @property
    def n_scored(self) -> int:
        """Measurements of the metric that has most of them."""
        return max((one.n_scored for one in self.values.values()), default=0)

    @property
    def n_failed(self) -> int:
        """Measurements that failed, of the metric where most did."""
        return max((one.n_failed for one in self.values.values()), default=0)

    def has_fewer(self, metric: str) -> bool:
        """Whether one metric was scored on fewer clips than the row's others."""
        one = self.values[metric]
        return one.has_interval and one.n_scored + one.n_failed < self.n_scored


def references(study: Study) -> list[Result]:
    """What every model is compared with: the original where it was scored, and the ceiling."""
    rows = [row_of(study, study.systems[0], name, QUALITY, name) for name in REFERENCES]
    return [row for row in rows if row.known or row.name == "ceiling"]


def models(study: Study) -> list[Result]:
    """Each system; the best of each metric is marked."""
    rows = [row_of(study, name, "reconstruction", QUALITY) for name in study.systems]
    budgets = {run.budget for run in study.runs}
    for row in rows:
        row.untrained = study.results.estimate(row.name, "untrained", "mel_l1")
        row.facts = facts(study.of(row.name), has_budgets=len(budgets) > 1)
    mark_best(rows, QUALITY)
    return rows


def latent_space(study: Study) -> list[Result]:
    """Each system whose latents were looked at."""
    rows = [row_of(study, name, LATENTS, LATENT) for name in study.systems]
    mark_best(rows, LATENT)
    return [row for row in rows if row.known]


def unseen_voices(study: Study) -> list[Result]:
    """Their ceiling, and each system that was scored on them."""
    rows = [row_of(study, name, UNSEEN, QUALITY) for name in study.systems]
    mark_best(rows, QUALITY)
    ceiling = row_of(study, study.systems[0], f"{UNSEEN}_ceiling", QUALITY, "ceiling")
    known = [row for row in rows if row.known]
    return [ceiling, *known] if known else []


def row_of(
    study: Study, system: str, condition: str, metrics: dict[str, Metric], name: str = ""
) -> Result:
    """One system's row of these metrics in one condition."""
    values = {
        key: metric.shown(study.results.estimate(system, condition, key))
        for key, metric in metrics.items()
    }
    return Result(name or system, values)


def mark_best(rows: Sequence[Result], metrics: dict[str, Metric]) -> None:
    """Note in each row the metrics in which it is better than every other row.

    Values of fewer seeds than the most stand aside.
    """
    for name, metric in metrics.items():
        sign = 1 if metric.better == "up" else -1
        means = of_most_seeds({row.name: row.values[name] for row in rows})
        known = [row for row in rows if row.name in means and metric.better]
        known.sort(key=lambda row: -sign * row.values[name].mean)
        if len(known) > 1 and known[0].values[name].mean != known[1].values[name].mean:
            known[0].best.add(name)


def measured(rows: Sequence[Result], metrics: dict[str, Metric]) -> dict[str, Metric]:
    """The metrics that some row has a value of."""
    return {
        name: metric
        for name, metric in metrics.items()
        if any(row.values[name].known for row in rows)
    }


def facts(runs: list[Run], has_budgets: bool = False) -> dict[str, str]:
    """What a system's runs say of themselves, ready to print."""
    described = runs[0].record

    def number(key: str, pattern: str, scale: float = 1.0) -> str:
        value = described.get(key)
        return format(value * scale, pattern) if isinstance(value, (int, float)) else UNKNOWN

    budget = f"{runs[0].budget:,} steps" if runs[0].budget else "the size's own"
    return {
        "floats/s": number("floats_per_second", ".0f"),
        "free floats/s": number("free_floats_per_second", ".0f"),
        "latent frames/s": number("latent_frames_per_second", ".2f"),
        "parameters": number("parameters", ".2f", 1e-6) + " M",
        **({"budget": budget} if has_budgets else {}),
        "steps": number("steps", ",.0f"),
        "speech heard": number("speech_seconds", ",.0f", 1 / 60) + " min",
        "training": number("train_seconds", ",.1f", 1 / 60) + " min",
        "seeds": str(len(runs)),
        "commit": str(described.get("commit") or UNKNOWN)[:10],
    }


@dataclass(frozen=True)
class Failure:
    """Measurements of one kind that failed, over all systems."""

    what: str
    where: str  # the systems
    failed: int
    asked: int
    reason: str


def failures(study: Study) -> list[Failure]:
    """What could not be measured, the most frequent kinds first."""
    kinds: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for row in study.results.rows.values():
        if row["n_failed"] > 0 and row["system"] in study.systems:
            kinds[row["condition"], row["metric"]].append(row)
    found = [failure_of(study, describe(*kind), rows) for kind, rows in kinds.items()]
    return sorted(found, key=lambda one: (-one.failed, one.what))


def failure_of(study: Study, what: str, rows: Sequence[Record]) -> Failure:
    """The failures of one kind, from the rows of the systems that have some."""
    names = sorted((row["system"] for row in rows), key=study.systems.index)
    failed = int(sum(row["n_failed"] for row in rows))
    return Failure(
        what,
        "all systems" if len(names) == len(study.systems) > 1 else ", ".join(names),
        failed,
        failed + int(sum(row["n_scored"] for row in rows)),
        max(rows, key=lambda row: row["n_failed"])["reason"],
    )


def headline(ceiling: Result, first: Result, seeds: int) -> list[str]:
    """What the first model's training brought, and what no model here can exceed."""
    trained, untrained = first.values["mel_l1"], first.untrained
    sentences, weights = [], ", of these weights" if seeds == 1 else ""
    if trained.known and untrained.known:
        sentences.append(
            f"Training brought the mel L1 of {first.name} on unheard clips from"
            f" {untrained.mean:.3f} to {trained.mean:.3f}, to"
            f" {100 * trained.mean / untrained.mean:.0f}% of the untrained model's{weights}."
        )
    parts = [
        f"{QUALITY[name].label} {first.values[name].mean:.2f} of the ceiling's"
        f" {ceiling.values[name].mean:.2f}"
        for name in ("pesq_wb", "stoi")
        if first.values[name].known and ceiling.values[name].known
    ]
    if parts:
        sentences.append(
            f"It reaches {' and '.join(parts)}; the ceiling is the original mel, vocoded."
        )
    return sentences
