"""Tables of one metric by condition: latent noise, input noise, round trips, bands."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from reports.metric_registry import (
    BANDS,
    NOISE,
    PER_DIM,
    ROBUST,
    TRAINED_NOISE,
    band_title,
    metric_of,
)
from reports.study.study import Study
from reports.tables.page_rows import Result, mark_best, measured
from reports.tables.robustness import AREA, noise_conditions
from reports.tables.table import Table, filled

CODED = ("mel_l1", "pesq_wb", "stoi")  # of noisy speech and of round trips
INPUT = r"input_.+_(-?\d+)"  # the noise's kind, decibels of speech over it

Titles = dict[str, str]  # a column's title by its condition


def condition_tables(study: Study) -> list[Table]:
    """Every metric of every kind; those that were not measured are empty."""
    return [
        *(table(study, "latent-noise", metric, latent_noise) for metric in ROBUST),
        table(study, "latent-noise-per-dim", "mel_l1", partial(latent_noise, scaling=PER_DIM)),
        *(table(study, "input-noise", metric, input_noise) for metric in CODED),
        *(table(study, "round-trips", metric, round_trips) for metric in CODED),
        table(study, "bands", "log_modulation_ratio", bands),
    ]


AREA_NOTE = (
    f"the last column is the mean rise (or loss) against no noise, over noise from 0 to"
    f" {TRAINED_NOISE:g}."
)
NOTES = {
    "latent-noise": (
        "with noise on the latents",
        "Noise in standard deviations of each run's own latents, of all their values together;"
        f" {AREA_NOTE}",
    ),
    "latent-noise-per-dim": (
        "with noise on each dim of the latents",
        "Noise in standard deviations of each dim of each run's own latents, a dim being a channel"
        f" at one frequency bin; {AREA_NOTE}",
    ),
    "input-noise": (
        "of noisy speech, coded",
        "Against the clean original, at decibels of speech over noise; the noisy input itself"
        " passes neither model nor vocoder.",
    ),
    "round-trips": (
        "coded again and again",
        "Each trip's output mel is the next one's input, without a vocoder between.",
    ),
    "bands": (
        "by band of the mel",
        "Log ratio of the log-mel's modulation energy above 10 Hz, reconstruction to original, of"
        " the bands whose centre lies in each range: 0 keeps all of it, below 0 is blurred.",
    ),
}


def table(study: Study, kind: str, name: str, find: Callable[[Study, str], Titles]) -> Table:
    """One metric in the conditions that `find` names."""
    metric, titles = metric_of(name), find(study, name)
    what, note = NOTES[kind]
    found = Table(
        f"{kind}-{name.replace('_', '-')}", f"{metric.heading} {what} ({metric.wish})", note
    )
    metrics = {key: metric_of(metric_in(key, name)) for key in titles}
    rows = [row_of(study, system, name, {key: key for key in titles}) for system in study.systems]
    mark_best(rows, metrics)
    noisy = {key: key.replace("input_", "noisy_", 1) for key in titles if key.startswith("input_")}
    reference = row_of(study, study.systems[0], name, noisy)
    if reference.known:
        reference.name = "noisy input"
        found = replace(found, references=1)
        rows.insert(0, reference)

    def is_clear(system: str, condition: str) -> bool:
        return study.results.difference(system, condition, metric_in(condition, name)).clear

    known = [row for row in rows if row.known]
    return filled(found, known, measured(known, metrics), is_clear, titles)


def row_of(study: Study, system: str, name: str, sources: dict[str, str]) -> Result:
    """One metric of a system: by key, its value in the condition that `sources` gives."""
    values = {}
    for key, source in sources.items():
        metric = metric_in(source, name)
        values[key] = metric_of(metric).shown(study.results.estimate(system, source, metric))
    return Result(system, values)


def metric_in(condition: str, name: str) -> str:
    """What a column shows of a metric: its mean cost over the levels of noise, or itself."""
    return ROBUST[name] if condition.endswith(AREA) else name


def latent_noise(study: Study, metric: str, scaling: str = NOISE) -> Titles:
    """By rising noise, and the mean rise (or loss)."""
    levels = noise_conditions(study, metric, scaling)
    titles = {name: f"noise {sigma:g}" if sigma else "no noise" for sigma, name in levels.items()}
    cost = ROBUST[metric].rpartition("_")[2]
    return {**titles, scaling + AREA: f"mean {cost} up to {TRAINED_NOISE:g}"} if titles else {}


def input_noise(study: Study, metric: str) -> Titles:
    """By kind and falling ratio."""
    found = study.select(metric, INPUT)
    found["kind"] = found["condition"].str.split("_").str[1]
    found = found.sort_values(["kind", "level"], ascending=[True, False]).drop_duplicates(
        "condition"
    )
    return {
        row["condition"]: f"{row['kind']}, {row['level']:.0f} dB"
        for row in found.to_dict("records")
    }


def round_trips(study: Study, metric: str) -> Titles:
    """By their number."""
    found = study.select(metric, r"round_trip_(\d+)").sort_values("level")
    trips = dict(zip(found["condition"], found["level"].astype(int), strict=True))
    return {name: f"{trip} trip{'s' if trip > 1 else ''}" for name, trip in trips.items()}


def bands(study: Study, metric: str) -> Titles:
    """By rising frequency."""
    found = study.select(metric, BANDS).sort_values("level")
    return {name: f"{band_title(name)} kHz" for name in found["condition"]}
