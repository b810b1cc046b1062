"""Audio of any length, a block at a time: read, resample, pad and cut in constant memory."""

import importlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from dcvae.audio.checks import (
    AudioError,
    PathLike,
    check_rate,
    check_samples,
    existing_file,
)
from dcvae.audio.io import torchcodec_decoders, undecodable

BLOCK = 30.0  # seconds read at once
DECODED_AGAIN = 600.0  # seconds, where a decoder starts at the beginning for every block


class Speech:
    """The mono wave of one audio file, in blocks [T] at the file's own rate.

    Iterate once; `samples` has counted those given so far. libsndfile reads on from block to
    block; what it does not know goes to FFmpeg, which decodes from the start each time.
    AudioError where the file is missing, empty, corrupt, silent, or holds no finite numbers.
    """

    def __init__(self, path: PathLike) -> None:
        self.path = existing_file(path)
        self.samples = 0
        soundfile = importlib.import_module("soundfile")
        try:
            with soundfile.SoundFile(self.path) as file:
                self.sample_rate: int = file.samplerate
            self.decode = self._decode_soundfile
        except RuntimeError as error:
            if torchcodec_decoders() is None:
                raise undecodable(self.path, error) from error
            self.sample_rate = _sample_rate(self.path)
            self.decode = self._decode_torchcodec
        check_rate(self.path, self.sample_rate)

    def __iter__(self) -> Iterator[Tensor]:
        audible = False
        try:
            for block in self.decode():
                wave = block.mean(0)
                check_samples(self.path, wave)
                audible = audible or bool(wave.any())
                self.samples += len(wave)
                yield wave
        except RuntimeError as error:
            raise undecodable(self.path, error) from error
        if self.samples == 0:
            raise AudioError(f"{self.path} holds no audio")
        if not audible:
            raise AudioError(f"{self.path} is silent from end to end: there is nothing to code")

    def _decode_soundfile(self) -> Iterator[Tensor]:
        soundfile = importlib.import_module("soundfile")
        with soundfile.SoundFile(self.path) as file:
            count = round(BLOCK * self.sample_rate)
            while len(samples := file.read(count, dtype="float32", always_2d=True)):
                yield torch.from_numpy(samples.T)

    def _decode_torchcodec(self) -> Iterator[Tensor]:
        decoder = torchcodec_decoders().AudioDecoder(self.path)
        start = 0.0
        while True:
            try:
                block = decoder.get_samples_played_in_range(start, start + DECODED_AGAIN).data
            except RuntimeError:
                if start == 0.0:
                    raise
                return  # nothing lies so late in the file
            yield block
            if block.shape[-1] < DECODED_AGAIN * self.sample_rate:
                return
            start += DECODED_AGAIN


def _sample_rate(path: Path) -> int:
    try:
        rate: int = torchcodec_decoders().AudioDecoder(path).metadata.sample_rate
    except (RuntimeError, ValueError, IndexError) as error:
        raise undecodable(path, error) from error
    return rate


def resampled(blocks: Iterable[Tensor], source: int, target: int) -> Iterator[Tensor]:
    """Blocks [B, T] at `source` Hz to blocks at `target` Hz, as if all were resampled at once."""
    if source == target:
        yield from blocks
        return
    soxr = importlib.import_module("soxr")
    stream, template = None, torch.zeros(0)
    for block in blocks:
        template = block
        if stream is None:
            stream = soxr.ResampleStream(source, target, len(block), dtype="float32")
        yield _resample(stream, block)
    if stream is not None:
        yield _resample(stream, template[:, :0], last=True)


def _resample(stream: object, block: Tensor, last: bool = False) -> Tensor:
    samples = block.float().cpu().T.contiguous().numpy()  # [T, B]
    samples = samples[:, 0] if samples.shape[1] == 1 else samples
    output = torch.from_numpy(stream.resample_chunk(samples, last=last))  # type: ignore[attr-defined]
    return (output[None] if output.ndim == 1 else output.T).to(block.device)


def padded(blocks: Iterable[Tensor], multiple: int) -> Iterator[Tensor]:
    """The blocks [B, T], then zeros until their length together is a multiple of `multiple`.

    Of a sample or two, resampling can leave none: those become `multiple` zeros.
    """
    total, template = 0, None
    for block in blocks:
        total, template = total + block.shape[-1], block
        yield block
    if template is not None and (total == 0 or total % multiple):
        yield template.new_zeros(len(template), multiple - total % multiple)


def cut(blocks: Iterable[Tensor], samples: Callable[[], int]) -> Iterator[Tensor]:
    """The blocks [B, T] as far as samples(), asked at each; zeros where rounding left some short.

    So that a signal can be cut to the length of another that is still being read: what is made
    of it always lags behind it, and when the last block comes its length is known.
    """
    given, template = 0, None
    for block in blocks:
        template = block
        piece = block[..., : samples() - given]
        given += piece.shape[-1]
        yield piece
    if template is not None and samples() > given:
        yield template.new_zeros(len(template), samples() - given)
