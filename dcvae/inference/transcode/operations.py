"""What the command line does to one file: how it is read, coded and written."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from dcvae.audio.io import write_audio
from dcvae.audio.mel import SAMPLE_RATE
from dcvae.audio.streaming import BLOCK, Speech, cut, padded, resampled
from dcvae.data.sources import AUDIO, Kind
from dcvae.inference.codec import Codec
from dcvae.inference.transcode.latents_file import SUFFIX as LATENTS_SUFFIX
from dcvae.inference.transcode.latents_file import (
    Encoded,
    EncodedError,
    read_encoded,
    write_encoded,
)

LATENTS = Kind("latents", frozenset({LATENTS_SUFFIX}))


@dataclass(frozen=True)
class Item:
    """One file on its way: its signal [1, ..., n] in blocks, and what its wave is to be.

    A short one is coded together with others of its length; of a long one the number of samples
    is known once the signal has been taken.
    """

    source: Path
    target: Path
    sample_rate: int
    samples: Callable[[], int]
    signal: Iterable[Tensor]
    short: bool


class Operation(Protocol):
    """Read a file, code signals of one shape together, write what came of it."""

    kind: Kind  # of the files that are read
    suffix: str  # of the files that are written
    verb: str  # for the summary: what was done to them

    def __init__(self, codec: Codec) -> None: ...

    def read(self, source: Path, target: Path) -> Item: ...

    def code(self, blocks: Iterable[Tensor]) -> Iterator[Tensor]: ...

    def write(self, item: Item, blocks: Iterable[Tensor]) -> None: ...


class Encode:
    """Audio to latents, with what decoding needs."""

    kind, suffix, verb = AUDIO, LATENTS_SUFFIX, "encoded"

    def __init__(self, codec: Codec) -> None:
        self.codec = codec

    def read(self, source: Path, target: Path) -> Item:
        return read_speech(self.codec, source, target)

    def code(self, blocks: Iterable[Tensor]) -> Iterator[Tensor]:
        return self.codec.encode_blocks(blocks, SAMPLE_RATE)

    def write(self, item: Item, blocks: Iterable[Tensor]) -> None:
        latents = torch.cat([block.cpu() for block in blocks], -1)[0].flatten(0, 1)
        if not bool(latents.isfinite().all()):
            raise EncodedError(f"the latents of {item.source} are not finite: they are not written")
        rate, model = self.codec.model.latent_frames_per_second, self.codec.model_id
        write_encoded(item.target, Encoded(latents, item.sample_rate, item.samples(), rate, model))


class Decode:
    """Latents to a WAV file of the original's length and rate."""

    kind, suffix, verb = LATENTS, ".wav", "decoded"

    def __init__(self, codec: Codec) -> None:
        self.codec = codec

    def read(self, source: Path, target: Path) -> Item:
        encoded = read_encoded(source)
        if encoded.model != self.codec.model_id:
            raise EncodedError(
                f"{source} was encoded by model {encoded.model}, and this is {self.codec.model_id}"
            )
        latents = self.codec.unflatten(encoded.latents[None])
        seconds = encoded.samples / encoded.sample_rate
        spare = latents.shape[-1] * self.codec.stride - seconds * SAMPLE_RATE
        if not -2 < spare < self.codec.stride + 2:
            raise EncodedError(f"{source} holds latents of another length than its metadata says")
        samples, short = encoded.samples, seconds <= BLOCK
        return Item(source, target, encoded.sample_rate, lambda: samples, [latents], short)

    def code(self, blocks: Iterable[Tensor]) -> Iterator[Tensor]:
        return self.codec.decode_blocks(blocks)

    def write(self, item: Item, blocks: Iterable[Tensor]) -> None:
        waves = cut(resampled(blocks, SAMPLE_RATE, item.sample_rate), item.samples)
        write_audio(item.target, (wave[0] for wave in waves), item.sample_rate)


class Reconstruct(Decode):
    """Audio through the latents and back, at its own rate and length."""

    kind, suffix, verb = AUDIO, ".wav", "reconstructed"

    def read(self, source: Path, target: Path) -> Item:
        return read_speech(self.codec, source, target)

    def code(self, blocks: Iterable[Tensor]) -> Iterator[Tensor]:
        return self.codec.decode_blocks(self.codec.encode_blocks(blocks, SAMPLE_RATE))


def read_speech(codec: Codec, source: Path, target: Path) -> Item:
    """An audio file as waves [1, T] at 22,050 Hz that fill whole latent frames."""
    speech = Speech(source)
    blocks = (wave[None] for wave in speech)
    ahead = list(islice(blocks, 2))  # a second one tells that the file is long
    waves = resampled(chain(ahead, blocks), speech.sample_rate, SAMPLE_RATE)
    signal = padded(waves, codec.stride)
    return Item(
        source, target, speech.sample_rate, lambda: speech.samples, signal, short=len(ahead) == 1
    )
