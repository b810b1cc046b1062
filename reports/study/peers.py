"""Other systems that were scored on the study's clips: codecs, vocoders, models of others."""

from dataclasses import replace
from pathlib import Path

from dcvae.runs import RECORD, STATISTICS_RECORD, Run, RunError, read_run, shown
from reports.study.results import read_results
from reports.study.study import Study


def with_peers(study: Study, folder: Path) -> Study:
    """The study with the peers in `folder`, RUNS/peers, that were scored on its clips.

    Those that were not are named among what is missing.
    """
    if not (folder / STATISTICS_RECORD).is_file():
        return study
    command = f"python -m analysis --system NAME --out {shown(folder)}"
    try:
        results = read_results(folder, command)
        found = [read_run(path.parent) for path in sorted(folder.glob(f"*/seed*/{RECORD}"))]
    except RunError as error:
        return replace(study, missing=[*study.missing, f"Peers are left out: {error}."])
    scored = [run for run in found if run.summary and run.name in results.record["tables"]]
    alike = [run for run in scored if clips_of(run) == clips_of(study.runs[0])]
    notes = [
        f"The peer {run.title} was scored on other clips than the study: it is left out."
        for run in scored
        if run not in alike
    ]
    peers = Study(folder.name, alike, results) if alike else None
    return replace(study, peers=peers, missing=[*study.missing, *notes])


def clips_of(run: Run) -> tuple[str, ...]:
    """The manifest, by its content, and the clips on which a run was scored."""
    said = run.summary or {}
    manifest = str(said.get("manifest")).rpartition(" ")[2]
    return (manifest, *said.get("clips", ()))
