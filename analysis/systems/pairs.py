"""Audio that exists already: a reference and an output for each clip."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from analysis.batching import LONGEST, Sample
from analysis.systems.codec import fit
from analysis.systems.system import Rates, System, SystemFault, WaveOutputs
from dcvae.audio.io import AudioError, AudioInfo, probe_audio, read_audio
from dcvae.audio.mel import SAMPLE_RATE
from dcvae.data.manifest import Clip, write_manifest
from dcvae.utils.files import files_sha256

SUFFIXES = {".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".g722", ".aac"}
APART = 0.02  # seconds by which the lengths of a pair may differ: a codec's last frame
SPLIT = "test"


@dataclass(frozen=True)
class Pairs:
    """Two sets of audio files with the same names, in order."""

    references: dict[str, Path]
    outputs: dict[str, Path]

    def check(self, name: str) -> None:
        """SystemFault where a name has no partner, or a pair is not of one length."""
        for these, those, what in (
            (self.references, self.outputs, "output"),
            (self.outputs, self.references, "reference"),
        ):
            alone = sorted(these.keys() - those.keys())
            if alone:
                more = f" (nor have {len(alone) - 1} others)" if len(alone) > 1 else ""
                raise SystemFault(f"{name}: {alone[0]!r} has no {what}{more}")
        for one, path in self.references.items():
            seconds = length_of(path, name), length_of(self.outputs[one], name)
            if abs(seconds[0] - seconds[1]) > APART:
                raise SystemFault(
                    f"{name}: {one!r} lasts {seconds[0]:.3f} s, its output {seconds[1]:.3f} s"
                )

    def write_manifest(self, path: Path) -> None:
        """The references as test clips."""
        found = [(one, probed(one)) for one in self.references.values()]
        write_manifest(
            path, [Clip(one, info.duration, info.sample_rate, split=SPLIT) for one, info in found]
        )

    def identity(self) -> dict[str, str]:
        """A digest of the outputs: others can come to lie there."""
        return {"outputs_sha256": files_sha256(*self.outputs.values())}


@cache
def probed(path: Path) -> AudioInfo:
    """What is in a file, which is decoded for it once."""
    return probe_audio(path)


def length_of(path: Path, name: str) -> float:
    """Seconds; SystemFault where it is no audio."""
    try:
        return probed(path).duration
    except (AudioError, OSError) as error:
        raise SystemFault(f"{name}: {error}") from error


def find_pairs(spec: str) -> Pairs:
    """`REF,OUT`: two folders, searched to their depths, or two lists of Kaldi's (wav.scp).

    SystemFault where they do not match.
    """
    name = f"pairs:{spec}"
    places = [Path(place) for place in spec.split(",")]
    if len(places) != 2:
        raise SystemFault(f"{name}: two folders or two lists are expected, REF,OUT")
    found = Pairs(*(audio_in(place, name) for place in places))
    found.check(name)
    return found


def audio_in(place: Path, name: str) -> dict[str, Path]:
    """Audio files by name: the path below the folder without its suffix, or the list's id."""
    if place.is_dir():
        files = sorted(path for path in place.rglob("*") if path.suffix.lower() in SUFFIXES)
        found = {path.relative_to(place).with_suffix("").as_posix(): path for path in files}
        if len(found) < len(files):
            raise SystemFault(f"{name}: {place} has two files of one name")
    elif place.is_file():
        found = read_scp(place, name)
    else:
        raise SystemFault(f"{name}: {place} is neither a folder nor a list")
    if not found:
        raise SystemFault(f"{name}: {place} holds no audio")
    return dict(sorted(found.items()))


def read_scp(path: Path, name: str) -> dict[str, Path]:
    """An id and a path on each line. A line that is a command, with a pipe, is refused."""
    found: dict[str, Path] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        key, _, file = line.strip().partition(" ")
        if not file.strip() or "|" in file:
            raise SystemFault(f"{name}: {path}, line {number}: an id and a file are expected")
        if key in found:
            raise SystemFault(f"{name}: {path}, line {number}: {key!r} stands there twice")
        found[key] = (path.parent / file.strip()).absolute()
    return found


class PairsSystem(System):
    """Gives each clip of the references the output of its name, and codes nothing."""

    takes_any_speech = False

    def __init__(self, pairs: Pairs, name: str) -> None:
        self.name = name
        self.rates = Rates(SAMPLE_RATE)
        self.identity = pairs.identity()
        self.outputs = {
            path.resolve(): pairs.outputs[one] for one, path in pairs.references.items()
        }

    def reconstruct(self, samples: Sequence[Sample]) -> WaveOutputs:
        return WaveOutputs(lambda: [self.output(sample) for sample in samples])

    def output(self, sample: Sample) -> torch.Tensor:
        """[F * HOP], as the reference was read."""
        path = self.outputs[sample.clip.path.resolve()]
        try:
            wave = read_audio(path, stop=LONGEST)
        except AudioError as error:
            raise SystemFault(f"{self.name}: {error}") from error
        return fit(wave, len(sample.wave))
