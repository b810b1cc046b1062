"""Training crops from a data set that streams, through the `datasets` library.

Each process reads its own shards (every n-th row where they do not divide), and each worker its
own of these. An epoch has a fixed number of batches, so that the processes agree when it ends; a
worker whose rows end sooner begins them anew, in another order.
"""

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.data_loader import prepare_data_loader
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from dcvae.audio.io import AudioError, read_audio, torchcodec_decoders
from dcvae.audio.mel import HOP, SAMPLE_RATE
from dcvae.data.manifest import SPLITS, fixed_hash
from dcvae.utils.errors import one_line
from experiments.data.index import split_of
from experiments.training.preemption import leave_signals_alone

STREAM = "stream.json"  # beside a manifest whose training split streams
ROWS = 100_000  # of an epoch where nobody says how many there are
HEAD = 65536  # bytes of a file by which it is known
MAGIC = {b"fLaC": ".flac", b"OggS": ".ogg", b"RIFF": ".wav", b"ID3": ".mp3", b"\xff": ".mp3"}
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """What streams: a repository or folder, and how many rows make an epoch."""

    repo: str
    subset: str | None
    split: str
    revision: str | None
    column: str
    rows: int
    buffer: int

    def describe(self) -> dict[str, Any]:
        return asdict(self)


def import_datasets() -> Any:
    """The `datasets` package; ValueError where it is not installed."""
    try:
        import datasets
    except ImportError as error:
        raise ValueError("data=hub needs the package datasets: pip install 'dcvae[hub]'") from error
    return datasets


def open_stream(source: Source) -> Any:
    """The rows with their audio as bytes; ValueError where they cannot be reached or lack it."""
    datasets = import_datasets()
    try:
        stream = datasets.load_dataset(
            source.repo,
            source.subset,
            split=source.split,
            revision=source.revision,
            streaming=True,
        )
        columns = stream.column_names or list(next(iter(stream)))
    except Exception as error:
        reason = one_line(error)[:200]
        raise ValueError(f"data=hub: {source.repo} cannot be reached or read ({reason})") from error
    if source.column not in columns:
        raise ValueError(
            f"data=hub: {source.repo} has no column {source.column!r}, but {', '.join(columns)}:"
            " data.column names the audio"
        )
    return stream.cast_column(source.column, datasets.Audio(decode=False))


def count_rows(source: Source) -> int:
    """How many rows the repository says that the split has; ROWS where it does not."""
    try:
        stream = import_datasets().load_dataset_builder(
            source.repo, source.subset, revision=source.revision
        )
        return int(stream.info.splits[source.split].num_examples) or ROWS
    except (KeyError, TypeError, AttributeError, OSError):
        return ROWS


def audio_suffix(content: bytes) -> str:
    """What files of that content are called; .audio where it is not known."""
    return next((suffix for head, suffix in MAGIC.items() if content.startswith(head)), ".audio")


def row_split(content: bytes) -> str:
    """The split of a row: a hash of how its file begins, and of its length."""
    return split_of(hashlib.sha256(content[:HEAD] + b"%d" % len(content)).hexdigest())


class StreamedClips(IterableDataset[Tensor]):
    """Crops [T] of one process's rows, T = segment_frames * HOP, `batches` of `batch_size`.

    Where a crop lies follows from seed, epoch, process, worker and its place in that worker's
    order: the same with the same number of processes and workers. What cannot be decoded is left
    out with a line, and so is what is shorter than `min_seconds`.
    """

    def __init__(
        self,
        stream: Any,
        source: Source,
        segment_frames: int,
        batch_size: int,
        batches: int,
        seed: int,
        min_seconds: float,
    ) -> None:
        self.stream, self.column, self.buffer = stream, source.column, source.buffer
        self.segment_samples, self.min_seconds = segment_frames * HOP, min_seconds
        self.batch_size, self.batches, self.seed = batch_size, batches, seed
        self.epoch = torch.zeros((), dtype=torch.int64).share_memory_()  # workers hear of it
        self.process = PartialState().process_index

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next pass."""
        self.epoch.fill_(epoch)

    def __iter__(self) -> Iterator[Tensor]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        epoch = int(self.epoch)
        share = -(-(self.batches - worker) // workers) * self.batch_size
        crops = self.crops(f"{self.seed}/{epoch}/{self.process}/{worker}", epoch)
        for _ in range(share):
            yield next(crops)

    def crops(self, key: str, epoch: int) -> Iterator[Tensor]:
        """Crops without end; ValueError where the rows give none."""
        number = 0
        for turn in count():
            before = number
            for row in self.shuffled(f"{self.seed}/{epoch}/{turn}"):
                content = (row[self.column] or {}).get("bytes")
                if content and row_split(content) == SPLITS[0]:
                    crop = self.crop(content, f"{key}/{number}")
                    if crop is not None:
                        number += 1
                        yield crop
            if number == before:
                raise ValueError("data=hub: the stream gives no clip to train on")

    def shuffled(self, key: str) -> Any:
        """The rows in an order of their own: by its seed, as all workers share a stream's epoch."""
        # several shards at once are read by threads, for whose end `datasets` sleeps every pass
        return self.stream.shuffle(
            fixed_hash(key) % 2**32, buffer_size=self.buffer, max_buffer_input_shards=1
        )

    def crop(self, content: bytes, key: str) -> Tensor | None:
        """One crop of a file's content, None where there is none."""
        memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
        with tempfile.NamedTemporaryFile(suffix=audio_suffix(content), dir=memory) as file:
            file.write(content)
            file.flush()
            try:
                duration = said_duration(Path(file.name))
                if duration < self.min_seconds:
                    return None
                spare = max(int(duration * SAMPLE_RATE) - self.segment_samples, 0)
                first = fixed_hash(key) % (spare + 1)
                stop = first + self.segment_samples
                wave = read_audio(file.name, start=first / SAMPLE_RATE, stop=stop / SAMPLE_RATE)
            except (AudioError, RuntimeError) as error:
                log.warning("data=hub: a clip is left out: %s", error)
                return None
        return functional.pad(wave, (0, self.segment_samples - len(wave)))


def said_duration(file: Path) -> float:
    """Seconds as the file's header says, for decoding it all would cost more than the crop."""
    import soundfile

    try:
        return float(soundfile.info(file).duration)
    except soundfile.LibsndfileError:
        decoders = torchcodec_decoders()
        if decoders is None:
            raise
        return float(decoders.AudioDecoder(file).metadata.duration_seconds or 0.0)


def streamed_loader(
    described: Path,
    segment_frames: int,
    batch_size: int,
    *,
    num_workers: int,
    seed: int,
    min_seconds: float,
) -> DataLoader[Tensor]:
    """Batches [B, T] of this process's share, ready for accelerate, which leaves it as it is."""
    source = Source(**json.loads(described.read_text()))
    state = PartialState()
    if batch_size % state.num_processes:
        raise ValueError(
            f"loader.batch_size={batch_size} cannot be cut among {state.num_processes} processes"
        )
    from datasets.distributed import split_dataset_by_node

    stream = split_dataset_by_node(open_stream(source), state.process_index, state.num_processes)
    if num_workers > stream.num_shards:
        log.warning("data=hub: %d workers have shards to read", stream.num_shards)
        num_workers = stream.num_shards
    mine, batches = batch_size // state.num_processes, max(source.rows * 9 // 10 // batch_size, 1)
    clips = StreamedClips(stream, source, segment_frames, mine, batches, seed, min_seconds)
    loader: DataLoader[Tensor] = DataLoader(
        clips,
        batch_size=mine,
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=leave_signals_alone,
        generator=torch.Generator().manual_seed(seed),
    )
    prepared = prepare_data_loader(
        loader, state.device, 1, 0, put_on_device=True, dispatch_batches=False, non_blocking=True
    )
    prepared._is_accelerate_prepared = True  # the share is cut already
    return prepared
