"""How close is the reconstruction? PESQ, STOI, mel-cepstral distortion, mel L1, modulations."""

from collections import deque
from collections.abc import Callable, Iterator
from functools import cache

from torch import Tensor

from analysis.context import Batch, EvalContext
from analysis.evaluator import Cell, Evaluator
from analysis.evaluators.pooled_scores import score_waves
from analysis.metrics.modulation import band_groups, log_modulation_ratio
from analysis.metrics.perceptual import METRICS, STOI_RATE, wave_scores
from analysis.metrics.score import score
from analysis.metrics.spectral import COEFFICIENTS, mel_cepstral_distortion, mel_l1
from analysis.outputs.table import Row
from analysis.systems.system import LatentSystem
from dcvae import LogMel
from dcvae.data.manifest import Clip

NAME = "quality"
CONDITIONS = ("ceiling", "reconstruction")
BLUR = "log_modulation_ratio"
MEL_METRICS: dict[str, Callable[..., float]] = {
    "mel_l1": mel_l1,
    BLUR: log_modulation_ratio,
}


def measure(batches: Iterator[Batch], context: EvalContext) -> Iterator[list[Row]]:
    """Per clip every wave metric of ceiling and reconstruction, and those of mels, unvocoded.

    The mel L1 of the same architecture with random weights says what training brought.
    """
    mel_rows: deque[list[Row]] = deque()

    @cache
    def untrained() -> LatentSystem:
        system = context.latent_system.untrained()
        assert system is not None
        return system

    def compared() -> Iterator[Batch]:
        """Each batch on its way to the pool, which is busy with the one before."""
        for batch in batches:
            mel_rows.append(
                rows_of_mels("reconstruction", batch, batch.mels, MEL_METRICS)
                + untrained_rows(batch, untrained)
                + rows_of_bands(batch, batch.mels)
                + distortion_rows("reconstruction", batch, batch.waves)
                + ceiling_distortion_rows(batch)
            )
            yield batch

    for rows in score_waves(compared(), context, NAME, wave_scores, original=False):
        yield rows + mel_rows.popleft()


def rows_of_mels(
    condition: str, batch: Batch, mels: list[Tensor], metrics: dict[str, Callable[..., float]]
) -> list[Row]:
    """Each of the metrics of the model's own mels [M, F]."""
    return [
        Row(sample.name, condition, name, *score(metric, sample.mel.numpy(), mel.numpy()))
        for sample, mel in zip(batch.samples, mels, strict=True)
        for name, metric in metrics.items()
    ]


def rows_of_bands(batch: Batch, mels: list[Tensor]) -> list[Row]:
    """The modulations of the model's own mels [M, F] by groups of bands."""
    return [
        Row(
            sample.name,
            f"bands_{name}",
            BLUR,
            *score(log_modulation_ratio, sample.mel.numpy()[group], mel.numpy()[group]),
        )
        for sample, mel in zip(batch.samples, mels, strict=True)
        for name, group in band_groups().items()
    ]


def untrained_rows(batch: Batch, untrained: Callable[[], LatentSystem]) -> list[Row]:
    """Mel L1 of random weights, once for all runs of an architecture, where it is the suite's."""
    architecture = architecture_of(batch.context)
    if not architecture:
        return []

    def compute() -> list[Row]:
        mels = untrained().reconstruct(batch.samples).mels
        return rows_of_mels("untrained", batch, mels, {"mel_l1": mel_l1})

    kind = f"{NAME} untrained {architecture}"
    return batch.context.rows_once(kind, batch.names, compute)


def architecture_of(context: EvalContext) -> str:
    """Of the system, "" where none is known."""
    return context.system.architecture if isinstance(context.system, LatentSystem) else ""


def distortion_rows(condition: str, batch: Batch, waves: list[Tensor]) -> list[Row]:
    """Mel-cepstral distortion of waves [T]."""
    log_mel = LogMel()
    return [
        Row(sample.name, condition, "mcd", *score(distortion, log_mel, sample.wave, wave))
        for sample, wave in zip(batch.samples, waves, strict=True)
    ]


def ceiling_distortion_rows(batch: Batch) -> list[Row]:
    """Those of the ceiling, once for all runs."""
    return batch.context.rows_once(
        f"{NAME} mcd", batch.names, lambda: distortion_rows("ceiling", batch, batch.ceilings)
    )


def distortion(log_mel: LogMel, reference: Tensor, output: Tensor) -> float:
    """Mel-cepstral distortion of two waves [T] by the model's own front end."""
    mels = (log_mel(wave[None])[0].numpy() for wave in (reference, output))
    return mel_cepstral_distortion(*mels)


def cells(context: EvalContext, clip: Clip) -> list[Cell]:
    waves = [(condition, metric) for condition in CONDITIONS for metric in (*METRICS, "mcd")]
    mels = [("reconstruction", metric) for metric in MEL_METRICS]
    bands = [(f"bands_{name}", BLUR) for name in band_groups()]
    untrained = [("untrained", "mel_l1")] if architecture_of(context) else []
    return [*waves, *mels, *bands, *untrained]


EVALUATOR = Evaluator(
    name=NAME,
    version=4,
    measure=measure,
    cells=cells,
    libraries=("pesq", "pystoi"),
    protocol=(
        "PESQ-wb at 16,000 Hz (ITU-T P.862.2), PESQ-nb at 8,000 Hz (P.862 and P.862.1), STOI and"
        f" ESTOI at {STOI_RATE:,} Hz, with `_aligned` once the output's delay is taken out."
        " `mel_l1` is of natural-log mels before any vocoder where the system makes mels, of its"
        f" wave's mel where it makes waves; `mcd` is in dB, of {COEFFICIENTS} mel cepstra of the"
        " waves' mels, frame by frame without time warping."
    ),
)
