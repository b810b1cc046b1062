"""Systems by what a user writes: `run:FOLDER`, `ffmpeg:opus@6k`, `python:module:factory`, ..."""

import hashlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from analysis.systems.autoencoder import AutoencoderSystem
from analysis.systems.ceilings import VocoderSystem
from analysis.systems.codec import wrap
from analysis.systems.ffmpeg import ffmpeg_version, load_ffmpeg_codec
from analysis.systems.libraries.diffusers_codecs import load_diffusers_codec
from analysis.systems.libraries.transformers_codecs import load_transformers_codec
from analysis.systems.pairs import PairsSystem, find_pairs
from analysis.systems.system import System, SystemFault
from dcvae import SpeechAutoencoder
from dcvae.models.pretrained import checkpoint_sha256
from dcvae.utils.files import files_sha256
from dcvae.vocoders import Vocoder, load_vocoder

PAIRS = "pairs"


@dataclass(frozen=True)
class Spec:
    """KIND:PLACE?OPTION=VALUE&..., with a name of the user's, or one that follows from it."""

    text: str
    kind: str
    place: str
    options: Mapping[str, str]
    name: str

    @classmethod
    def parse(cls, text: str) -> "Spec":
        """Reads SPEC or NAME=SPEC; SystemFault where the kind is unknown."""
        named = re.fullmatch(r"([^:=?/,]+)=(.+)", text)
        said = named[2] if named else text
        kind, _, rest = said.partition(":")
        if kind not in LOADERS:
            raise SystemFault(f"{said}: no kind of system {kind!r}, of {', '.join(LOADERS)}")
        place, _, query = rest.partition("?")
        pairs = [one.partition("=") for one in query.split("&") if one]
        if any(not mark for _, mark, _ in pairs):
            raise SystemFault(f"{said}: an option reads NAME=VALUE, not {query!r}")
        options = {name: value for name, _, value in pairs}
        name = named[1] if named else default_name(kind, place, options)
        return cls(said, kind, place, options, name)

    @property
    def named(self) -> str:
        """What a user writes: with the name, where it does not follow from the rest."""
        follows = self.name == default_name(self.kind, self.place, self.options)
        return self.text if follows else f"{self.name}={self.text}"

    @property
    def slug(self) -> str:
        """The name as a folder's."""
        return re.sub(r"[^A-Za-z0-9_.]+", "-", self.name).strip("-.") or self.kind


def default_name(kind: str, place: str, options: Mapping[str, str]) -> str:
    """What a reader would call it."""
    if kind == "run":
        return " ".join(Path(place).parts[-3:])
    if kind == "checkpoint":
        return " ".join(Path(place).absolute().parts[-2:])
    if kind == PAIRS:
        return Path(place.partition(",")[2]).stem or PAIRS
    if kind == "python":
        return place.rpartition(":")[2] or place
    ends = [f"{value} {name}" for name, value in options.items()]
    return " ".join([Path(place).name or kind, *ends])


def load_system(spec: Spec, vocoder: Vocoder, device: torch.device) -> System:
    """The system; `vocoder` is that of mel models. SystemFault, naming it, where none is had."""
    try:
        system = LOADERS[spec.kind](spec, vocoder, device)
        system.identity = {"spec": spec.text, **system.identity}
        return system
    except SystemFault:
        raise
    except (ValueError, OSError, ImportError) as error:
        raise SystemFault(f"{spec.text}: {' '.join(str(error).split())}") from error


def load_run(spec: Spec, vocoder: Vocoder, device: torch.device) -> System:
    return autoencoder(Path(spec.place) / "last", vocoder, device)


def load_checkpoint(spec: Spec, vocoder: Vocoder, device: torch.device) -> System:
    return autoencoder(Path(spec.place), vocoder, device)


def autoencoder(folder: Path, vocoder: Vocoder, device: torch.device) -> AutoencoderSystem:
    model = SpeechAutoencoder.from_pretrained(folder).to(device)
    identity = {"checkpoint_sha256": checkpoint_sha256(folder)}
    return AutoencoderSystem(model, vocoder, device, identity)


def load_ffmpeg(spec: Spec, vocoder: Vocoder, device: torch.device) -> System:
    codec = load_ffmpeg_codec(spec.place)
    return wrap(codec, {"ffmpeg": ffmpeg_version(), "delay": codec.delay})


def load_transformers(spec: Spec, vocoder: Vocoder, device: torch.device) -> System:
    return wrap(*load_transformers_codec(spec.place, spec.options, spec.name, device))


def load_diffusers(spec: Spec, vocoder: Vocoder, device: torch.device) -> System:
    return wrap(*load_diffusers_codec(spec.place, spec.options, spec.name, device))


def load_ceiling(spec: Spec, vocoder: Vocoder, device: torch.device) -> System:
    options = {"path": spec.place} if spec.place else {}
    loaded = load_vocoder(spec.kind, **options)
    if isinstance(loaded, torch.nn.Module):
        loaded = loaded.to(device)
    files = sorted(path for path in Path(spec.place).iterdir()) if spec.place else []
    return VocoderSystem(loaded, device, {"files_sha256": files_sha256(*files)} if files else {})


def load_pairs(spec: Spec, vocoder: Vocoder, device: torch.device) -> System:
    return PairsSystem(find_pairs(spec.place), spec.text)


def load_python(spec: Spec, vocoder: Vocoder, device: torch.device) -> System:
    """What MODULE:FACTORY gives when it is called with the options, the user's own code.

    It is known by its factory's file, and by its `identity` where it says one.
    """
    if ":" not in spec.place:
        raise SystemFault(f"{spec.text}: MODULE:FACTORY is expected")
    if "" not in sys.path:  # as `python -m` has it
        sys.path.insert(0, "")
    try:
        factory: Callable[..., object] = pkgutil.resolve_name(spec.place)
        codec = factory(**spec.options)
    except Exception as error:  # anyone's code
        raise SystemFault(f"{spec.text}: {type(error).__name__}: {error}") from error
    said = getattr(codec, "identity", None)
    if not isinstance(said, str | None):
        raise SystemFault(f"{spec.text}: its identity is a text, not {said!r}")
    own = {} if said is None else {"identity_sha256": hashlib.sha256(said.encode()).hexdigest()}
    return wrap(codec, {"source_sha256": source_sha256(factory), **own})


def source_sha256(factory: Callable[..., object]) -> str:
    """A digest of the file in which a factory stands; "" where it stands in none."""
    try:
        file = inspect.getsourcefile(factory)
    except TypeError:
        file = None
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""


LOADERS: dict[str, Callable[[Spec, Vocoder, torch.device], System]] = {
    "run": load_run,
    "checkpoint": load_checkpoint,
    "ffmpeg": load_ffmpeg,
    "transformers": load_transformers,
    "diffusers": load_diffusers,
    "griffin_lim": load_ceiling,
    "bigvgan": load_ceiling,
    "python": load_python,
    PAIRS: load_pairs,
}
