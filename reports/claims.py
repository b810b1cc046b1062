"""Each ablation's claim, and what the tables say of it."""

from dataclasses import dataclass
from typing import Any

from reports.collect import BASELINE, Study
from reports.statistics import NOTHING, Estimate, estimate, paired_difference
from reports.tables import METRICS, NOISE


@dataclass(frozen=True)
class Claim:
    """What an ablation's file expects, and what was measured: ablation minus baseline."""

    ablation: str
    text: str
    metric: str
    direction: str
    baseline: Estimate = NOTHING
    value: Estimate = NOTHING
    difference: Estimate = NOTHING

    @property
    def verdict(self) -> str:
        """From the 95% interval alone."""
        if not self.difference.known:
            return "not measured yet"
        if not self.difference.clear:
            return "undecided"
        return (
            "as claimed"
            if (self.difference.mean > 0) == (self.direction == "up")
            else "the opposite"
        )

    @property
    def whisker(self) -> tuple[float, float, float]:
        """Low, mean and high of the difference on a scale of -1 to 1 with zero in the middle."""
        one = self.difference
        reach = max(abs(one.low), abs(one.high)) or 1.0
        return one.low / reach, one.mean / reach, one.high / reach


def claims(study: Study) -> list[Claim]:
    """Each ablation's claim beside the measured difference to the baseline."""
    table = study.table
    found = []
    for ablation in study.ablations:
        claim: dict[str, Any] = study.of(ablation)[0].described.get("claim") or {}
        if ablation == BASELINE or not claim:
            continue
        metric = str(claim.get("metric", ""))
        condition, _, name = metric.rpartition("/")
        where = (condition or "reconstruction", name)
        found.append(
            Claim(
                ablation,
                str(claim.get("text", "")),
                metric_label(metric),
                str(claim.get("direction", "")),
                estimate(table, BASELINE, *where),
                estimate(table, ablation, *where),
                paired_difference(table, ablation, BASELINE, *where),
            )
        )
    return found


def metric_label(metric: str) -> str:
    """Reads "latent_noise_1.0/mel_l1" as "mel L1 at latent noise 1.0"."""
    condition, _, name = metric.rpartition("/")
    label = METRICS[name].label if name in METRICS else name.replace("_", " ")
    if condition.startswith(NOISE):
        return f"{label} at latent noise {condition.removeprefix(NOISE)}"
    return label if condition in ("", "reconstruction") else f"{label}, {condition}"
