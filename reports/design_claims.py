"""What the design promises of each of its parts, beside the ablations that put it to the test."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from reports.claims import Claim, claim_of
from reports.study import BASELINE, Study
from reports.metrics import LATENTS, describe, metric_of

OPPOSITE = {"supported": "contradicted", "contradicted": "supported"}
NO_TEST = "one number of each system is no test: train several seeds"
NOT_ALONE = "not isolated"  # the verdict where every ablation run takes away other parts too
OWN_INTERVAL = "judged by its interval alone: no ablation's file claims it"


@dataclass(frozen=True)
class Probe:
    """One measurement that can tell: where the design expects the ablation to move a metric."""

    ablation: str
    condition: str
    metric: str
    direction: str  # "up" or "down": how the ablation's value lies to the baseline's
    text: str  # what is expected, where no ablation's file says it
    besides: str = ""  # what else the ablation takes away: it cannot tell of the part alone

    def is_of(self, row: dict[str, object]) -> bool:
        """Whether a row of claims.csv is about the same ablation, metric and condition."""
        mine = (self.ablation, self.condition, self.metric)
        return (row["ablation"], row["condition"], row["metric"]) == mine


@dataclass(frozen=True)
class DesignClaim:
    """A promise of the design; `figures` are the names of what shows it, the best one first."""

    text: str
    probes: tuple[Probe, ...]
    figures: tuple[str, ...]


@dataclass(frozen=True)
class Finding:
    """A promise and what was measured of it; `verdict` sums up its evidence's verdicts."""

    text: str
    verdict: str
    evidence: list[Claim]
    unrun: list[str]  # commands that would measure more
    figure: str  # the name of one on the page, or ""


NOISY = "latent_noise_1.0"
CLEAN = "reconstruction"
DESIGN = (
    DesignClaim(
        "Posterior noise makes the latents robust.",
        (
            Probe("no_noise", NOISY, "mel_l1", "up", "Without it the decoder bears noise less."),
            Probe(
                "plain_ae",
                NOISY,
                "mel_l1",
                "up",
                "A plain autoencoder bears noise less.",
                "it goes without LayerNorm and repulsion too",
            ),
        ),
        ("latent-noise-mel-l1",),
    ),
    DesignClaim(
        "LayerNorm prevents the collapse of channels.",
        (
            Probe("no_layernorm", LATENTS, "effective_rank", "down", "Without it the rank falls."),
            Probe("no_layernorm", LATENTS, "dead_channels", "up", "Without it channels die."),
        ),
        ("latent-spectrum",),
    ),
    DesignClaim(
        "The dispersive loss makes the latents separable without external features.",
        (
            Probe(
                "no_dispersive", LATENTS, "speaker_probe", "down", "Without it speakers mix more."
            ),
        ),
        ("latent-separability", "latent-tsne"),
    ),
    DesignClaim(
        "The critics keep perceptual quality.",
        (Probe("no_adversary", CLEAN, "pesq_wb", "down", "Without them quality falls."),),
        ("quality-pesq-wb",),
    ),
    DesignClaim(
        "16x compression keeps speech intelligible.",
        (
            Probe("compression_32x", CLEAN, "stoi", "down", "At 32x words are lost."),
            Probe("compression_8x", CLEAN, "stoi", "down", "At 8x words are kept no better."),
        ),
        ("quality-stoi",),
    ),
)


def findings(study: Study, figures: Sequence[str]) -> list[Finding]:
    """Every promise with its evidence; `figures` are the names of those on the page."""
    return [finding(study, claim, figures) for claim in DESIGN]


def finding(study: Study, claim: DesignClaim, figures: Sequence[str]) -> Finding:
    """One promise: what was measured, what would have to be run, and its figure."""
    run = [probe for probe in claim.probes if probe.ablation in study.ablations]
    unrun = [probe.ablation for probe in claim.probes if probe.ablation not in study.ablations]
    evidence = [evidence_of(study, probe) for probe in run]
    telling = [one.verdict for one, probe in zip(evidence, run, strict=True) if not probe.besides]
    return Finding(
        claim.text,
        summary(telling) if telling or not run else NOT_ALONE,
        evidence,
        [command(study, ablation) for ablation in dict.fromkeys(unrun)],
        next((name for name in claim.figures if evidence and name in figures), ""),
    )


def command(study: Study, ablation: str) -> str:
    """What trains an ablation in the study's size and measures it."""
    folder = study.runs[0].folder.parents[1] / ablation / "seed0"
    train = f"accelerate launch experiments/run.py ablation={ablation} size={study.size}"
    return f"{train} && python -m analysis {folder}"


def summary(verdicts: Sequence[str]) -> str:
    """What clear verdicts agree on; "mixed" where they do not."""
    clear = {one for one in verdicts if one in OPPOSITE}
    if clear:
        return clear.pop() if len(clear) == 1 else "mixed"
    return "undecided" if "undecided" in verdicts else "not measured"


def evidence_of(study: Study, probe: Probe) -> Claim:
    """What the statistics say, and what else the ablation takes away."""
    claim = own_or_measured(study, probe)
    reasons = [reason for reason in (claim.reason, probe.besides) if reason]
    return replace(claim, reason="; ".join(reasons))


def own_or_measured(study: Study, probe: Probe) -> Claim:
    """The ablation's own claim where that asks the same, else the statistics' difference."""
    for row in study.statistics.claims:
        if probe.is_of(row):
            claim = claim_of(row)
            if row["direction"] == probe.direction:
                return claim
            verdict = OPPOSITE.get(claim.verdict, claim.verdict)
            return replace(claim, text=probe.text, verdict=verdict)
    return from_statistics(study, probe)


def from_statistics(study: Study, probe: Probe) -> Claim:
    """A difference that no ablation's file names, judged by its own 95% interval."""
    statistics, metric = study.statistics, metric_of(probe.metric)
    key = (probe.condition, probe.metric)
    difference = statistics.difference(probe.ablation, *key)
    value = statistics.estimate(probe.ablation, *key)
    row = statistics.rows.get((probe.ablation, *key), {})
    verdict, reason = "undecided", OWN_INTERVAL
    if not difference.known:
        verdict, reason = "not measured", f"run `{study.of(probe.ablation)[0].command}`"
    elif not difference.has_interval:
        reason = NO_TEST
    elif difference.clear:
        agrees = (difference.mean > 0) == (probe.direction == "up")
        verdict = "supported" if agrees else "contradicted"
    return Claim(
        ablation=probe.ablation,
        text=probe.text,
        metric=metric,
        what=describe(*key),
        baseline=metric.unit * statistics.estimate(BASELINE, *key).mean,
        value=metric.unit * value.mean,
        difference=metric.shown(difference),
        effect=row.get("effect", math.nan),
        p_holm=math.nan,
        verdict=verdict,
        reason=reason,
    )


def others(claims: Sequence[Claim], found: Sequence[Finding]) -> list[Claim]:
    """The ablations' claims that no finding shows already, word for word."""
    shown = {(one.ablation, one.text, one.what) for each in found for one in each.evidence}
    return [one for one in claims if (one.ablation, one.text, one.what) not in shown]
