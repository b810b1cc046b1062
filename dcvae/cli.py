"""The command line: dcvae reconstruct IN OUT --model FOLDER."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from dcvae import LogMel, SpeechAutoencoder
from dcvae.audio import AudioError, read_audio, write_audio
from dcvae.errors import user_errors
from dcvae.mel import HOP, N_FFT, SAMPLE_RATE
from dcvae.vocoders import load_vocoder

SHORTEST = N_FFT / SAMPLE_RATE  # seconds: less than one analysis window holds no speech


@torch.inference_mode()
def reconstruct(source: Path, target: Path, model_folder: Path, vocoder_name: str) -> str:
    """Pass one file through the autoencoder and a vocoder; 22,050 Hz mono comes out.

    Returns one line that says what was done; ValueError or OSError where it cannot be.
    """
    model = SpeechAutoencoder.from_pretrained(model_folder)
    vocoder = load_vocoder(vocoder_name)
    wave = read_audio(source)
    if len(wave) < N_FFT:
        raise AudioError(f"{source} is shorter than {SHORTEST * 1000:.0f} ms: give a longer file")
    if not wave.any():
        raise AudioError(f"{source} is silent from end to end: there is nothing to reconstruct")
    mel = LogMel()(torch.nn.functional.pad(wave, (0, -len(wave) % HOP))[None])
    output = vocoder(model(mel).mel)[0, : len(wave)]
    write_audio(target, output, SAMPLE_RATE)
    seconds = len(wave) / SAMPLE_RATE
    return f"{target}: {seconds:.2f} s through {model.floats_per_second:.0f} floats a second"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser("dcvae", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("reconstruct", help=str(reconstruct.__doc__).splitlines()[0])
    command.add_argument("source", type=Path, metavar="IN", help="an audio file")
    command.add_argument("target", type=Path, metavar="OUT", help="the WAV file to write")
    command.add_argument("--model", type=Path, required=True, help="a checkpoint folder")
    command.add_argument("--vocoder", default="griffin_lim")
    options = parser.parse_args(arguments)
    with user_errors("dcvae"):
        print(reconstruct(options.source, options.target, options.model, options.vocoder))
