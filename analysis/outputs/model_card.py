"""What was measured, onto the model card of the checkpoint that was scored."""

import math

import pandas as pd

from analysis.runs import TrainedRun
from analysis.statistics.ratios import ERRORS, TOTAL, Cell
from analysis.statistics.tables import Summary, summarise_run
from dcvae import SpeechAutoencoder
from dcvae.data.provenance import Evaluation, Score, Training
from dcvae.models.model_card import model_card
from dcvae.models.pretrained import CARD_NAME
from dcvae.utils.files import replace_text

CEILING = "ceiling"
HEADLINES: dict[Cell, str] = {
    ("reconstruction", "pesq_wb"): "PESQ-wb ↑",
    ("reconstruction", "stoi"): "STOI ↑",
    ("reconstruction", "mel_l1"): "mel L1 ↓",
    ("reconstruction", "wer"): "WER ↓",
    ("reconstruction", "dwer"): "dWER ↓",
    ("reconstruction", "speaker_similarity"): "speaker similarity ↑",
    ("latents", "speaker_probe"): "speaker probe on the latents ↑",
    ("latent_noise_area", "mel_l1_rise"): "rise of mel L1, mean up to latent noise of 0.5 std ↓",
    ("latent_noise_0.5", "mel_l1"): "mel L1 with latent noise of 0.5 std ↓",
    ("latent_noise_1.0", "mel_l1"): "mel L1 with latent noise of 1.0 std ↓",
    ("latent_noise_1.0", "stoi"): "STOI with latent noise of 1.0 std ↑",
}


def write_card(run: TrainedRun, model: SpeechAutoencoder, table: pd.DataFrame, split: str) -> None:
    """Replace the README.md in the scored checkpoint's folder; config and weights stay.

    A run says in run.json how it was trained, as far as it is of a time when it did.
    """
    step = run.record.get({"last": "steps", "best": "best_step"}.get(run.checkpoint.name, ""))
    training = Training.of({**run.record, "step": step})
    evaluation = Evaluation(split, str(run.vocoder.get("name")), headlines(table))
    replace_text(run.checkpoint / CARD_NAME, model_card(model, training, evaluation))


def headlines(table: pd.DataFrame) -> list[Score]:
    """The headline metrics that a run's table has, each with its ceiling."""
    names = {name + end for _, name in HEADLINES for end in ("", ERRORS, TOTAL)}
    conditions = {CEILING, *(condition for condition, _ in HEADLINES)}
    chosen = table[table["condition"].isin(conditions) & table["metric"].isin(names)]
    summaries = [Summary(*row) for row in summarise_run(chosen).itertuples(index=False)]
    by_cell = {(one.condition, one.metric): one for one in summaries}
    return [
        score(label, by_cell[cell], by_cell.get((CEILING, cell[1])))
        for cell, label in HEADLINES.items()
        if cell in by_cell
    ]


def score(label: str, one: Summary, ceiling: Summary | None) -> Score:
    """A row of the card; only what is measured of the reconstruction has a ceiling."""
    best = ceiling.mean if ceiling and one.condition == "reconstruction" else math.nan
    name = one.metric if one.condition == "reconstruction" else f"{one.condition}/{one.metric}"
    return Score(name, label, one.mean, one.low, one.high, one.n_scored, one.n_failed, best)
