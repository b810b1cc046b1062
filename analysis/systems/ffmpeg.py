"""Classical codecs, by the encoders of the FFmpeg that is installed."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from analysis.metrics.delay import estimate_delay
from analysis.systems.system import SystemFault

PROGRAM = "ffmpeg"
TRIAL_SECONDS = 4  # of noise, on which the delay is measured
OPTION = re.compile(r"(\d+(?:\.\d+)?)(k?)")


class Encoder(NamedTuple):
    """One of FFmpeg's encoders, and the sample rate and container that suit it."""

    encoder: str
    sample_rate: int  # Hz
    container: str
    setting: str = ""  # the option that takes the bit rate; "" where there is one rate alone
    bits: int = 0  # a second, of that one rate
    allowed: tuple[int, ...] = ()  # bit rates, where only some are


CODEC2_RATES = (700, 1200, 1300, 1400, 1600, 2400, 3200)
ENCODERS = {
    "opus": Encoder("libopus", 24_000, "ogg", "-b:a"),
    "codec2": Encoder("libcodec2", 8_000, "codec2", "-mode", allowed=CODEC2_RATES),
    "speex": Encoder("libspeex", 16_000, "ogg", "-b:a"),
    "gsm": Encoder("libgsm", 8_000, "gsm", bits=13_000),
    "g722": Encoder("g722", 16_000, "g722", bits=64_000),
}


@dataclass(frozen=True)
class FFmpegCodec:
    """One encoder at one bit rate: `reconstruct` takes and gives a wave [T] at its sample rate."""

    name: str
    encoder: Encoder
    bits_per_second: int | None  # nominal; None for the encoder's own choice

    @property
    def sample_rate(self) -> int:
        return self.encoder.sample_rate

    @cached_property
    def delay(self) -> int:
        """By how many samples the output is late, measured on noise with a speech-like envelope.

        Containers tell a decoder of some codecs' delay and of others' not.
        """
        generator = torch.Generator().manual_seed(0)
        steps = torch.rand(1, 1, 8 * TRIAL_SECONDS, generator=generator).square()
        samples = TRIAL_SECONDS * self.sample_rate
        envelope = functional.interpolate(steps, size=samples, mode="linear")[0, 0]
        trial = 0.3 * envelope * torch.randn(samples, generator=generator)
        output = self.code(trial)[:samples]
        return max(0, estimate_delay(trial.numpy(), output.numpy(), self.sample_rate))

    def reconstruct(self, wave: Tensor) -> Tensor:
        """As many samples, without the delay; what is left out at the end is silent."""
        found = self.code(functional.pad(wave, (0, self.delay)))[self.delay :][: len(wave)]
        return functional.pad(found, (0, len(wave) - len(found)))

    def code(self, wave: Tensor) -> Tensor:
        """A wave [T] through encoder and decoder, as FFmpeg gives it back."""
        raw = ["-f", "f32le", "-ar", str(self.sample_rate), "-ac", "1"]
        encoder, setting, bits = self.encoder, self.encoder.setting, self.bits_per_second
        rate = [setting, str(bits)] if setting and bits else []
        packed = run(
            [*raw, "-i", "-", "-c:a", encoder.encoder, *rate, "-f", encoder.container, "-"],
            wave.clamp(-1, 1).numpy().astype("<f4").tobytes(),
            self.name,
        )
        output = run(["-f", encoder.container, "-i", "-", *raw, "-"], packed, self.name)
        return torch.from_numpy(np.frombuffer(output, "<f4").copy())


def load_ffmpeg_codec(spec: str) -> FFmpegCodec:
    """`opus@6k`, `codec2@1300`, `gsm`: a codec, and its bits a second where it has a choice.

    SystemFault where it is unknown, the bit rate is none of its own, or FFmpeg lacks it.
    """
    kind, _, rate = spec.partition("@")
    if kind not in ENCODERS:
        raise SystemFault(f"ffmpeg:{spec}: no codec {kind!r}, choose from {', '.join(ENCODERS)}")
    encoder = ENCODERS[kind]
    if encoder.encoder not in encoders():
        had = [name for name, one in ENCODERS.items() if one.encoder in encoders()]
        raise SystemFault(
            f"ffmpeg:{spec}: the FFmpeg here lacks the encoder {encoder.encoder};"
            f" of these it has {', '.join(had) or 'none'}"
        )
    if encoder.bits and rate:
        raise SystemFault(f"ffmpeg:{spec}: {kind} has one bit rate, {encoder.bits}")
    bits = encoder.bits or parse_rate(rate, spec)
    if encoder.allowed and bits not in encoder.allowed:
        raise SystemFault(
            f"ffmpeg:{spec}: {kind} has the bit rates {', '.join(map(str, encoder.allowed))}"
        )
    return FFmpegCodec(spec, encoder, bits)


def parse_rate(text: str, spec: str) -> int | None:
    """Bits a second: `1300`, `6k`; None where none is given."""
    if not text:
        return None
    found = OPTION.fullmatch(text)
    if found is None:
        raise SystemFault(f"ffmpeg:{spec}: a bit rate reads 1300 or 6k, not {text!r}")
    return round(float(found[1]) * (1000 if found[2] else 1))


@cache
def encoders() -> frozenset[str]:
    """The names of the encoders that the FFmpeg here has."""
    listed = run(["-encoders"], b"", "ffmpeg").decode(errors="replace")
    return frozenset(re.findall(r"^ A\S{5} (\w+)", listed, re.MULTILINE))


@cache
def ffmpeg_version() -> str:
    """As FFmpeg prints it: "5.1.6"."""
    return run(["-version"], b"", "ffmpeg").decode(errors="replace").split()[2]


def run(arguments: list[str], given: bytes, name: str) -> bytes:
    """What FFmpeg writes to its standard output; SystemFault with its last line where it fails."""
    program = shutil.which(PROGRAM)
    if program is None:
        raise SystemFault(f"{name}: the program {PROGRAM} is not installed")
    command = [program, "-hide_banner", "-loglevel", "error", *arguments]
    done = subprocess.run(command, input=given, capture_output=True, check=False)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise SystemFault(f"{name}: FFmpeg says: {lines[-1] if lines else done.returncode}")
    return done.stdout
