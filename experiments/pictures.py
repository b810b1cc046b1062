"""Pictures for the tracker."""

from pathlib import Path

from matplotlib.figure import Figure
from torch import Tensor

from dcvae.audio.mel import HOP, SAMPLE_RATE, SILENCE
from dcvae.utils.files import replacing


def save_mel_picture(path: Path, original: Tensor, reconstruction: Tensor) -> None:
    """One PNG of two log-mels [M, F], the original above, on one scale of colours."""
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots(2, 1, sharex=True)
    seconds = original.shape[-1] * HOP / SAMPLE_RATE
    for axis, mel, title in zip(
        axes, (original, reconstruction), ("original", "reconstruction"), strict=True
    ):
        axis.imshow(
            mel.float().cpu().numpy(),
            origin="lower",
            aspect="auto",
            extent=(0, seconds, 0, mel.shape[0]),
            vmin=SILENCE,
            vmax=float(original.max()),
        )
        axis.set(title=title, ylabel="mel bin")
    axes[-1].set_xlabel("seconds")
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=100)
