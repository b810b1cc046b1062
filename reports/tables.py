"""What the page says in numbers: results, claims, robustness; every one from the tables."""

import math
from dataclasses import dataclass, field

from reports.collect import BASELINE, Run, Study
from reports.statistics import (
    NOTHING,
    Estimate,
    estimate,
    paired_difference,
    select,
)

NOISE = "latent_noise_"
MINUS = "\N{MINUS SIGN}"
UNKNOWN = "\N{EN DASH}"
RIVAL = "plain_ae"  # with what the baseline's robustness is compared, where it was run


@dataclass(frozen=True)
class Metric:
    """A metric's name for readers and which way is better."""

    label: str
    better: str  # "up" or "down"
    start: float = 0.0  # where a bar begins: the worst value, or 0


METRICS = {
    "pesq_wb": Metric("PESQ-wb", "up", 1.0),
    "stoi": Metric("STOI", "up"),
    "mel_l1": Metric("mel L1", "down"),
}


@dataclass
class Result:
    """One row of the results table."""

    name: str
    values: dict[str, Estimate]
    best: set[str] = field(default_factory=set)
    untrained: Estimate = NOTHING
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def n_scored(self) -> int:
        """Clips for which every metric of the row was had."""
        return min((one.n_scored for one in self.values.values() if one is not NOTHING), default=0)

    @property
    def n_failed(self) -> int:
        """Clips for which some metric of the row could not be had."""
        return max((one.n_failed for one in self.values.values()), default=0)


def results(study: Study) -> list[Result]:
    """The ceiling, then each ablation; the best ablation of each metric is marked."""
    table = study.table
    ceiling = Result(
        "ceiling",
        {
            name: NOTHING
            if select(table, None, "ceiling", name).empty
            else estimate(table, None, "ceiling", name)
            for name in METRICS
        },
    )
    rows = [
        Result(
            ablation,
            {name: estimate(table, ablation, "reconstruction", name) for name in METRICS},
            untrained=estimate(table, ablation, "untrained", "mel_l1"),
            facts=facts(study.of(ablation)),
        )
        for ablation in study.ablations
    ]
    for name, metric in METRICS.items():
        known = [row for row in rows if row.values[name].known]
        if len(known) > 1:
            sign = 1 if metric.better == "up" else -1
            max(known, key=lambda row: sign * row.values[name].mean).best.add(name)
    return [ceiling, *rows]


def facts(runs: list[Run]) -> dict[str, str]:
    """What an ablation's runs say of themselves, ready to print."""
    described = runs[0].described

    def number(key: str, pattern: str, scale: float = 1.0) -> str:
        value = described.get(key)
        return format(value * scale, pattern) if isinstance(value, (int, float)) else UNKNOWN

    return {
        "floats/s": number("floats_per_second", ".0f"),
        "latent frames/s": number("latent_frames_per_second", ".2f"),
        "parameters": number("parameters", ".2f", 1e-6) + " M",
        "steps": number("steps", ",.0f"),
        "speech heard": number("speech_seconds", ",.0f", 1 / 60) + " min",
        "training": number("train_seconds", ",.1f", 1 / 60) + " min",
        "seeds": str(len(runs)),
        "commit": str(described.get("commit") or UNKNOWN)[:10],
    }


def noise_conditions(study: Study) -> dict[float, str]:
    """The noise levels that were measured, 0 first, and their conditions."""
    names = [one for one in study.table["condition"].unique() if one.startswith(NOISE)]
    levels = {float(name.removeprefix(NOISE)): name for name in names}
    return {0.0: "reconstruction", **dict(sorted(levels.items()))} if levels else {}


def robustness(study: Study) -> dict[str, dict[float, Estimate]]:
    """Mel L1 by ablation and latent noise."""
    conditions = noise_conditions(study)
    return {
        ablation: {
            sigma: estimate(study.table, ablation, condition, "mel_l1")
            for sigma, condition in conditions.items()
        }
        for ablation in study.ablations
        if conditions
    }


def best_by_noise(curves: dict[str, dict[float, Estimate]]) -> dict[float, str]:
    """The ablation with the lowest mean at each noise; "" where there is nothing to compare."""
    best = {}
    for sigma in next(iter(curves.values()), {}):
        means = {name: curve[sigma].mean for name, curve in curves.items() if curve[sigma].known}
        best[sigma] = min(means, key=lambda name: means[name]) if len(means) > 1 else ""
    return best


def robustness_sentences(study: Study) -> list[str]:
    """Who has the lower mel L1 at each noise: the baseline or its rival."""
    others = [one for one in study.ablations if one != BASELINE]
    if BASELINE not in study.ablations or not others:
        return []
    rival = RIVAL if RIVAL in others else others[0]
    sentences = []
    for sigma, condition in noise_conditions(study).items():
        means = {
            name: estimate(study.table, name, condition, "mel_l1").mean
            for name in (BASELINE, rival)
        }
        difference = paired_difference(study.table, BASELINE, rival, condition, "mel_l1")
        where = f"With latent noise of {sigma:g}" if sigma else "Without noise"
        if math.isnan(difference.low):
            sentences.append(f"{where} there are too few clips to compare {BASELINE} and {rival}.")
            continue
        first, second = sorted(means, key=lambda name: means[name])
        shown = f"{means[first]:.3f} against {means[second]:.3f}"
        interval = f"difference {signed(difference.mean)}, 95% interval {span(difference)}"
        if difference.clear:
            sentences.append(
                f"{where} {first} is better than {second}: mel L1 {shown} ({interval})."
            )
        else:
            sentences.append(
                f"{where} {BASELINE} and {rival} cannot be told apart: mel L1 {shown} ({interval})."
            )
    return sentences


def span(one: Estimate, digits: int = 3) -> str:
    """An interval for a sentence or a cell."""
    return f"{one.low:.{digits}f} to {one.high:.{digits}f}".replace("-", MINUS)


def signed(value: float, digits: int = 3) -> str:
    """A difference with its sign."""
    return f"{value:+.{digits}f}".replace("-", MINUS)


def headline(rows: list[Result]) -> list[str]:
    """What the first model's training brought, and what no model here can exceed."""
    ceiling, first = rows[0], rows[1]
    trained, untrained = first.values["mel_l1"], first.untrained
    sentences = []
    if trained.known and untrained.known:
        sentences.append(
            f"Training brought the mel L1 of {first.name} on unheard clips from"
            f" {untrained.mean:.3f} to {trained.mean:.3f}, to"
            f" {100 * trained.mean / untrained.mean:.0f}% of the untrained model's."
        )
    parts = [
        f"{METRICS[name].label} {first.values[name].mean:.2f} of the ceiling's"
        f" {ceiling.values[name].mean:.2f}"
        for name in ("pesq_wb", "stoi")
        if first.values[name].known and ceiling.values[name].known
    ]
    if parts:
        sentences.append(
            f"It reaches {' and '.join(parts)}; the ceiling is the original mel, vocoded."
        )
    return sentences
