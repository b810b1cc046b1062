"""A speech recogniser: what Whisper reads in a wave, and how likely it finds a text."""

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import soxr
import torch
from torch import Tensor
from torch.nn import functional

from analysis.metrics.score import Score, score
from dcvae.audio.mel import SAMPLE_RATE
from dcvae.utils.files import files_sha256
from dcvae.utils.threads import torch_threads

if TYPE_CHECKING:
    from whisper.model import Whisper

WHISPER_RATE = 16000  # Hz
FRAME_RATE = 100  # Hz, of Whisper's log-mel
LONGEST = 30.0  # seconds that Whisper hears at once
# Seconds: a wave is padded with silence to a multiple of it, and not to 30 s.
READING_PADDING = 10.0  # with 5, more words are made up
NLL_PADDING = 5.0
AT_ONCE = 16  # waves in a batch, for the sake of memory
NOT_FINITE = "the wave holds NaN or infinity"


class Reading(NamedTuple):
    """What was understood, and in which language: the one given, or the one detected.

    Where a wave cannot be read, `reason` says why.
    """

    text: str
    language: str
    reason: str = ""


class Recogniser:
    """Whisper (Radford et al., 2022; arXiv 2212.04356), decoded greedily at temperature 0.

    No beam search, no second try at a higher temperature, no timestamps, so that a wave's
    reading depends on the wave alone. float32 on a CPU, float16 on a GPU. It hears a
    wave with far less silence after it than the 30 s of its training, in which it makes words up.
    """

    def __init__(
        self, name: str, model: "Whisper", device: torch.device, files: Sequence[Path] = ()
    ) -> None:
        """`name` is what the table names: it says which weights these are; `files` hold them."""
        from whisper.tokenizer import LANGUAGES

        self.name = name
        self.files = files
        self.model = model.to(device).eval()
        self.device = device
        self.languages = {"en"}
        if model.is_multilingual:
            self.languages = {"", *list(LANGUAGES)[: model.num_languages]}

    @cached_property
    def weights_sha256(self) -> str:
        """Of the files' bytes, one after the other; "" where the weights are of none."""
        return files_sha256(*self.files) if self.files else ""

    def knows(self, language: str) -> bool:
        """Whether it reads the language; "" is an unknown one, which a multilingual one detects."""
        return whisper_code(language) in self.languages

    def transcribe(self, waves: Sequence[Tensor], languages: Sequence[str]) -> list[Reading]:
        """Read waves [T] at 22,050 Hz, of 30 s at most, each in its language.

        A silent wave is read like any other: what Whisper makes up of it is an error that counts.
        """
        codes = [whisper_code(language) for language in languages]
        readings: dict[int, Reading] = {}
        for code, indices, mels in self.batches(waves, codes, READING_PADDING):
            readings.update(zip(indices, self.decode(mels, code), strict=True))
        return [
            readings.get(index, Reading("", code, NOT_FINITE)) for index, code in enumerate(codes)
        ]

    def text_nll(
        self, waves: Sequence[Tensor], languages: Sequence[str], texts: Sequence[str]
    ) -> list[Score]:
        """Minus the mean log-probability of each text's tokens, each after all before it, in nats.

        Of waves as for `transcribe`, each in a language that is named, with a text each.
        """
        if not all(text.strip() for text in texts):
            raise ValueError("a text is empty")
        codes = [whisper_code(language) for language in languages]
        found: dict[int, Score] = {}
        for code, indices, mels in self.batches(waves, codes, NLL_PADDING):
            values = self.nll(mels, code, [texts[index] for index in indices])
            found.update(zip(indices, values, strict=True))
        return [found.get(index, Score(math.nan, NOT_FINITE)) for index in range(len(waves))]

    def batches(
        self, waves: Sequence[Tensor], codes: Sequence[str], padding: float
    ) -> Iterator[tuple[str, list[int], Tensor]]:
        """Code, indices and log-mels [B, 80 or 128, F] of waves of one language and length.

        The length is the wave's own, padded with silence to a multiple of `padding`: that costs a
        fraction of 30 s. A wave that is not finite is in none.
        """
        alike: dict[tuple[str, int], list[tuple[int, Tensor]]] = defaultdict(list)
        for index, (wave, code) in enumerate(zip(waves, codes, strict=True)):
            mel = self.log_mel(wave)[:, : padded_frames(len(wave), padding)]
            if bool(mel.isfinite().all()):
                alike[code, mel.shape[1]].append((index, mel))
        for (code, _), indexed in alike.items():
            for start in range(0, len(indexed), AT_ONCE):
                some = indexed[start : start + AT_ONCE]
                yield code, [index for index, _ in some], torch.stack([mel for _, mel in some])

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

    @property
    def is_half(self) -> bool:
        return self.device.type == "cuda"

    @torch.inference_mode()
    def encode(self, mels: Tensor) -> Tensor:
        """Features [B, F / 2, D] of log-mels [B, 80 or 128, F], of 30 s or less.

        Whisper's own encoder takes 30 s alone; this one leaves the later positions out.
        """
        encoder, mels = self.model.encoder, mels.to(self.device)
        features = functional.gelu(encoder.conv1(mels.half() if self.is_half else mels))
        features = functional.gelu(encoder.conv2(features)).transpose(1, 2)
        positions = encoder.positional_embedding[: features.shape[1]]
        features = (features + positions).to(features.dtype)
        for block in encoder.blocks:
            features = block(features)
        found: Tensor = encoder.ln_post(features)
        return found

    def decode(self, mels: Tensor, code: str) -> list[Reading]:
        """Read one batch [B, 80 or 128, F] in one language, "" to detect each one's."""
        import whisper

        options = whisper.DecodingOptions(
            language=code or None, without_timestamps=True, fp16=self.is_half
        )
        features = self.encode(mels)
        whole = self.model.dims
        try:
            # by its length Whisper tells features from a log-mel
            self.model.dims = replace(whole, n_audio_ctx=features.shape[1])
            with torch_threads(1):  # one word at a time: threads would only wait for each other
                results = whisper.decode(self.model, features, options)
        finally:
            self.model.dims = whole
        return [Reading(result.text.strip(), result.language) for result in results]

    @torch.inference_mode()
    def nll(self, mels: Tensor, code: str, texts: Sequence[str]) -> list[Score]:
        """`text_nll` of one batch [B, 80 or 128, F] in one language."""
        from whisper.tokenizer import get_tokenizer

        model = self.model
        tokenizer = get_tokenizer(
            model.is_multilingual, num_languages=model.num_languages, language=code
        )
        start = list(tokenizer.sot_sequence_including_notimestamps)
        room = model.dims.n_text_ctx - len(start)
        said = [
            tokenizer.encode(f" {text.strip()}", disallowed_special=())[:room] for text in texts
        ]
        longest = max(map(len, said))  # what pads the others comes after all that counts
        rows = [[*start, *tokens, *[tokenizer.eot] * (longest - len(tokens))] for tokens in said]
        given = torch.tensor(rows, device=self.device)
        logits = model.decoder(given[:, :-1], self.encode(mels))[:, len(start) - 1 :].float()
        chosen = logits.log_softmax(-1).gather(2, given[:, len(start) :, None])[..., 0]
        pairs = zip(chosen, said, strict=True)
        return [score(float, -row[: len(tokens)].mean()) for row, tokens in pairs]


def padded_frames(samples: int, padding: float) -> int:
    """How many frames the log-mel of a wave has that is padded to a multiple of so many seconds."""
    seconds = padding * max(1, math.ceil(samples / SAMPLE_RATE / padding))
    return round(FRAME_RATE * seconds)


def whisper_code(language: str) -> str:
    """Whisper's code of a manifest's language: "English", "EN" and "en-GB" are "en"."""
    from whisper.tokenizer import TO_LANGUAGE_CODE

    name = language.strip().lower()
    code: str = TO_LANGUAGE_CODE.get(name, re.split("[-_]", name)[0])
    return code
