"""analysis.json: what was measured of a run, on which clips, with what and where."""

import hashlib
import platform
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from inspect import signature
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from analysis.batching import LONGEST
from analysis.context import SHORTEST, TEST, UNSEEN, EvalContext
from analysis.evaluator import Evaluator
from analysis.outputs.table import Row
from analysis.resources import Resources
from analysis.runs import ScoredRun, TrainedRun
from analysis.stores.result_store import Key, ResultStore
from dcvae.audio.mel import HOP, N_FFT, N_MELS, NYQUIST, SAMPLE_RATE
from dcvae.data.manifest import Clip, Manifest
from dcvae.utils.files import files_sha256
from dcvae.vocoders import VOCODERS, load_vocoder

PACKAGES = ("dcvae", "torch", "numpy", "scipy", "soxr")  # beside those that evaluators name
COMPARISON: dict[str, Any] = {  # what all clips and outputs are brought to
    "sample_rate": SAMPLE_RATE,
    "shortest_seconds": SHORTEST,
    "longest_seconds": LONGEST,
    "mel": {"bins": N_MELS, "low_hz": 0.0, "high_hz": NYQUIST, "window": N_FFT, "hop": HOP},
}

Measured = dict[str, dict[str, Any]]  # what is known of each evaluator's rows


def describe_run(run: ScoredRun, context: EvalContext, basis: Key) -> dict[str, Any]:
    """What holds of all rows: the system, the manifest, and what is compared with what."""
    checkpoint = {"checkpoint": run.checkpoint.name} if isinstance(run, TrainedRun) else {}
    system = context.system
    return {
        **checkpoint,
        **basis,
        "system": {"rates": system.rates.as_dict(), "identity": dict(system.identity)},
        "manifest": describe_manifest(run.manifest),
        "manifest_sha256": files_sha256(run.manifest),
        "comparison": {**COMPARISON, "ceiling": vocoder_options(run.vocoder)},
        "clips": [clip.name for clip in context.clips],
    }


def vocoder_options(said: Mapping[str, Any]) -> dict[str, Any]:
    """load_vocoder's arguments with the defaults of those that are not said."""
    name = said.get("name", signature(load_vocoder).parameters["name"].default)
    known = signature(VOCODERS[name]).parameters.values()
    return {"name": name, **{one.name: one.default for one in known}, **said}


def command_line(
    run: ScoredRun, clips: int, resources: Resources, evaluators: Sequence[str]
) -> str:
    """The command by which the run has what is measured of it, every option said."""
    options = {"clips": clips, **asdict(resources.options)}
    flags = [(f"--{name.replace('_', '-')}", str(options[name])) for name in sorted(options)]
    ends = ["--only", ",".join(evaluators), "--device", resources.device.type]
    return shlex.join(["python", "-m", "analysis", *run.arguments(), *chain(*flags), *ends])


def describe_manifest(manifest: Path) -> str:
    """Name and content, by which runs that were scored on other clips are told apart."""
    return f"{manifest.name} ({files_sha256(manifest)[:12]})"


def describe_environment(device: torch.device) -> dict[str, str]:
    """Python, system, device and the packages that all rows depend on, as far as they are here."""
    is_gpu = device.type == "cuda"
    found = {
        "python": platform.python_version(),
        "system": platform.platform(),
        "device": torch.cuda.get_device_name(device) if is_gpu else device.type,
    }
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def scored_clips(manifest: Manifest) -> Iterator[Clip]:
    """All clips of the splits that are scored."""
    return chain(manifest.where(TEST), manifest.where(UNSEEN))


def read_parts(
    folder: Path, basis: Key, evaluators: Mapping[str, Evaluator], clips: Iterable[Clip]
) -> tuple[list[Row], Measured]:
    """All rows in `folder` that agree with the basis, and what is known of each evaluator's.

    `clips` are those among which the evaluators' own are.
    """
    rows: list[Row] = []
    measured: Measured = {}
    names: dict[str, list[str]] = {}
    for path in sorted(folder.glob("*.json")):
        store = ResultStore(folder, path.stem, basis)
        stored = store.stored_key()
        if all(stored.get(name) == value for name, value in store.key.items()):
            rows += store.rows()
            known = {name: stored[name] for name in ("version", "settings")}
            protocol = protocol_of(evaluators.get(path.stem), stored["version"])
            measured[path.stem] = known | protocol | store.facts()
            names[path.stem] = stored["clips"]
    for name, selection in describe_selections(names, clips).items():
        measured[name]["selection"] = selection
    return rows, measured


def protocol_of(evaluator: Evaluator | None, stamp: str) -> dict[str, str]:
    """What an evaluator says of rows of that stamp; nothing where they are of another version."""
    if evaluator is None or not evaluator.protocol:
        return {}
    is_same = stamp.split(maxsplit=1)[0] == str(evaluator.version)
    return {"protocol": evaluator.protocol} if is_same else {}


def describe_selections(
    names: Mapping[str, Sequence[str]], clips: Iterable[Clip]
) -> dict[str, dict[str, Any]]:
    """Of each evaluator's clips: how many of which split, the seconds that count, and a digest.

    Seconds are the manifest's, of each clip LONGEST at most. The digest is the SHA-256 of the
    names in alphabetical order, each with a newline behind it.
    """
    wanted = {name for some in names.values() for name in some}
    known = {
        clip.name: (clip.split, min(clip.duration, LONGEST))
        for clip in clips
        if clip.name in wanted
    }
    return {evaluator: describe_selection(sorted(some), known) for evaluator, some in names.items()}


def describe_selection(
    names: Sequence[str], known: Mapping[str, tuple[str, float]]
) -> dict[str, Any]:
    """Of names in alphabetical order, with split and seconds of those that are known."""
    splits: dict[str, int] = {}
    for name in names:
        if name in known:
            splits[known[name][0]] = splits.get(known[name][0], 0) + 1
    listed = "".join(f"{name}\n" for name in names).encode("utf-8", errors="surrogateescape")
    return {
        "splits": dict(sorted(splits.items())),
        "seconds": round(sum(known[name][1] for name in names if name in known), 3),
        "sha256": hashlib.sha256(listed).hexdigest(),
    }
