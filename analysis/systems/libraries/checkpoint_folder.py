"""Where weights of libraries' models lie: a folder, or a snapshot of a hub's repository."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dcvae.utils.files import files_sha256

CONFIG = "config.json"
WEIGHTS = "*.safetensors"
READ = ("*.json", WEIGHTS)  # nothing else of a repository is fetched
HUB_SECONDS = 5  # for the hub's first answer


@dataclass(frozen=True)
class CheckpointFolder:
    """A folder with config.json and weights in safetensors, and what tells it from others."""

    path: Path
    identity: Mapping[str, str]

    def read(self, name: str = CONFIG) -> dict[str, Any]:
        """A JSON object in the folder, empty where there is no such file; ValueError if damaged."""
        file = self.path / name
        if not file.is_file():
            return {}
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{file} is damaged: {error}") from error
        if not isinstance(found, dict):
            raise ValueError(f"{file} holds a {type(found).__name__}, not an object")
        return found


def find_checkpoint(place: str, revision: str | None = None, inner: str = "") -> CheckpointFolder:
    """`place` is a folder, or OWNER/NAME on the hub, there of a revision; `inner` a folder in it.

    ValueError, in one line, where there is none, or its weights are not in safetensors.
    """
    if Path(place).is_dir():
        if revision is not None:
            raise ValueError(f"{place} is a folder, which has no revision {revision!r}")
        folder = check(Path(place) / inner)
        read = sorted(path for pattern in READ for path in folder.glob(pattern))
        return CheckpointFolder(folder, {"files_sha256": files_sha256(*read)})
    if not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", place):
        raise ValueError(f"{place} is neither a folder nor a name OWNER/NAME on the hub")
    snapshot = fetch(place, revision, inner)
    return CheckpointFolder(check(snapshot / inner), {"hub": place, "commit": snapshot.name})


def check(folder: Path) -> Path:
    """The folder; ValueError where a config or weights in safetensors are missing."""
    if not (folder / CONFIG).is_file():
        raise ValueError(f"{folder} has no {CONFIG}")
    if not any(folder.glob(WEIGHTS)):
        pickled = [path.name for end in ("bin", "pt", "ckpt") for path in folder.glob(f"*.{end}")]
        which = f"{pickled[0]}, which is a pickle and not read" if pickled else "no weights"
        raise ValueError(f"{folder} has {which}: weights in safetensors are needed")
    return folder


def fetch(name: str, revision: str | None, inner: str) -> Path:
    """The snapshot in the hub's cache, or else from the hub."""
    from huggingface_hub import HfApi, snapshot_download

    prefix = f"{inner}/" if inner else ""
    wanted: dict[str, Any] = {
        "revision": revision,
        "allow_patterns": [prefix + pattern for pattern in READ],
    }
    try:
        cached = Path(snapshot_download(name, local_files_only=True, **wanted))
        return cached if any((cached / inner).glob(WEIGHTS)) else ask(name, wanted, HfApi())
    except FileNotFoundError:
        return ask(name, wanted, HfApi())


def ask(name: str, wanted: Mapping[str, Any], hub: Any) -> Path:
    """The snapshot from the hub, which is asked once: the download alone would try for long."""
    from huggingface_hub import snapshot_download

    try:
        hub.model_info(name, revision=wanted["revision"], timeout=HUB_SECONDS)
        return Path(snapshot_download(name, **wanted))
    except Exception as error:  # of the HTTP library, which differs between the hub's versions
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(
            f"{name} is no folder and cannot be fetched from the hub ({reason}):"
            " download it and give the folder"
        ) from error
