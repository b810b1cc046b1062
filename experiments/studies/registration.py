"""study.json: a study's runs and the claims that they are to decide, written before any score."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dcvae.claims import Claim
from dcvae.runs import ANALYSIS, PLAN, read_object
from dcvae.utils.files import replace_json
from experiments.ablations import Registry
from experiments.config import read_registry
from experiments.studies.phases import factors_of
from experiments.studies.plan import Plan

FIXED = ("claims", "family", "factors")  # from the first scored run on


def register(plan: Plan) -> Path:
    """Write the study's plan into its folder, whole or not at all.

    ValueError where it is there already with other claims and a run of the study is scored: claims
    may follow the measures until someone has seen a score, and not after.
    """
    path, said = plan.folder / PLAN, described(plan, read_registry())
    if path.is_file() and any((row.run_dir / ANALYSIS).exists() for row in plan.rows):
        before = read_object(path)
        for key in FIXED:
            if before.get(key) != said[key]:
                raise ValueError(
                    f"the {key} of study {plan.name} are not those of {path}, which was written"
                    " before its runs were scored: give the study another name"
                )
    replace_json(path, said)
    return path


def described(plan: Plan, registry: Registry) -> dict[str, Any]:
    """The plan as plain values; folders are relative to the runs' folder."""
    claims = claims_of(plan, registry)
    return {
        "name": plan.name,
        "size": plan.size,
        "factors": factors_of(plan.study),
        "family": family_of(plan, registry),
        "claims": [asdict(claim) for claim in claims],
        "runs": [
            {
                "ablation": row.ablation,
                "parts": list(registry.parts(row.ablation)),
                "seed": row.seed,
                "budget": row.budget,
                "phase": row.phase,
                "folder": row.run_dir.relative_to(plan.runs_dir).as_posix(),
            }
            for row in plan.rows
        ],
        "until": plan.study.until,
        "max_seeds": plan.study.max_seeds,
    }


def claims_of(plan: Plan, registry: Registry) -> list[Claim]:
    """What the files of the study's ablations claim, in the order of the runs."""
    return [claim for name in plan.ablations for claim in registry.claims(name)]


def family_of(plan: Plan, registry: Registry) -> list[str]:
    """The ids of the claims that are tested together.

    ValueError, in one line, for a claim that there is not, and for one that compares with a system
    that the study has not.
    """
    claims = claims_of(plan, registry)
    if plan.study.family is not None:
        wanted = [id_ for entry in plan.study.family for id_ in members(entry, claims, registry)]
        claims = [claim for claim in claims if claim.id in wanted]
    for claim in claims:
        if claim.against not in plan.ablations:
            raise ValueError(
                f"{claim.id} compares with {claim.against}, which the study has not: add it to the"
                " ablations, or leave the claim out of the family"
            )
    return [claim.id for claim in claims]


def members(entry: str, claims: Sequence[Claim], registry: Registry) -> list[str]:
    """The ids that an entry of `family` stands for: one claim's, or all of an ablation."""
    if ":" in entry:
        found = [claim.id for claim in claims if claim.id == entry]
    else:
        name = registry.name(entry)
        found = [claim.id for claim in claims if claim.ablation == name]
    if not found:
        known = ", ".join(claim.id for claim in claims) or "it has none"
        raise ValueError(f"family names {entry}, but the study's claims are: {known}")
    return found
