"""What the design promises of each of its parts, beside the claims that put it to the test."""

from collections.abc import Sequence
from dataclasses import dataclass

from dcvae.claims import COMPONENTS
from dcvae.runs import shown, train_command
from dcvae.system_names import split_name
from reports.study.budgets import at_one_budget
from reports.study.claims import Claim
from reports.study.results import DECIDED, ONE_SEED, UNDECIDED
from reports.study.study import Study

FIGURES = {  # by component, the names of what shows it, the best one first
    "noise": ("latent-noise-mel-l1",),
    "layernorm": ("latent-spectrum", "latent-rms"),
    "dispersive": ("latent-separability", "latent-tsne"),
    "critics": ("quality-pesq-wb",),
    "compression": ("quality-stoi",),
    "easy_to_model": ("interface", "modelability"),
    "no_normalisation": ("modelability-flops",),
}


@dataclass(frozen=True)
class Finding:
    """A promise and the study's claims on it; `verdict` is what they agree on."""

    text: str
    verdict: str
    evidence: list[Claim]
    unrun: list[str]  # systems that would say more
    commands: list[str]  # what trains and measures them
    figure: str  # the name of one on the page, or ""


def findings(study: Study, claims: Sequence[Claim], figures: Sequence[str]) -> list[Finding]:
    """Every promise with its evidence; `figures` are the names of those on the page."""
    return [finding(study, name, claims, figures) for name in COMPONENTS]


def finding(
    study: Study, component: str, claims: Sequence[Claim], figures: Sequence[str]
) -> Finding:
    """One promise: what was measured, what would have to be run, and its figure."""
    asked = [one for one in claims if one.component == component and not one.is_exploratory]
    evidence = [one for one in at_one_budget(asked) if one.system in study.systems]
    unrun = list(dict.fromkeys(one.system for one in asked if one.system not in study.systems))
    shown = FIGURES.get(component, ())
    return Finding(
        COMPONENTS[component],
        summary([one.verdict for one in evidence]),
        evidence,
        unrun,
        commands(study, unrun),
        next((name for name in shown if evidence and name in figures), ""),
    )


def commands(study: Study, systems: Sequence[str]) -> list[str]:
    """What trains these systems in the study's size and measures them: the study, if it is one."""
    if study.name:
        return [f"python -m experiments.study study={study.name}"] if systems else []
    return [command(study, system) for system in systems]


def command(study: Study, system: str) -> str:
    """What trains one system in the study's size and measures it."""
    ablation, budget = split_name(system)
    size = f"{study.size}-{budget}steps" if budget else study.size
    folder = study.runs[0].folder.parents[2] / size / ablation / "seed0"
    return f"{train_command(system, study.size)} && python -m analysis {shown(folder)}"


def summary(verdicts: Sequence[str]) -> str:
    """What the decided verdicts agree on; "mixed" where they do not."""
    decided = {one for one in verdicts if one in DECIDED}
    if decided:
        return decided.pop() if len(decided) == 1 else "mixed"
    return next((one for one in (UNDECIDED, ONE_SEED) if one in verdicts), "not measured")
