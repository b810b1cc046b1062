"""Other systems on the study's clips, beside the ceiling and the study's own."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dcvae.runs import Run
from reports.formatting import UNKNOWN
from reports.metric_registry import QUALITY, Metric
from reports.study.study import Study
from reports.tables import page_rows
from reports.tables.table import Cell, Column, Table, metric_cells, metric_columns, text_cell

RATES = {  # of run.json: title, digits and factor
    "sample_rate": ("sample rate, kHz", 1, 1e-3),
    "latent_rate": ("latent frames/s", 2, 1.0),
    "dims": ("dims", 0, 1.0),
    "codebooks": ("codebooks", 0, 1.0),
    "floats_per_second": ("floats/s", 0, 1.0),
    "bits_per_second": ("kbit/s", 1, 1e-3),
}
LATENT_PLACES = {  # what is asked of systems with latents: condition and metric
    ("latent_noise_area", "mel_l1_rise"): Metric("rise of mel L1, noise up to 0.5", "down"),
    ("latents", "speaker_probe"): Metric("speaker probe", "up"),
    ("latents", "phone_probe"): Metric("phone probe", "up"),
    ("modelability", "context_gain"): Metric("gain over no context", "up"),
    ("interface", "stoi"): Metric("STOI of drawn frames", "up"),
}


def peers(study: Study) -> Table:
    """Ceiling, the study's systems, and those of others; empty where none was scored."""
    empty = Table(
        "peers",
        "Other systems on the same clips",
        "Every system on the study's clips, by the same measures, at 22.05 kHz whatever its own"
        " rate; no claim is made of other systems. Floats a second are of continuous latents, bits"
        " of systems that send codes. A band below 11 kHz costs mel L1 and not PESQ-wb, whose own"
        " is 7 kHz.",
    )
    if study.peers is None:
        return empty
    quality = {("reconstruction", key): metric for key, metric in QUALITY.items()}
    places = quality | LATENT_PLACES
    metrics = {f"{condition}_{key}": metric for (condition, key), metric in places.items()}
    ceiling = page_rows.row_of(study, study.systems[0], "ceiling", QUALITY, "ceiling")
    values = {f"reconstruction_{key}": one for key, one in ceiling.values.items()}
    nothing = dict.fromkeys(metrics, page_rows.NOTHING)
    rows: list[tuple[page_rows.Result, Mapping[str, Any]]]
    rows = [(page_rows.Result("ceiling", nothing | values), {})]
    for group in (study, study.peers):
        for system in group.systems:
            run = group.of(system)[0]
            row = page_rows.Result(run.title, values_of(group, system, places))
            rows.append((row, rates_of(run)))
    known = page_rows.measured([row for row, _ in rows], metrics)
    columns = [
        Column("system", "system", words=True),
        *(Column(key, title) for key, (title, _, _) in RATES.items()),
        *metric_columns(known),
    ]
    body = [
        [
            text_cell(row.name),
            *(rate_cell(rates, key) for key in RATES),
            *metric_cells(row, known, lambda system, metric: False),
        ]
        for row, rates in rows
    ]
    return replace(empty, columns=columns, rows=body, references=1)


def values_of(
    study: Study, system: str, places: Mapping[tuple[str, str], Metric]
) -> dict[str, page_rows.Estimate]:
    """A system's values, in the unit in which each is written."""
    return {
        f"{condition}_{key}": metric.shown(study.results.estimate(system, condition, key))
        for (condition, key), metric in places.items()
    }


def rates_of(run: Run) -> Mapping[str, Any]:
    """What a system sends a second; of the suite's own runs what their training noted."""
    if run.rates is not None:
        return run.rates
    floats, rate = (run.record.get(f"{key}_per_second") for key in ("floats", "latent_frames"))
    dims = round(floats / rate) if floats and rate else None
    return {
        "sample_rate": 22_050,
        "latent_rate": rate,
        "dims": dims,
        "floats_per_second": floats,
    }


def rate_cell(rates: Mapping[str, Any], key: str) -> Cell:
    value = rates.get(key)
    _, digits, factor = RATES[key]
    if value is None:
        return Cell(UNKNOWN, math.nan)
    return Cell(f"{value * factor:,.{digits}f}", float(value))
