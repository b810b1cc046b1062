"""One batch scored under many conditions: waves in the pool, words and voices here."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from analysis.asr.recogniser import Recogniser
from analysis.context import Batch, EvalContext
from analysis.errors import Unavailable
from analysis.evaluators.pooled_scores import Pending, rows
from analysis.evaluators.speaker_encoder import voice_encoder_missing
from analysis.evaluators.speaker_similarity import Voice, embed, original_voices, similarity_rows
from analysis.evaluators.words import dwer_rows
from analysis.metrics.perceptual import pesq_and_stoi
from analysis.metrics.score import score
from analysis.metrics.spectral import mel_l1
from analysis.outputs.table import Row
from dcvae.audio.mel import SAMPLE_RATE
from dcvae.data.manifest import Clip


class DegradedScorer:
    """Mel L1, PESQ and STOI of any output; with `listening`, dWER and speaker similarity too.

    Of those two only what is installed: `settings` says with what the rows were made.
    """

    def __init__(self, context: EvalContext, listening: bool) -> None:
        self.context = context
        options = context.resources.options
        self.recogniser = find_recogniser(context) if listening and options.noisy_words else None
        self.hears_voices = listening and options.noisy_voices and not voice_encoder_missing()

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "recogniser": self.recogniser.name if self.recogniser else None,
            "voices": self.hears_voices,
        }

    def reads(self, clip: Clip) -> bool:
        """Whether the recogniser knows the clip's language."""
        return self.recogniser is not None and self.recogniser.knows(clip.language)

    def metrics(self, clip: Clip) -> list[str]:
        """What the clip has a row of in each condition with a wave."""
        words = ["dwer_errors", "dwer_total"] if self.reads(clip) else []
        return [
            "mel_l1",
            "pesq_wb",
            "stoi",
            *words,
            *(["speaker_similarity"] if self.hears_voices else []),
        ]

    def start(self, batch: Batch) -> None:
        """Turn to the next batch."""
        self.batch = batch
        self.rows: list[Row] = []
        self.pending: Pending = []
        self.voices: list[Voice] = []
        if self.hears_voices:
            self.voices = original_voices(batch)

    def score_outputs(
        self, condition: str, mels: Sequence[Tensor], waves: Sequence[Tensor] | None
    ) -> None:
        """Judge a mel [M, F] and, where there are such, a wave [F * HOP] for each sample."""
        for sample, mel in zip(self.batch.samples, mels, strict=True):
            value = score(mel_l1, sample.mel.numpy(), mel.numpy())
            self.rows.append(Row(sample.name, condition, "mel_l1", *value))
        if waves is None:
            return
        for sample, wave in zip(self.batch.samples, waves, strict=True):
            scores = self.context.resources.pool.submit(
                pesq_and_stoi, sample.wave.numpy(), wave.numpy(), SAMPLE_RATE
            )
            self.pending.append((sample.name, condition, scores))
        if self.recogniser:
            self.rows += dwer_rows(condition, self.batch, waves, self.context)
        if self.hears_voices:
            outputs = embed(self.context.resources.voice_encoder, waves)
            self.rows += similarity_rows(condition, self.batch, self.voices, outputs)

    def finish(self) -> list[Row]:
        """All rows of the batch, once the pool is through with it."""
        return self.rows + rows(self.pending)


def find_recogniser(context: EvalContext) -> Recogniser | None:
    """The recogniser, None where there is none: intelligibility says what to install."""
    try:
        return context.resources.recogniser
    except Unavailable:
        return None
