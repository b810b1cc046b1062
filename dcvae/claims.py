"""What an ablation's file claims: a metric, a direction, and the smallest effect worth having.

A claim is written down before the runs that test it. It names a component of the design, so that
the promises of the design and the claims that speak of them meet in one place.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BASELINE = "baseline"
STUDY, EXPLORATORY = "study", "exploratory"  # families: written down before the runs, or not
DIRECTIONS = ("up", "down")
REQUIRED = ("text", "metric", "direction", "margin", "component")
OPTIONAL = ("against",)
PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")
COMPONENTS: Mapping[str, str] = {
    "noise": "Posterior noise makes the latents robust.",
    "layernorm": "LayerNorm prevents the collapse of channels.",
    "dispersive": "The dispersive loss makes the latents separable without external features.",
    "critics": "The critics keep perceptual quality.",
    "compression": "16x compression keeps speech intelligible.",
    "easy_to_model": "The latents are easy to model.",
    "no_normalisation": "No pre-normalisation is needed before modelling them.",
    "semantic": "The latents are semantic: they hold what is said.",
}


@dataclass(frozen=True)
class Claim:
    """One expectation: how the ablation's value lies to that of the system `against`."""

    ablation: str
    text: str
    condition: str
    metric: str
    direction: str  # "up" or "down"
    margin: float  # in the metric's unit, or a share of the value that it is compared with
    margin_is_relative: bool
    component: str  # a name of COMPONENTS
    against: str = BASELINE

    @property
    def id(self) -> str:
        """No other claim has it: "no_noise:latent_noise_1.0/mel_l1"."""
        return f"{self.ablation}:{self.condition}/{self.metric}"


def read_claims(ablation: str, raw: object) -> list[Claim]:
    """The claims of an ablation's file, from the list under `claims`.

    ValueError, in one line, for what could not be tested.
    """
    if not isinstance(raw, list | tuple):
        raise ValueError(f"{ablation}: claims must be a list, not {raw!r}")
    found = [read_claim(ablation, one) for one in raw]
    ids = [claim.id for claim in found]
    for name in ids:
        if ids.count(name) > 1:
            raise ValueError(f"{name} is claimed twice")
    return found


def read_claim(ablation: str, raw: object) -> Claim:
    """One claim of the list."""
    if not isinstance(raw, Mapping):
        raise ValueError(f"{ablation}: a claim must be a mapping, not {raw!r}")
    check_keys(ablation, raw)
    condition, _, metric = str(raw["metric"]).rpartition("/")
    where = f"{ablation}: the claim about {raw['metric']}"
    if not (condition and metric):
        raise ValueError(f"{where} must name condition and metric: reconstruction/stoi")
    if raw["direction"] not in DIRECTIONS:
        raise ValueError(f"{where} has direction {raw['direction']!r}: up or down")
    if raw["component"] not in COMPONENTS:
        known = ", ".join(COMPONENTS)
        raise ValueError(f"{where} has component {raw['component']!r}: one of {known}")
    margin, is_relative = read_margin(where, raw["margin"])
    against = str(raw.get("against") or BASELINE)
    if against == ablation:
        raise ValueError(f"{where} compares {ablation} with itself")
    return Claim(
        ablation=ablation,
        text=str(raw["text"]),
        condition=condition,
        metric=metric,
        direction=str(raw["direction"]),
        margin=margin,
        margin_is_relative=is_relative,
        component=str(raw["component"]),
        against=against,
    )


def check_keys(ablation: str, raw: Mapping[Any, Any]) -> None:
    """ValueError for a key that no claim has, and for one that is missing."""
    about = f"the claim about {raw['metric']}" if raw.get("metric") else "a claim"
    for key in raw:
        if key not in (*REQUIRED, *OPTIONAL):
            known = ", ".join((*REQUIRED, *OPTIONAL))
            raise ValueError(f"{ablation}: {about} has an unknown key {key!r}: {known}")
    for key in REQUIRED:
        if raw.get(key) in (None, ""):
            raise ValueError(f"{ablation}: {about} states no {key}")


def read_margin(where: str, raw: object) -> tuple[float, bool]:
    """The margin and whether it is a share of the other side's value, as "10%" says."""
    share = PERCENT.fullmatch(raw.strip()) if isinstance(raw, str) else None
    if share:
        margin = float(share.group(1)) / 100
    elif isinstance(raw, int | float) and not isinstance(raw, bool):
        margin = float(raw)
    else:
        raise ValueError(
            f"{where} has margin {raw!r}: a number in the metric's unit, or a share of the"
            ' value that it is compared with, such as "10%"'
        )
    if not 0 < margin < math.inf:
        raise ValueError(f"{where} has margin {raw!r}: it must be above 0")
    return margin, share is not None
