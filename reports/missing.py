"""What a reader must know is not on the page, a sentence each."""

from collections.abc import Sequence

from dcvae.claims import BASELINE
from dcvae.runs import Run
from dcvae.utils.files import files_sha256
from reports.results import Results


def missing_from(chosen: Sequence[Run], scored: Sequence[Run]) -> list[str]:
    """Runs that are not there yet, and what keeps those that are from being compared."""
    notes = []
    for run in chosen:
        if not run.is_finished:
            notes.append(f"{run.name} is still training or was interrupted.")
        elif run.summary is None:
            notes.append(f"{run.name} is not analysed: run `{run.command}`.")
    if not any(run.ablation == BASELINE for run in scored):
        notes.append("No baseline is analysed, so no ablation can be compared with it.")
    clip_sets = {tuple((run.summary or {}).get("clips", ())) for run in scored}
    if len(clip_sets) > 1:
        notes.append(
            "The runs were analysed on different clips: means are not comparable across rows;"
            " differences to the baseline use the clips that both have."
        )
    return notes


def stale(analysed: Sequence[Run], results: Results, command: str) -> list[str]:
    """Where the statistics are not of the tables that lie there now, and what they left out.

    `command` computes them again; where it is "", analysing a run does.
    """
    known = results.record["tables"]
    notes = [f"{line}." for line in results.record.get("left_out", ())]
    for run in analysed:
        if run.name not in known and results.record.get("max_seeds"):
            notes.append(f"{run.name} waits until all runs of its seed are scored.")
        elif run.name not in known:
            notes.append(f"{run.name} is not in the statistics: run `{command or run.command}`.")
        elif files_sha256(run.table) != known[run.name]:
            notes.append(
                f"The numbers are of an older table of {run.name} than is there: run"
                f" `{command or run.command}`."
            )
    gone = sorted(set(known) - {run.name for run in analysed})
    if gone:
        notes.append(
            f"The statistics count runs that are no longer there ({', '.join(gone)}): run"
            f" `{command or analysed[0].command}`."
        )
    return notes
