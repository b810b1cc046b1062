"""What is in clips' files: other audio can come to lie behind an unchanged manifest."""

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from dcvae.data.manifest import Clip
from dcvae.utils.files import files_sha256

MISSING = "not readable"


def audio_digests(clips: Iterable[Clip]) -> dict[str, str]:
    """A digest of each clip's file, by the clip's name."""
    return {clip.name: digest_of(clip.path) for clip in clips}


def digest_of(path: Path) -> str:
    """Of a file's bytes, read again only where its size or time has changed; MISSING if unread."""
    try:
        status = path.stat()
        return bytes_digest(path, status.st_size, status.st_mtime_ns)
    except OSError:
        return MISSING


@cache
def bytes_digest(path: Path, size: int, time: int) -> str:
    return files_sha256(path)[:16]


def joined(digests: Iterable[str]) -> str:
    """Of several digests in their order."""
    return hashlib.sha256(" ".join(digests).encode()).hexdigest()[:16]
