"""What inference costs: python -m experiments.benchmark inference

Real-time factors: seconds of computing for a second of speech, below 1 faster than speech. The
weights are random, for they change nothing of the time, and the speech is real, for the error in
bfloat16 depends on it.
"""

import argparse
import json
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from dcvae import Codec, LogMel, load_vocoder, read_audio
from dcvae.audio.mel import HOP, SAMPLE_RATE
from dcvae.vocoders import Vocoder
from experiments.benchmark.parts import baseline_model
from experiments.benchmark.table import print_table
from experiments.training.hardware import describe_device

SPEECH = Path(__file__).parents[2] / "tests" / "data" / "en_pm_invalid_option.flac"  # 3.2 s
MODELS = [  # s/s: seconds of computing for a second of speech
    "size", "batch", "encode, float32, s/s", "encode, bfloat16, s/s", "times as fast",
    "decode, float32, s/s", "decode, bfloat16, s/s", "times as fast", "error",
]  # fmt: skip
VOCODERS = ["vocoder", "batch", "float32, s/s"]
BIGVGAN = {  # the published v2 model for 22 kHz and 80 bands
    "sampling_rate": 22050, "n_fft": 1024, "win_size": 1024, "hop_size": 256, "num_mels": 80,
    "fmin": 0, "fmax": None, "resblock": "1", "upsample_initial_channel": 1536,
    "upsample_rates": [4, 4, 2, 2, 2, 2], "upsample_kernel_sizes": [8, 8, 4, 4, 4, 4],
    "resblock_kernel_sizes": [3, 7, 11], "resblock_dilation_sizes": [[1, 3, 5]] * 3,
    "activation": "snakebeta", "snake_logscale": True,
    "use_tanh_at_final": False, "use_bias_at_final": False,
}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser("experiments.benchmark inference", description=__doc__)
    parser.add_argument("--sizes", nargs="*", default=["tiny", "base", "full"])
    parser.add_argument("--vocoders", nargs="*", default=["griffin_lim", "bigvgan"])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 16])
    parser.add_argument("--audio", type=Path, default=SPEECH, help="what each clip begins with")
    parser.add_argument("--frames", type=int, default=256, help="of mel a clip: 86 a second")
    parser.add_argument("--repeats", type=int, default=5, help="of which the best one counts")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args(arguments)
    print(f"{describe_device(torch.device(options.device))}, torch {torch.__version__}\n")
    wave = read_audio(options.audio, stop=options.frames * HOP / SAMPLE_RATE)[None]
    bench = Bench(wave, options.repeats, options.device)
    if options.sizes:
        rows = (bench.model(size, batch) for size in options.sizes for batch in options.batches)
        print_table(MODELS, rows)
    if options.vocoders:
        print()
        with tempfile.TemporaryDirectory() as folder:
            loaded = {name: untrained(name, Path(folder)) for name in options.vocoders}
            pairs = ((name, batch) for name in loaded for batch in options.batches)
            print_table(VOCODERS, (bench.vocoder(*pair, loaded[pair[0]]) for pair in pairs))


class Bench:
    """Times parts on copies of a wave [1, T] at 22,050 Hz, and gives each a row of a table."""

    def __init__(self, wave: Tensor, repeats: int, device: str) -> None:
        self.wave, self.repeats, self.device = wave, repeats, device

    def model(self, size: str, batch: int) -> list[str]:
        """float32, then bfloat16 with channels_last, how many times as fast, and the latents'
        relative error.
        """
        codecs = [self.codec(size, dtype) for dtype in (torch.float32, torch.bfloat16)]
        wave = self.wave.expand(batch, -1)
        latents = [codec.encode(wave, SAMPLE_RATE, flat=False).to(self.device) for codec in codecs]
        full, half = codecs
        times = self.factors(
            batch,
            lambda: full.encode(wave, SAMPLE_RATE),
            lambda: half.encode(wave, SAMPLE_RATE),
            lambda: full.in_parts(full.model.decode, latents[0]),
            lambda: half.in_parts(half.model.decode, latents[0]),
        )
        error = float((latents[1] - latents[0]).norm() / latents[0].norm())
        encode, decode = (
            [f"{slow:.4f}", f"{fast:.4f}", f"{slow / fast:.2f}"]
            for slow, fast in (times[:2], times[2:])
        )
        return [size, str(batch), *encode, *decode, f"{error:.2%}"]

    def vocoder(self, name: str, batch: int, vocoder: Vocoder) -> list[str]:
        mel = LogMel()(self.wave).expand(batch, -1, -1).contiguous().to(self.device)
        (factor,) = self.factors(batch, lambda: vocoder(mel))
        return [name, str(batch), f"{factor:.4f}"]

    def codec(self, size: str, dtype: torch.dtype) -> Codec:
        torch.manual_seed(0)
        model = baseline_model(size)
        return Codec(model, load_vocoder(), device=self.device, dtype=dtype)

    @torch.inference_mode()
    def factors(self, batch: int, *calls: Callable[[], Tensor]) -> list[float]:
        """Best real-time factors; the calls take turns, so that a slow spell meets them all."""
        taken: list[list[float]] = [[] for _ in calls]
        for turn in range(self.repeats + 1):
            for call, times in zip(calls, taken, strict=True):
                began = time.perf_counter()
                call().cpu()  # waits for a GPU
                if turn:  # the first one warms up
                    times.append(time.perf_counter() - began)
        speech = batch * self.wave.shape[1] / SAMPLE_RATE
        return [min(times) / speech for times in taken]


def untrained(name: str, folder: Path) -> Vocoder:
    """A vocoder by name; BigVGAN in its published size, with random weights."""
    if name != "bigvgan":
        return load_vocoder(name)
    from dcvae.vocoders.bigvgan import import_package

    package = import_package()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # weight_norm has a successor
        network = package.BigVGAN(package.env.AttrDict(BIGVGAN))
    (folder / "config.json").write_text(json.dumps(BIGVGAN))
    torch.save({"generator": network.state_dict()}, folder / "bigvgan_generator.pt")
    return load_vocoder(name, path=folder)
