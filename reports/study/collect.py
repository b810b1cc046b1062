"""Which runs make a study: those that a plan names, or all of one size."""

import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dcvae.claims import BASELINE
from dcvae.runs import PEERS, PLAN, RECORD, STATISTICS_RECORD, STUDIES, Run, RunError, read_run
from dcvae.study_plan import StudyPlan, read_plan
from dcvae.system_names import parts_of
from dcvae.utils.files import files_sha256
from reports.study.peers import with_peers
from reports.study.results import Results, read_results
from reports.study.study import Study

USUAL_SIZE = "tiny"
NAMED = 4  # runs that a line names one by one


@dataclass(frozen=True)
class Choice:
    """Which runs make the study: all of a size, or those that a plan names."""

    folder: Path  # where its statistics lie
    runs: list[Run]
    name: str = ""
    command: str = ""  # computes its statistics; "" where each run's own does
    notes: tuple[str, ...] = ()


def collect(runs: Path, size: str | None = None, name: str | None = None) -> Study:
    """The study of RUNS/studies/NAME, or of RUNS/SIZE.

    Without a name or a size the size is "tiny" where there are several; where its folder has no
    statistics, the only planned study that has some. RunError (one line, with the command to
    run) where there is no run or none is analysed, or where the study's statistics are missing.
    """
    if not runs.is_dir():
        raise RunError(
            f"{runs}: there is no such folder; train a first run with"
            " `accelerate launch experiments/run.py`"
        )
    read = [read_run(path.parent) for path in sorted(runs.glob(f"*/*/seed*/{RECORD}"))]
    found = [run for run in read if run.rates is None]  # others are peers, of no study
    sizes = Counter(size_of(run) for run in found if run.summary is not None)
    usual = size or (USUAL_SIZE if USUAL_SIZE in sizes else min(sizes, default=""))
    if size is None and not os.path.lexists(runs / usual / STATISTICS_RECORD):
        name = name or only_study(runs)
    chosen = planned(runs, name, found) if name else of_size(runs, usual, found, sizes)
    analysed = [run for run in chosen.runs if run.summary is not None]
    if not analysed:
        folders = " ".join(str(run.folder) for run in chosen.runs[:4])
        raise RunError(
            f"no run in {runs} is analysed yet; run"
            f" `python -m analysis {folders}{' ...' if len(chosen.runs) > 4 else ''}`"
        )
    command = chosen.command or analysed[0].command
    results = read_results(chosen.folder, command)
    scored = [run for run in analysed if run.name in results.record["tables"]]
    if not scored:
        raise RunError(f"the statistics know no run in {runs}: run `{command}`")
    scored.sort(key=place_of)
    missing = [
        *missing_from(chosen.runs, scored),
        *chosen.notes,
        *stale(analysed, results, chosen.command),
    ]
    study = Study(scored[0].size, scored, results, missing, chosen.name)
    return with_peers(study, runs / PEERS)


def place_of(run: Run) -> tuple[int, bool, int, str, int]:
    """By what runs are ordered: the baseline comes first, and what lacks more parts later."""
    parts = len(parts_of(run.system))
    return (run.budget or 0, run.ablation != BASELINE, parts, run.system, run.seed)


def pick(study: Study, names: Sequence[str]) -> Study:
    """The study with these systems first where there is no room for all; RunError names another."""
    unknown = [name for name in names if name not in study.systems]
    if unknown:
        raise RunError(
            f"--pick: the study has no system {unknown[0]!r}; it has {', '.join(study.systems)}"
        )
    return replace(study, picked=tuple(names))


def size_of(run: Run) -> str:
    """The size whose folder it lies in."""
    return run.folder.parents[1].name


def of_size(runs: Path, size: str, found: Sequence[Run], sizes: Counter[str]) -> Choice:
    """All runs of one size; any size where none is analysed and `size` is ""."""
    chosen = [run for run in found if size in ("", size_of(run))]
    if not chosen:
        of_size = f" of size {size}" if size else ""
        raise RunError(
            f"{runs} holds no run{of_size}; train one with"
            f" `accelerate launch experiments/run.py{f' size={size}' if size else ''}`"
        )
    others = sorted(set(sizes) - {size})
    note = f"Runs of other sizes are left out: {', '.join(others)} (`--size`)."
    return Choice(runs / size, chosen, notes=(note,) if others else ())


def only_study(runs: Path) -> str | None:
    """The planned study that has statistics; RunError names them where there are several."""
    names = sorted(path.parent.name for path in (runs / STUDIES).glob(f"*/{STATISTICS_RECORD}"))
    if len(names) > 1:
        raise RunError(f"{runs} holds several studies: choose with --study {' or '.join(names)}")
    return names[0] if names else None


def planned(runs: Path, name: str, found: Sequence[Run]) -> Choice:
    """The runs that RUNS/studies/NAME/study.json plans, with a note of those still to come."""
    folder = runs / STUDIES / name
    plan = read_plan(folder)
    if plan is None:
        known = sorted(path.parent.name for path in (runs / STUDIES).glob(f"*/{PLAN}"))
        choice = f"choose from {', '.join(known)}" if known else "none is there"
        raise RunError(f"{runs} holds no study {name!r}: {choice}")
    chosen = [run for run in found if run.folder in plan.folders]
    command = f"python -m experiments.study study={name}"
    if not chosen:
        raise RunError(f"{folder} has no run yet that it plans: run `{command}`")
    there = {run.folder for run in chosen}
    notes = tuple(f"{line}: `{command}` goes on." for line in absent(plan, there))
    notes = (*notes, *rewritten(plan, chosen))
    return Choice(folder, chosen, name, f"python -m analysis --study {folder}", notes)


def rewritten(plan: StudyPlan, runs: Sequence[Run]) -> Iterator[str]:
    """A line on the runs that were trained when their ablations claimed something else."""
    planned = [(one.ablation, f"{one.condition}/{one.metric}") for one in plan.claims]
    seeds = set()
    for run in runs:
        stated = {str(one.get("metric")) for one in run.record.get("claims") or ()}
        if stated != {metric for ablation, metric in planned if ablation == run.ablation}:
            seeds.add(run.seed)
    if seeds:
        yield (
            f"Runs of {listed(seeds)} were trained when their ablations claimed something else: as"
            " far as they were scored before the claims were changed, they test no prediction."
        )


def listed(seeds: Collection[int]) -> str:
    """Reads "seeds 0, 1"."""
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, sorted(seeds)))}"


def absent(plan: StudyPlan, there: Collection[Path]) -> Iterator[str]:
    """A line on the planned runs that are not in the folders `there`, phase by phase."""
    for phase in dict.fromkeys(plan.phases):
        planned_runs = [
            (seed, folder in there)
            for (_, seed), folder, own in zip(plan.runs, plan.folders, plan.phases, strict=True)
            if own == phase
        ]
        lacking = [seed for seed, is_there in planned_runs if not is_there]
        if not lacking:
            continue
        whose = f"phase {phase} of the study" if phase else "the study"
        share = f"{len(lacking)} of the {len(planned_runs)} runs of {whose} are"
        yield f"{share} not there yet ({listed(set(lacking))})"


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
            " differences to the baseline use the clips that both have, but for measures of the"
            " whole set, which are of each run's own."
        )
    return notes


def grouped(line: str) -> str:
    """A line that begins with the names of many runs, with their number by seed in their place."""
    names, are, why = line.partition(" are left out")
    runs = names.split(", ")
    if not are or len(runs) <= NAMED:
        return line
    seeds = Counter(run.rpartition("/seed")[2] for run in runs)
    listed = ", ".join(f"seed {seed} of {count} systems" for seed, count in sorted(seeds.items()))
    return f"{len(runs)} runs ({listed}){are}{why}"


def stale(analysed: Sequence[Run], results: Results, command: str) -> list[str]:
    """Where the statistics are not of the tables that lie there now, and what they left out.

    `command` computes them again; where it is "", analysing a run does.
    """
    known, left_out = results.record["tables"], results.record.get("left_out", ())
    notes = [f"{grouped(line)}." for line in left_out]
    named = {word.strip(",") for line in left_out for word in line.split()}
    for run in analysed:
        if run.name in named:
            continue
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
