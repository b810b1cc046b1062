"""What a study can decide: python -m analysis.power RUNS/SIZE

Of each claim: how much seeds and clips vary, how alike equal seeds are, and how many would decide
it. Of the baseline's own seeds: how often it would be told apart from itself. With --measures, what
each measure can see, as Markdown.
"""

import argparse
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from dcvae.utils.errors import ended_by_interrupts, user_errors

with ended_by_interrupts():
    import numpy as np
    from scipy import stats

    from analysis.statistics.comparisons import Comparison, find_comparisons
    from analysis.statistics.differences import ALPHA
    from analysis.statistics.measured import Measured, clusters, measure
    from analysis.statistics.power import DRAWS, MOST_SEEDS, against_itself
    from analysis.statistics.ratios import Cell, common_clips, values_on
    from analysis.statistics.sensitivity import SEEDS, Sensitivity, find_sensitivities
    from analysis.statistics.study_runs import Study, read_study
    from analysis.statistics.study_verdicts import Verdict, find_verdicts
    from dcvae.claims import BASELINE


def main(arguments: Sequence[str] | None = None) -> None:
    """Print both tables; a user's error is one line and exit status 2."""
    parser = argparse.ArgumentParser(prog="python -m analysis.power", description=__doc__)
    parser.add_argument("study", type=Path, help="RUNS/SIZE, or RUNS/studies/NAME")
    parser.add_argument(
        "--measures",
        choices=("claims", "all"),
        help="instead: what the claims' measures can see, or all that clips have a value of",
    )
    options = parser.parse_args(arguments)
    with user_errors("power"):
        study = read_study(options.study)
        if not study.analysed:
            raise ValueError(f"{options.study} holds no analysed run: nothing can be planned")
        if options.measures:
            print("\n".join(describe_measures(study, every=options.measures == "all")))
        else:
            print("\n".join(describe(study)))


def describe(study: Study) -> Iterator[str]:
    """The lines of both tables, and what was left out."""
    yield from (f"# {line}" for line in study.left_out)
    verdicts = {
        (one.system, one.claim): one for one in find_verdicts(study).verdicts if not one.stratum
    }
    yield "claim\tseeds\tclips\tdifference\tsd of seeds\tse of clips\tcorrelation\tverdict\tneeds"
    comparisons = find_comparisons(study)
    for one in comparisons:
        said = verdicts[one.system, one.claim.id]
        yield "\t".join(claim_cells(study, one, measure(study, one.cell, one.weights), said))
    yield ""
    yield f"{BASELINE} against itself\tseeds\tp < {ALPHA:g}"
    for cell in dict.fromkeys(one.cell for one in comparisons):
        yield from false_verdicts(study, cell)


def describe_measures(study: Study, every: bool) -> Iterator[str]:
    """A Markdown table, a row a measure: its variances and what they let it see."""
    yield from (f"<!-- {line} -->" for line in study.left_out)
    heads = (
        "measure", "margin", "sd of seeds", "of the baseline alone", "sd of clips", "clips",
        f"half-width at {SEEDS} seeds", "seen", "seeds needed", "systems",
    )  # fmt: skip
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    for one in find_sensitivities(study, every):
        yield f"| {' | '.join(measure_cells(one))} |"


def measure_cells(one: Sensitivity) -> Iterator[str]:
    """One measure: its margin, its deviations, and whether it sees the one over the others."""
    yield "/".join(one.cell)
    yield shown(one.margin)
    yield shown(one.sd_seeds)
    yield shown(one.sd_baseline)
    clips = one.pooled.n_clips
    yield shown(one.sd_clips if clips > 1 else math.nan)
    yield str(clips) if clips > 1 else "the set" if one.systems else "-"
    yield shown(one.half_width)
    if math.isnan(one.margin) or not one.systems:
        yield from ("-", "-")  # nothing is claimed, or no second seed says how much seeds vary
    else:
        yield "yes" if one.is_seen else "no"
        yield f"over {MOST_SEEDS}" if math.isnan(one.seeds_needed) else f"{one.seeds_needed:.0f}"
    yield str(one.systems)


def shown(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3g}"


def claim_cells(
    study: Study, comparison: Comparison, measured: Measured, said: Verdict
) -> Iterator[str]:
    """One claim: its variances, the correlation of equal seeds, and what it needs."""
    one = measured.estimate
    yield f"{comparison.system}:{'/'.join(comparison.cell)}"
    yield str(one.n_seeds)
    yield str(one.n_clips)
    yield f"{one.value:+.4g}"
    yield f"{math.sqrt(one.seeds.variance * one.n_seeds):.3g}" if one.is_repeated else "unknown"
    yield f"{math.sqrt(one.clips.variance):.3g}"
    yield f"{same_seed_correlation(study, comparison):.2f}"
    yield said.verdict
    if math.isnan(said.seeds_needed):
        yield said.reason
    else:
        yield f"{said.seeds_needed:.0f} seeds on {said.clips_needed:.0f} clips"


def same_seed_correlation(study: Study, comparison: Comparison) -> float:
    """Of the means of the two systems by seed; NaN for fewer than three seeds."""
    pair = [study.ratios(name, comparison.cell) for name in (comparison.system, comparison.against)]
    seeds = sorted(set(pair[0]) & set(pair[1]))
    if len(seeds) < 3:
        return math.nan
    clips = common_clips([ratios[seed] for ratios in pair for seed in seeds])
    means = [[values_on(ratios[seed], clips).mean() for seed in seeds] for ratios in pair]
    return float(stats.pearsonr(*means).statistic) if np.ptp(means, axis=1).all() else math.nan


def false_verdicts(study: Study, cell: Cell) -> Iterator[str]:
    """How often disjoint sets of the baseline's seeds differ; it should be the level itself."""
    ratios = list(study.ratios(BASELINE, cell).values())
    if len(ratios) < 4:
        yield f"{'/'.join(cell)}\t-\tunknown: it takes four seeds of {BASELINE}"
        return
    clips = common_clips(ratios)
    values = np.array([values_on(one, clips) for one in ratios])
    speakers = clusters(clips, study.speakers)
    for seeds in range(2, len(ratios) // 2 + 1):
        found = list(against_itself(values, speakers, seeds))
        share = sum(p < ALPHA for p in found) / DRAWS
        yield f"{'/'.join(cell)}\t{seeds}\t{share:.3f}"


if __name__ == "__main__":
    main()
