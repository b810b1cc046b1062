"""The headline metrics of a run's table: which they are, and their means with intervals."""

import math
from collections.abc import Mapping

import pandas as pd

from analysis.statistics.ratios import ERRORS, TOTAL, Cell
from analysis.statistics.tables import Summary, summarise_run
from dcvae.data.provenance import Score

ORIGINAL, CEILING, RECONSTRUCTION = "original", "ceiling", "reconstruction"
HEADLINES: dict[Cell, str] = {
    (RECONSTRUCTION, "pesq_wb"): "PESQ-wb ↑",
    (RECONSTRUCTION, "stoi"): "STOI ↑",
    (RECONSTRUCTION, "visqol"): "ViSQOL ↑",
    (RECONSTRUCTION, "distillmos"): "DistillMOS ↑",
    (RECONSTRUCTION, "dnsmos_overall"): "DNSMOS overall ↑",
    (RECONSTRUCTION, "mel_l1"): "mel L1 ↓",
    (RECONSTRUCTION, "wer"): "WER ↓",
    (RECONSTRUCTION, "dwer"): "dWER ↓",
    (RECONSTRUCTION, "speaker_similarity"): "speaker similarity ↑",
    ("latents", "speaker_probe"): "speaker probe on the latents ↑",
    ("latent_noise_area", "mel_l1_rise"): "rise of mel L1, mean up to latent noise of 0.5 std ↓",
    ("latent_noise_0.5", "mel_l1"): "mel L1 with latent noise of 0.5 std ↓",
    ("latent_noise_1.0", "mel_l1"): "mel L1 with latent noise of 1.0 std ↓",
    ("latent_noise_1.0", "stoi"): "STOI with latent noise of 1.0 std ↑",
}


def headlines(table: pd.DataFrame, speakers: Mapping[str, str]) -> list[Score]:
    """The headline metrics that a run's table has, each beside its ceiling and the original's.

    `speakers` are by clip: the clips of one are a cluster.
    """
    names = {name + end for _, name in HEADLINES for end in ("", ERRORS, TOTAL)}
    conditions = {ORIGINAL, CEILING, *(condition for condition, _ in HEADLINES)}
    chosen = table[table["condition"].isin(conditions) & table["metric"].isin(names)]
    found = summarise_run(chosen, speakers)
    summaries = [Summary(*row) for row in found.itertuples(index=False)]
    by_cell = {(one.condition, one.metric): one for one in summaries}
    return [
        score(label, by_cell[cell], by_cell) for cell, label in HEADLINES.items() if cell in by_cell
    ]


def score(label: str, one: Summary, by_cell: dict[Cell, Summary]) -> Score:
    """One headline; only what is measured of the reconstruction has a ceiling and an original's."""
    if one.condition != RECONSTRUCTION:
        name = f"{one.condition}/{one.metric}"
        return Score(name, label, one.mean, one.low, one.high, one.n_scored, one.n_failed)
    ceiling, original = (
        by_cell[condition, one.metric].mean if (condition, one.metric) in by_cell else math.nan
        for condition in (CEILING, ORIGINAL)
    )
    return Score(
        one.metric,
        label,
        one.mean,
        one.low,
        one.high,
        one.n_scored,
        one.n_failed,
        ceiling,
        original,
    )
