"""Pictures and audio as data URIs, the same bytes for the same input."""

import io
import re
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
import soundfile
from PIL import Image

from dcvae.runs import RunError
from reports.figures.marks import mark_systems
from reports.figures.plot import METADATA, Plot
from reports.figures.style import DARK, LIGHT, WIDE, WIDTH, Theme, styled

QUIETEST = -9.0  # natural log: what is drawn black
LOUDEST = 2.0
DPI = 150


def data_uri(content: bytes, kind: str) -> str:
    """Bytes of a media type as a URI that holds them."""
    return f"data:{kind};base64,{b64encode(content).decode()}"


def figure_uris(plot: Plot, table: pd.DataFrame, systems: Sequence[str]) -> dict[str, str]:
    """A figure for each theme: its data URI by the theme's name.

    PNG where most of it is pixels anyway, else SVG: the dark one is the light one recoloured.
    """
    if plot.raster:
        themes = (LIGHT, DARK)
        pictures = {one.name: picture(plot, table, systems, one, "png") for one in themes}
        return {name: data_uri(content, "image/png") for name, content in pictures.items()}
    light = picture(plot, table, systems, LIGHT, "svg")
    pictures = {LIGHT.name: light, DARK.name: recoloured(light, LIGHT, DARK)}
    return {name: data_uri(content, "image/svg+xml") for name, content in pictures.items()}


def picture(
    plot: Plot, table: pd.DataFrame, systems: Sequence[str], theme: Theme, kind: str
) -> bytes:
    """The figure in one theme, as the bytes of a file; parts that are one system's are marked."""
    buffer = io.BytesIO()
    with styled(theme, systems, WIDE if plot.wide else WIDTH):
        figure = plot.draw(table)
        mark_systems(figure, systems)
        figure.savefig(buffer, format=kind, dpi=DPI, metadata=METADATA[kind])
    return buffer.getvalue()


def recoloured(svg: bytes, old: Theme, new: Theme) -> bytes:
    """An SVG that was drawn in one theme in the colours of another: its layout is the same."""
    colours = {one.encode(): vars(new)[name].encode() for name, one in vars(old).items()}
    colours = {one: other for one, other in colours.items() if one.startswith(b"#")}
    return re.sub(b"|".join(colours), lambda found: colours[found[0]], svg)


def mel_uri(mel: npt.NDArray[Any]) -> str:
    """A log-mel [M, F] as a small palette PNG, a pixel a frame, low bands at the bottom."""
    levels = (mel[::-1] - QUIETEST) / (LOUDEST - QUIETEST)
    picture = Image.fromarray((levels.clip(0, 1) * 255).astype(np.uint8), mode="P")
    colours = mpl.colormaps["magma"](np.arange(256), bytes=True)[:, :3]
    picture.putpalette(colours.tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return data_uri(buffer.getvalue(), "image/png")


def audio_uri(path: Path) -> str:
    """A WAV file as FLAC: the same samples in half the bytes, and browsers play it.

    RunError where it is empty or damaged.
    """
    buffer = io.BytesIO()
    try:
        samples, rate = soundfile.read(path, dtype="int16")
        soundfile.write(buffer, samples, rate, format="FLAC", subtype="PCM_16")
    except (soundfile.SoundFileError, OSError, ValueError) as error:
        raise RunError(str(error)) from error
    if not len(samples):
        raise RunError("it holds no sample")
    return data_uri(buffer.getvalue(), "audio/flac")
