"""Whether what an analysis leaves is all there, and as it was written."""

from pathlib import Path

from analysis.outputs.examples import EXAMPLES_FOLDER
from analysis.runs import ScoredRun
from dcvae.runs import CLIPS, OVERVIEW, PROTOCOL, SUMMARY, TABLE, RunError, read_object
from dcvae.utils.files import files_sha256


def digests_of(folder: Path) -> dict[str, str]:
    """SHA-256 of what is written of a run's parts, by its place in the folder."""
    written = [folder / TABLE, folder / CLIPS, folder / OVERVIEW]
    written += sorted(path for path in (folder / EXAMPLES_FOLDER).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): files_sha256(path) for path in written}


def is_written(run: ScoredRun) -> bool:
    """Whether all was written after the last of the parts, and is still what was written."""
    protocol = run.analysis / PROTOCOL
    if not ((run.analysis / SUMMARY).is_file() and protocol.is_file()):
        return False
    try:
        if read_object(run.analysis / SUMMARY).get("files") != digests_of(run.analysis):
            return False
    except (OSError, RunError):  # a file is gone
        return False
    parts = (run.analysis / "parts").glob("*.json")
    return all(part.stat().st_mtime_ns <= protocol.stat().st_mtime_ns for part in parts)
