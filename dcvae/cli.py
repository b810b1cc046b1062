"""The command line: dcvae reconstruct | encode | decode | import | export."""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from dcvae.utils.errors import ended_by_interrupts, user_errors

with ended_by_interrupts():
    from dcvae.commands import PRECISIONS, export_model, import_model, transcode
    from dcvae.encode_command import CLIPS_PER_SHARD, encode
    from dcvae.inference.shards.encoding import DTYPES
    from dcvae.inference.transcode.operations import Decode, Encode, Operation, Reconstruct

SOURCES = "an audio file, a folder, a text file of paths (.txt) or a manifest (.csv, .parquet)"


def main(arguments: Sequence[str] | None = None) -> None:
    options = vars(build_parser().parse_args(arguments))
    run = options.pop("run")
    with user_errors("dcvae"):
        run(**options)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("dcvae", description="Speech to latents and back.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("reconstruct", help="audio through the latents and back to WAV")
    command.add_argument("sources", type=as_list, metavar="IN", help=SOURCES)
    command.add_argument(
        "out", type=Path, metavar="OUT", help="a .wav for a file, a folder for the rest"
    )
    add_model(command, Reconstruct)
    add_vocoder(command)

    command = commands.add_parser("encode", help="audio to latents, a file each or in shards")
    command.add_argument("sources", type=Path, nargs="+", metavar="IN", help=SOURCES)
    target = command.add_mutually_exclusive_group(required=True)
    target.add_argument("--out", type=Path, metavar="DIR", help="for one safetensors file each")
    target.add_argument("--shards", type=Path, metavar="DIR", help="for a data set to train on")
    add_model(command, Encode)
    add_shards(command)

    command = commands.add_parser("decode", help="latents to WAV of the original's length and rate")
    command.add_argument("sources", type=Path, nargs="+", metavar="IN", help="files or folders")
    command.add_argument("--out", type=Path, required=True, metavar="DIR")
    add_model(command, Decode)
    add_vocoder(command)

    command = commands.add_parser("import", help="a published .pt to a checkpoint folder")
    command.add_argument("weights", type=Path, metavar="FILE.pt")
    command.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    command.add_argument(
        "--config", type=Path, help="AutoencoderDC's JSON (default: the published model's)"
    )
    add_overwrite(command)
    command.set_defaults(run=import_model)

    command = commands.add_parser("export", help="a checkpoint folder to a published .pt")
    command.add_argument("folder", type=Path, metavar="FOLDER")
    command.add_argument("out", type=Path, metavar="FILE.pt")
    command.add_argument("--config", type=Path, help="where AutoencoderDC's JSON is to go as well")
    add_overwrite(command)
    command.set_defaults(run=export_model)
    return parser


def as_list(path: str) -> list[Path]:
    return [Path(path)]


def add_model(command: argparse.ArgumentParser, operation: type[Operation]) -> None:
    """What the three commands over files have in common."""
    command.add_argument("--model", type=Path, required=True, help="a checkpoint folder")
    command.add_argument("--device", help="cpu, cuda, cuda:1, ... (default: a GPU where one is)")
    command.add_argument("--precision", choices=PRECISIONS, default="float32")
    add_overwrite(command)
    command.set_defaults(run=partial(transcode, operation))


def add_shards(command: argparse.ArgumentParser) -> None:
    """What goes with --shards alone."""
    command.add_argument("--workers", type=int, help="processes (default: one a GPU, or a core)")
    command.add_argument("--dtype", choices=DTYPES, help="of what is kept (default: float32)")
    command.add_argument("--clips-per-shard", type=int, help=f"default: {CLIPS_PER_SHARD}")
    command.set_defaults(run=encode)


def add_vocoder(command: argparse.ArgumentParser) -> None:
    command.add_argument("--vocoder", default="griffin_lim", help="griffin_lim or bigvgan")
    command.add_argument("--vocoder-path", type=Path, help="bigvgan's folder of weights")


def add_overwrite(command: argparse.ArgumentParser) -> None:
    command.add_argument("--overwrite", action="store_true", help="replace outputs that exist")


if __name__ == "__main__":
    main()
