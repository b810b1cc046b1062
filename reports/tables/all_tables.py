"""The paper's tables, made of the rows that the page shows: the same numbers by construction."""

import math

from reports.formatting import UNKNOWN
from reports.metric_registry import LATENT, LATENTS, QUALITY, UNSEEN, Metric
from reports.study.budgets import trends_of
from reports.study.study import Study
from reports.tables import page_rows
from reports.tables.budgets import budgets
from reports.tables.claims import claims, interactions
from reports.tables.conditions import condition_tables
from reports.tables.cost import cost
from reports.tables.peers import peers
from reports.tables.table import (
    Cell,
    Column,
    IsClear,
    Table,
    estimate_cell,
    filled,
    metric_cells,
    metric_columns,
    text_cell,
)

FACTS = {  # of run.json, and as the page calls them
    "floats_per_second": "floats/s",
    "free_floats_per_second": "free floats/s",
    "latent_frames_per_second": "latent frames/s",
    "parameters": "parameters",
    "steps": "steps",
    "speech_seconds": "speech heard",
}
MODELABILITY = {  # condition and metric
    ("modelability", "heldout_loss_per_second"): Metric("held-out loss/s", "down", digits=2),
    ("no_context", "heldout_loss_per_second"): Metric("without context", digits=2),
    ("modelability", "heldout_loss"): Metric("held-out loss/dim"),
    ("modelability", "context_gain"): Metric("gain over no context", "up"),
    ("modelability", "standardising_gain"): Metric("of it by standardising", "down"),
    ("modelability", "continuation_frechet"): Metric("Fréchet, continued", "down", digits=2),
    ("modelability_raw", "continuation_frechet"): Metric("of raw latents", "down", digits=2),
    ("reconstruction", "continuation_frechet"): Metric("its floor", digits=2),
    ("modelability", "continuation_change_frechet"): Metric("Fréchet of changes", "down", digits=2),
    ("modelability", "continuation_distillmos"): Metric("DistillMOS, continued", "up", digits=2),
    ("reconstruction", "continuation_distillmos"): Metric("its ceiling", digits=2),
    ("modelability", "continuation_similarity"): Metric("voice like the prompt's", "up"),
    ("interpolation", "mel_frechet"): Metric("Fréchet, interpolated", "down", digits=2),
    ("interface", "stoi"): Metric("STOI of drawn frames", "up"),
    ("interface", "flops_to_bar"): Metric("operations to STOI .15", "down", digits=0),
}


def all_tables(study: Study) -> list[Table]:
    """In the paper's order; those of what was not measured are empty."""
    return [
        results(study),
        unseen_voices(study),
        *condition_tables(study),
        separability(study),
        modelability(study),
        peers(study),
        claims(study),
        budgets(trends_of(study), study.intervals),
        interactions(study),
        cost(study),
    ]


def results(study: Study) -> Table:
    """What each model is, and how good its reconstructions are; the ceiling first."""
    references, models = page_rows.references(study), page_rows.models(study)
    rows = [*references, *models]
    metrics = page_rows.measured(rows, QUALITY)

    body = [
        [
            text_cell(row.name),
            *fact_cells(study, row),
            Cell(row.facts.get("seeds", UNKNOWN), len(study.of(row.name)) or math.nan),
            *metric_cells(row, metrics, clear_in(study, "reconstruction")),
            estimate_cell(row.untrained, QUALITY["mel_l1"].digits),
        ]
        for row in rows
    ]
    return Table(
        "results",
        "Reconstruction of unheard clips",
        f"Means over the clips (of WER and dWER the rate over all words) with {study.intervals}."
        " The ceiling is the original mel through the vocoder.",
        [
            Column("system", "system", words=True),
            *(Column(key, title) for key, title in {**FACTS, "seeds": "seeds"}.items()),
            *metric_columns(metrics),
            Column("mel_l1_untrained", "mel L1, untrained", counted=True),
        ],
        body if metrics else [],
        len(references),
    )


def clear_in(study: Study, condition: str) -> IsClear:
    """Whether a system's difference to the baseline bears the dagger, in one condition."""
    return lambda system, metric: study.results.difference(system, condition, metric).clear


def fact_cells(study: Study, row: page_rows.Result) -> list[Cell]:
    """What run.json says of a system's first run, written as on the page."""
    runs = study.of(row.name)
    described = runs[0].record if runs else {}
    return [
        Cell(row.facts.get(title, UNKNOWN), described.get(key, math.nan))
        for key, title in FACTS.items()
    ]


def unseen_voices(study: Study) -> Table:
    """The same metrics of the split that holds the voices of no training clip."""
    rows = page_rows.unseen_voices(study)

    empty = Table(
        "unseen-voices",
        "Reconstruction of unseen voices",
        "Clips of speakers who are in no other split of the corpus; where these alone speak a"
        " language, training heard none of that either. The ceiling is the original mel through"
        " the vocoder.",
        references=1,
        split=UNSEEN,
    )
    return filled(empty, rows, page_rows.measured(rows, QUALITY), clear_in(study, UNSEEN))


def separability(study: Study) -> Table:
    """What the clean latents tell of speaker and language, and how they fill their space."""
    rows = page_rows.latent_space(study)

    empty = Table(
        "separability",
        "The latent space",
        "Of the labelled test clips. Probe and kNN: accuracy on held-out clips. LNC: share of"
        " nearest neighbours with the same label. VIV: what no model can predict of the velocity to"
        " be learned. SEC: share of fast changes. A number of the whole set has an interval only"
        " where there are several seeds.",
    )
    return filled(empty, rows, page_rows.measured(rows, LATENT), clear_in(study, LATENTS))


def modelability(study: Study) -> Table:
    """How easily a small model of fixed budget learns the latents."""
    metrics = {f"{condition}_{name}": one for (condition, name), one in MODELABILITY.items()}
    places = {f"{condition}_{name}": (condition, name) for condition, name in MODELABILITY}

    def row_of(system: str) -> page_rows.Result:
        return page_rows.Result(
            system,
            {key: study.results.estimate(system, *place) for key, place in places.items()},
        )

    def is_clear(system: str, key: str) -> bool:
        return study.results.difference(system, *places[key]).clear

    rows = [row for row in map(row_of, study.systems) if row.known]
    page_rows.mark_best(rows, metrics)
    empty = Table(
        "modelability",
        "How easily the latents are modelled",
        "The same small models on each space: their loss on held-out clips a second of speech,"
        " beside that of a Gaussian without context, and the share of it that context saves;"
        " Fréchet distances between log-mels of original speech and of decoded continuations (the"
        " floor: decoded latents of the clips themselves), and of decoded interpolations; what"
        " DistillMOS and a speaker encoder make of the continuations.",
    )
    return filled(empty, rows, page_rows.measured(rows, metrics), is_clear)
