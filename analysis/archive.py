"""Tables of scored runs, small enough to be kept with the source, and the study made of them again.

    python -m analysis.archive keep RUN_DIR... --into ARCHIVE
    python -m analysis.archive restore ARCHIVE --runs RUNS

    ARCHIVE/study.json                   the plan and its claims (experiments.study --register)
    ARCHIVE/statistics.json              of a study that goes on until it is decided: its looks
    ARCHIVE/clips.csv.xz                 the clips' labels, the same of all runs
    ARCHIVE/tables/SYSTEM/seed<N>/       run.json, analysis.json, table.csv.xz, metrics.jsonl.xz

No audio and no weights. The same runs make the same bytes, and what was kept and restored is kept
as the same bytes again. Of paths of the machine that trained, the last name alone is kept.
"""

import argparse
import lzma
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dcvae.utils.errors import ended_by_interrupts, user_errors

with ended_by_interrupts():
    from analysis.statistics.tables import summarise_study
    from dcvae.runs import (
        ANALYSIS,
        ARCHIVED,
        CLIPS,
        METRICS,
        PLAN,
        RECORD,
        STATISTICS_RECORD,
        STUDIES,
        SUMMARY,
        TABLE,
        Run,
        RunError,
        read_object,
        read_run,
    )
    from dcvae.study_plan import StudyPlan, read_plan
    from dcvae.utils.files import replace_json, replacing

TABLES = "tables"  # folder of an archive
SUFFIX = ".xz"
PRESET = 9 | lzma.PRESET_EXTREME
FOLDERS = re.compile(r"(?<![\w./~-])(?!//)~?/(?:[^/\s\"',;:]+/)*(?=[\w.-])")  # of a path in a text
LOCAL_STORE = re.compile(r"sqlite:///[^/]+")  # an MLflow store in the working folder


def main(arguments: Sequence[str] | None = None) -> None:
    """Keep runs or restore a study; a user's error is one line and exit status 2."""
    parser = argparse.ArgumentParser(prog="python -m analysis.archive", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = parser.add_subparsers(dest="command", required=True)
    keeping = commands.add_parser("keep", help="add scored runs to an archive")
    keeping.add_argument("runs", nargs="+", type=Path, metavar="RUN_DIR")
    keeping.add_argument("--into", type=Path, required=True, metavar="ARCHIVE")
    restoring = commands.add_parser("restore", help="unpack a study and compute its verdicts")
    restoring.add_argument("archive", type=Path, metavar="ARCHIVE")
    restoring.add_argument("--runs", type=Path, required=True, help="an empty or a new folder")
    options = parser.parse_args(arguments)
    with user_errors("archive"):
        if options.command == "keep":
            for run in [scored_run(folder) for folder in options.runs]:
                print(keep(run, options.into))
        else:
            study = restore(options.archive, options.runs)
            for line in summarise_study(study):
                print(f"archive: {line}", file=sys.stderr)
            print(study)


def scored_run(folder: Path) -> Run:
    """The run in `folder`; RunError where it is not finished and analysed."""
    run = read_run(folder)
    if not run.is_finished or run.summary is None:
        raise RunError(f"{folder} is not finished and analysed: run `{run.command}`")
    return run


def keep(run: Run, archive: Path) -> Path:
    """Write what is kept of a run; returns the folder.

    ValueError where the archive's other runs were scored on clips with other labels.
    """
    labels, kept_labels = run.analysis / CLIPS, archive / (CLIPS + SUFFIX)
    if kept_labels.is_file() and unpacked(kept_labels) != labels.read_bytes():
        raise ValueError(f"{labels} and {kept_labels} are not of the same clips and labels")
    folder = kept_folder(archive, run.system, run.seed)
    record = without_paths(dict(run.record))
    record.pop(ARCHIVED, None)
    if not LOCAL_STORE.fullmatch(str((run.mlflow or {}).get("tracking_uri"))):
        record.pop("mlflow", None)
    pack(labels, kept_labels)
    pack(run.table, folder / (TABLE + SUFFIX))
    pack(run.folder / METRICS, folder / (METRICS + SUFFIX))
    replace_json(folder / SUMMARY, without_paths(run.summary))
    replace_json(folder / RECORD, record)
    return folder


def restore(archive: Path, runs: Path) -> Path:
    """Unpack a study's plan and what is kept of its runs into RUNS; returns the study's folder.

    ValueError where there is no plan, where RUNS holds something already, and where a run is kept
    that the plan does not name: it would take no part, and nobody would be told.
    """
    if runs.is_dir() and any(runs.iterdir()):
        raise ValueError(f"{runs} is not empty: name a new folder")
    if not (archive / PLAN).is_file():
        raise ValueError(f"{archive} is no archive of a study: it has no {PLAN}")
    said = read_object(archive / PLAN)
    folder = runs / STUDIES / Path(str(said.get("name"))).name
    replace_json(folder / PLAN, said)
    plan = read_plan(folder)
    assert plan is not None
    if plan.max_seeds is not None:
        restore_looks(archive, folder)
    planned = {kept_folder(archive, system, seed) for system, seed in plan.runs}
    for kept in sorted(path.parent for path in (archive / TABLES).glob(f"*/*/{RECORD}")):
        if kept not in planned:
            raise ValueError(f"{kept} is of no run that {archive / PLAN} names")
    for kept, place in pairs(archive, plan):
        restore_run(archive, kept, place)
    return folder


def restore_looks(archive: Path, folder: Path) -> None:
    """What earlier looks at a study that goes on have spent and decided.

    ValueError where it is missing: without it, one look would spend all of the 5%.
    """
    if not (archive / STATISTICS_RECORD).is_file():
        raise ValueError(
            f"{archive} lacks the study's {STATISTICS_RECORD}, which has the looks that were taken:"
            f" copy it beside {PLAN}"
        )
    replace_json(folder / STATISTICS_RECORD, read_object(archive / STATISTICS_RECORD))


def pairs(archive: Path, plan: StudyPlan) -> Iterator[tuple[Path, Path]]:
    """What is kept of each run, and where the plan has it."""
    for (system, seed), place in zip(plan.runs, plan.folders, strict=True):
        kept = kept_folder(archive, system, seed)
        if (kept / RECORD).is_file():
            yield kept, place


def restore_run(archive: Path, kept: Path, place: Path) -> None:
    """One run's folder, but for weights and audio."""
    unpack(archive / (CLIPS + SUFFIX), place / ANALYSIS / CLIPS)
    unpack(kept / (TABLE + SUFFIX), place / ANALYSIS / TABLE)
    unpack(kept / (METRICS + SUFFIX), place / METRICS)
    replace_json(place / ANALYSIS / SUMMARY, read_object(kept / SUMMARY))
    replace_json(place / RECORD, {**read_object(kept / RECORD), ARCHIVED: True})


def kept_folder(archive: Path, system: str, seed: int) -> Path:
    return archive / TABLES / system / f"seed{seed}"


def pack(path: Path, packed: Path) -> None:
    """Compress a file with xz."""
    with replacing(packed) as temporary:
        temporary.write_bytes(lzma.compress(path.read_bytes(), preset=PRESET))


def unpack(packed: Path, path: Path) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(unpacked(packed))


def unpacked(path: Path) -> bytes:
    """What a file holds that xz compressed; ValueError where it is damaged."""
    try:
        return lzma.decompress(path.read_bytes())
    except lzma.LZMAError as error:
        raise ValueError(f"{path} is damaged: {error}") from error


def without_paths(value: Any) -> Any:
    """A value of JSON, with the last name alone of every absolute path in its texts."""
    if isinstance(value, dict):
        return {key: without_paths(one) for key, one in value.items()}
    if isinstance(value, list):
        return [without_paths(one) for one in value]
    if not isinstance(value, str):
        return value
    if value.startswith("/") and ": " not in value:  # all of it is one path, spaces included
        return Path(value).name
    return FOLDERS.sub("", value)


if __name__ == "__main__":
    main()
