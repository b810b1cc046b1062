"""Pictures and audio as data URIs, the same bytes for the same input."""

import io
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

from reports.figures.plot import Plot
from reports.figures.style import DARK, LIGHT, WIDE, WIDTH, Theme, styled

QUIETEST = -9.0  # natural log: what is drawn black
LOUDEST = 2.0
DPI = 150


def data_uri(content: bytes, kind: str) -> str:
    """Bytes of a media type as a URI that holds them."""
    return f"data:{kind};base64,{b64encode(content).decode()}"


def figure_uris(plot: Plot, table: pd.DataFrame, systems: Sequence[str]) -> dict[str, str]:
    """A figure drawn once for each theme: its data URI by the theme's name."""
    return {theme.name: figure_uri(plot, table, systems, theme) for theme in (LIGHT, DARK)}


def figure_uri(plot: Plot, table: pd.DataFrame, systems: Sequence[str], theme: Theme) -> str:
    """SVG, or PNG where most of the figure is pixels anyway."""
    buffer = io.BytesIO()
    with styled(theme, systems, WIDE if plot.wide else WIDTH):
        figure = plot.draw(table)
        if plot.raster:
            figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
            return data_uri(buffer.getvalue(), "image/png")
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return data_uri(buffer.getvalue(), "image/svg+xml")


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
    """A WAV file as FLAC: the same samples in half the bytes, and browsers play it."""
    samples, rate = soundfile.read(path, dtype="int16")
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="FLAC", subtype="PCM_16")
    return data_uri(buffer.getvalue(), "audio/flac")
