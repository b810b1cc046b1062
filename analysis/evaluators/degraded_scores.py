"""One batch scored under many conditions: waves in the pool, words and voices here."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from analysis.asr.recogniser import NLL_PADDING, Recogniser
from analysis.context import Batch, EvalContext
from analysis.errors import Unavailable
from analysis.evaluators.distillmos import EVALUATOR as DISTILLMOS
from analysis.evaluators.pooled_scores import Pending, rows
from analysis.evaluators.speaker_similarity import EVALUATOR as SPEAKER
from analysis.evaluators.speaker_similarity import Voice, embed, original_voices, similarity_rows
from analysis.evaluators.words import has_text, nll_rows
from analysis.metrics.distillmos import distillmos_scores
from analysis.metrics.perceptual import pesq_and_stoi
from analysis.metrics.score import score
from analysis.metrics.spectral import mel_l1
from analysis.outputs.table import Row
from analysis.systems.system import Outputs
from dcvae.audio.mel import SAMPLE_RATE
from dcvae.data.manifest import Clip


class DegradedScorer:
    """Mel L1, PESQ and STOI of any output; with `listening`, what models of listeners say too.

    Those are DistillMOS, text_nll (of clips whose text and language are known) and speaker
    similarity, and of them only what is installed: `settings` says with what the rows were made.
    """

    def __init__(self, context: EvalContext, listening: bool) -> None:
        self.context = context
        self.recogniser = find_recogniser(context) if listening else None
        self.has_opinion = listening and not DISTILLMOS.missing()
        self.hears_voices = listening and not SPEAKER.missing()

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "recogniser": self.recogniser.name if self.recogniser else None,
            "text_nll_padding": NLL_PADDING if self.recogniser else None,
            "distillmos": DISTILLMOS.stamp() if self.has_opinion else None,
            "speaker": SPEAKER.stamp() if self.hears_voices else None,
        }

    def reads(self, clip: Clip) -> bool:
        """Whether the clip's text is known, in a language that the recogniser knows."""
        known = self.recogniser is not None and self.recogniser.knows(clip.language)
        return known and bool(clip.language) and has_text(clip)

    def metrics(self, clip: Clip) -> list[str]:
        """What the clip has a row of in each condition with a mel and a wave."""
        heard = {
            "distillmos": self.has_opinion,
            "text_nll": self.reads(clip),
            "speaker_similarity": self.hears_voices,
        }
        return ["mel_l1", "pesq_wb", "stoi", *(name for name, has in heard.items() if has)]

    def start(self, batch: Batch) -> None:
        """Turn to the next batch."""
        self.batch = batch
        self.rows: list[Row] = []
        self.pending: Pending = []
        self.voices: list[Voice] = []
        if self.hears_voices:
            self.voices = original_voices(batch)

    def score_outputs(self, condition: str, outputs: Outputs) -> None:
        """Judge the mels and the waves of the batch's clips."""
        self.score_mels(condition, outputs.mels)
        self.score_waves(condition, outputs.waves)

    def score_mels(self, condition: str, mels: Sequence[Tensor]) -> None:
        """Judge a mel [M, F] for each clip."""
        self.rows += mel_l1_rows(condition, self.batch, mels)

    def score_waves(self, condition: str, waves: Sequence[Tensor]) -> None:
        """Judge a wave [F * HOP] for each clip."""
        pool = self.context.resources.pool
        for sample, wave in zip(self.batch.samples, waves, strict=True):
            pair = sample.wave.numpy(), wave.numpy(), SAMPLE_RATE
            for scores in (pesq_and_stoi, *([distillmos_scores] if self.has_opinion else [])):
                self.pending.append((sample.name, condition, pool.submit(scores, *pair)))
        if self.recogniser:
            self.rows += self.word_rows(condition, waves)
        if self.hears_voices:
            outputs = embed(self.context.resources.voice_encoder, waves)
            self.rows += similarity_rows(condition, self.batch, self.voices, outputs)

    def word_rows(self, condition: str, waves: Sequence[Tensor]) -> list[Row]:
        """`text_nll` of the clips that are read."""
        pairs = zip(self.batch.samples, waves, strict=True)
        read = [(sample, wave) for sample, wave in pairs if self.reads(sample.clip)]
        return nll_rows(
            condition,
            [sample for sample, _ in read],
            [wave for _, wave in read],
            [sample.clip.language for sample, _ in read],
            self.context,
        )

    def finish(self) -> list[Row]:
        """All rows of the batch, once the pool is through with it."""
        return self.rows + rows(self.pending)


def mel_l1_rows(condition: str, batch: Batch, mels: Sequence[Tensor]) -> list[Row]:
    """`mel_l1` of a mel [M, F] for each clip of a batch."""
    return [
        Row(
            sample.name,
            condition,
            "mel_l1",
            *score(mel_l1, sample.mel.numpy(), mel.numpy()),
        )
        for sample, mel in zip(batch.samples, mels, strict=True)
    ]


def find_recogniser(context: EvalContext) -> Recogniser | None:
    """The recogniser, None where there is none: intelligibility says what to install."""
    try:
        return context.resources.recogniser
    except Unavailable:
        return None
