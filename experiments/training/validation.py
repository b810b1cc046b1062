"""Score the fixed validation clips during training; keep pictures and sound of some."""

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from dcvae import LogMel
from dcvae.audio.io import write_audio
from dcvae.audio.mel import HOP, SAMPLE_RATE, SILENCE
from dcvae.data.manifest import Clip
from dcvae.models.losses import reconstruction_loss
from dcvae.utils.files import replacing
from dcvae.vocoders import Vocoder
from experiments.tracking.tracker import Tracker
from experiments.training.metrics import NonFiniteLossError


class Validation:
    """Fixed clips and their waves [T]; the first `examples` of them are also kept to look at."""

    def __init__(
        self,
        *,
        waves: list[tuple[Clip, Tensor]],
        examples: int,
        vocoder: Vocoder,
        run_dir: Path,
        device: torch.device,
    ) -> None:
        mel = LogMel()
        self.clips = [(clip, mel(wave[None]).to(device)) for clip, wave in waves]
        if isinstance(vocoder, nn.Module):
            vocoder.to(device)
        self.vocoder = vocoder
        self.folder = run_dir / "validation"
        self.examples = examples

    @torch.inference_mode()
    def run(self, model: nn.Module, step: int, tracker: Tracker) -> dict[str, float]:
        """The means over the clips of reconstruction loss and of the clean latent's variance, and
        the root of the mean square of all clean latents.

        `model` is a SpeechAutoencoder or gives what it gives. NonFiniteLossError for one whose
        loss is not finite, of which no example is kept.
        """
        was_training = model.training
        model.eval()
        losses, variances, squares = [], [], []
        for number, (clip, mel) in enumerate(self.clips):
            output = model(mel)
            losses.append(float(reconstruction_loss(output.mel, mel)))
            if not math.isfinite(losses[-1]):
                named = "validation/reconstruction"
                raise NonFiniteLossError(f"{named} became {losses[-1]} at step {step}")
            variances.append(float(output.latent.clean.var()))
            squares.append(output.latent.clean.float().square().flatten())
            if number < self.examples and tracker.active:
                self.keep_example(clip, mel, output.mel, step)
        model.train(was_training)
        return {
            "validation/reconstruction": sum(losses) / len(losses),
            "validation/latent_variance": sum(variances) / len(variances),
            "validation/latent_rms": float(torch.cat(squares).mean().sqrt()),
        }

    def keep_example(self, clip: Clip, mel: Tensor, reconstruction: Tensor, step: int) -> None:
        """Write a picture of both mels [1, M, F] and the reconstruction's sound."""
        picture = self.folder / f"{clip.name}-step{step:07d}.png"
        save_mel_picture(picture, mel[0], reconstruction[0])
        sound = self.vocoder(reconstruction)[0]
        write_audio(picture.with_suffix(".wav"), sound, SAMPLE_RATE)


def save_mel_picture(path: Path, original: Tensor, reconstruction: Tensor) -> None:
    """One PNG of two log-mels [M, F], the original above, on one scale of colours."""
    from matplotlib.figure import Figure

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
