"""What was measured, onto the model card of the checkpoint that was scored."""

import pandas as pd

from analysis.outputs.headlines import headlines
from analysis.runs import TrainedRun
from analysis.statistics.study_runs import read_speakers
from dcvae import SpeechAutoencoder
from dcvae.data.provenance import Evaluation, Training
from dcvae.models.model_card import model_card
from dcvae.models.pretrained import CARD_NAME
from dcvae.runs import CLIPS
from dcvae.utils.files import replace_text


def write_card(run: TrainedRun, model: SpeechAutoencoder, table: pd.DataFrame, split: str) -> None:
    """Replace the README.md in the scored checkpoint's folder; config and weights stay.

    A run says in run.json how it was trained, as far as it is of a time when it did.
    """
    step = run.record.get({"last": "steps", "best": "best_step"}.get(run.checkpoint.name, ""))
    training = Training.of({**run.record, "step": step})
    evaluation = Evaluation(
        split, str(run.vocoder.get("name")), headlines(table, read_speakers(run.analysis / CLIPS))
    )
    replace_text(run.checkpoint / CARD_NAME, model_card(model, training, evaluation))
