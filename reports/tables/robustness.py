"""What noise on the latents costs each system: curves over sigma, and who bears it better."""

import math

from dcvae.claims import BASELINE
from reports.formatting import signed, span
from reports.metric_registry import NOISE, ROBUST, metric_of
from reports.study.results import Estimate, of_most_seeds
from reports.study.study import Study

LEVEL = r"(\d+(?:\.\d+)?)"
AREA = "area"  # where the mean cost of noise stands
CLEAN = "reconstruction"  # no noise, where that has no condition of its own
RIVAL = "plain_ae"  # with what the baseline's robustness is compared, where it was run

Curves = dict[str, dict[float, Estimate]]  # by system and noise


def noise_conditions(
    study: Study, metric: str = "mel_l1", scaling: str = NOISE
) -> dict[float, str]:
    """The noise levels that the metric was measured at, 0 first, and their conditions."""
    found = study.select(metric, scaling + LEVEL)
    levels = dict(zip(found["level"], found["condition"], strict=True))
    return dict(sorted({0.0: CLEAN, **levels}.items())) if any(levels) else {}


def curves(study: Study, metric: str = "mel_l1", scaling: str = NOISE) -> Curves:
    """One metric by system and latent noise, in the unit in which it is written."""
    conditions = noise_conditions(study, metric, scaling)
    return {
        system: {
            sigma: metric_of(metric).shown(study.results.estimate(system, condition, metric))
            for sigma, condition in conditions.items()
        }
        for system in study.systems
        if conditions
    }


def areas(study: Study, metric: str = "mel_l1", scaling: str = NOISE) -> dict[str, Estimate]:
    """What noise up to TRAINED_NOISE costs each system on average; {} where none was measured."""
    cost = ROBUST[metric]
    found = {name: study.results.estimate(name, scaling + AREA, cost) for name in study.systems}
    return found if any(one.known for one in found.values()) else {}


def best_by_noise(found: Curves) -> dict[float, str]:
    """The system with the lowest mean at each noise, of those that have most seeds.

    "" where there is nothing to compare.
    """
    best = {}
    for sigma in next(iter(found.values()), {}):
        means = of_most_seeds({name: curve[sigma] for name, curve in found.items()})
        best[sigma] = min(means, key=lambda name: means[name]) if len(means) > 1 else ""
    return best


def sentences(study: Study) -> list[str]:
    """Who has the lower mel L1 at each noise: the baseline or its rival."""
    others = [one for one in study.systems if one != BASELINE]
    if BASELINE not in study.systems or not others:
        return []
    rival = RIVAL if RIVAL in others else others[0]
    return [
        sentence(study, rival, sigma, condition)
        for sigma, condition in noise_conditions(study).items()
    ]


def sentence(study: Study, rival: str, sigma: float, condition: str) -> str:
    """Who of baseline and rival has the lower mel L1 in one condition."""
    found = study.results
    means = {name: found.estimate(name, condition, "mel_l1").mean for name in (BASELINE, rival)}
    difference = found.difference(rival, condition, "mel_l1")
    where = f"With latent noise of {sigma:g}" if sigma else "Without noise"
    if not difference.has_interval:
        return f"{where} there are too few clips to compare {BASELINE} and {rival}."
    first, second = (rival, BASELINE) if difference.mean < 0 else (BASELINE, rival)
    shown = f"{means[first]:.3f} against {means[second]:.3f}"
    interval = (
        f"{rival} minus {BASELINE} {signed(difference.mean)}, 95% interval {span(difference)}"
    )
    if difference.clear:
        return f"{where} {first} is better than {second}: mel L1 {shown} ({interval})."
    if math.isnan(difference.p):
        return f"{where} {first}'s mel L1 is lower, of these weights: {shown} ({interval})."
    return f"{where} {BASELINE} and {rival} cannot be told apart: mel L1 {shown} ({interval})."
