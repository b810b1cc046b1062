"""Each ablation's claim and the verdict on it, as the analysis wrote them."""

import math
from dataclasses import dataclass

from reports.study import Study
from reports.metrics import Metric, describe, metric_of
from reports.statistics import Estimate, Record


@dataclass(frozen=True)
class Claim:
    """What an ablation's file expects, and what was measured: ablation minus baseline."""

    ablation: str
    text: str
    metric: Metric
    what: str  # the metric and its condition, for readers
    baseline: float
    value: float
    difference: Estimate
    effect: float
    p_holm: float
    verdict: str
    reason: str

    @property
    def whisker(self) -> tuple[float, float, float] | None:
        """Low, mean and high of the difference on a scale of -1 to 1 with zero in the middle."""
        one = self.difference
        if not one.has_interval:
            return None
        reach = max(abs(one.low), abs(one.high), abs(one.mean)) or 1.0
        return one.low / reach, one.mean / reach, one.high / reach

    @property
    def is_tested(self) -> bool:
        return not math.isnan(self.p_holm)

    @property
    def has_effect(self) -> bool:
        return not math.isnan(self.effect)


def claims(study: Study) -> list[Claim]:
    """The claims of the ablations on the page."""
    rows = [row for row in study.statistics.claims if row["ablation"] in study.ablations]
    return [claim_of(row) for row in rows]


def claim_of(row: Record) -> Claim:
    """One row of claims.csv, in the units in which its metric is written."""
    metric = metric_of(row["metric"])
    difference = Estimate(row["difference"], row["low"], row["high"], int(row["n_paired"]))
    return Claim(
        ablation=row["ablation"],
        text=row["text"],
        metric=metric,
        what=describe(row["condition"], row["metric"]),
        baseline=metric.unit * row["baseline"],
        value=metric.unit * row["value"],
        difference=metric.shown(difference),
        effect=row["effect"],
        p_holm=row["p_holm"],
        verdict=row["verdict"],
        reason=row["reason"],
    )
