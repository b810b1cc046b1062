"""The page: figures, tables and players put into the template."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from reports import design_claims, listening, numbers, robustness, tables
from reports.claims import ONE_SEED, looks_taken
from reports.claims import claims as find_claims
from reports.claims_table import interactions
from reports.embed import figure_uris
from reports.figures import PLOTS
from reports.metrics import LATENT, QUALITY
from reports.plot import Plot
from reports.study import Study
from reports.style import LIGHT, looks

TEMPLATES = Path(__file__).parent / "templates"

Measured = Sequence[tuple[Plot, pd.DataFrame]]  # the figures that have something to show


def measured_plots(study: Study) -> Measured:
    """Every figure with its table, where the study has what it shows."""
    tables_of = ((plot, plot.table(study)) for plot in PLOTS)
    return [(plot.of(study), table) for plot, table in tables_of if not table.empty]


def render(study: Study, date: str, measured: Measured) -> str:
    """The whole page; the same study gives the same text but for the date."""
    references, models = tables.references(study), tables.models(study)
    latent_space, unseen = tables.latent_space(study), tables.unseen_voices(study)
    noise = robustness.curves(study)
    claims = find_claims(study)
    findings = design_claims.findings(study, claims, [plot.name for plot, _ in measured])
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        span=numbers.span,
        signed=numbers.signed,
        plain=numbers.plain,
        chance=numbers.chance,
        leading=leading,
        code=code,
        sentence=lambda text: code(f"{text[:1].upper()}{text[1:]}."),
    )
    return environment.get_template("index.html.jinja").render(
        study=study,
        date=date,
        first=study.systems[0],
        metrics=tables.measured([*references, *models], QUALITY),
        references=references,
        models=models,
        unseen=unseen,
        unseen_metrics=tables.measured(unseen, QUALITY),
        headline=tables.headline(references[-1], models[0], len(study.of(models[0].name))),
        findings=findings,
        is_single=any(one.verdict == ONE_SEED for one in claims),
        looks_taken=looks_taken(study),
        exploratory=[one for one in claims if one.is_exploratory and one.system in study.systems],
        interactions=interactions(study),
        latent_metrics=tables.measured(latent_space, LATENT),
        latent_space=latent_space,
        robustness=noise,
        best_noise=robustness.best_by_noise(noise),
        areas=robustness.areas(study),
        sentences=robustness.sentences(study),
        failures=tables.failures(study),
        failures_listed=tables.FAILURES,
        figures=figures(study, measured),
        players=list(listening.players(study)),
        looks=looks(study.systems, LIGHT),
        vocoder=vocoder(study),
        versions=dict(sorted(((study.runs[0].summary or {}).get("versions") or {}).items())),
    )


def figures(study: Study, measured: Measured) -> list[dict[str, Any]]:
    """Name, title, data URIs of both themes and width of each figure, for the template."""
    return [
        {
            "id": plot.name,
            "alt": plot.title,
            "caption": plot.caption,
            "wide": plot.wide,
            **figure_uris(plot, table, study.systems),
        }
        for plot, table in measured
    ]


def vocoder(study: Study) -> str:
    """The vocoder that made the waves, with its options."""
    options = dict((study.runs[0].summary or {}).get("vocoder") or {})
    name = str(options.pop("name", "griffin_lim"))
    return name + "".join(f", {key} {value}" for key, value in sorted(options.items()))


def leading(shown: object) -> float | None:
    """The number with which a cell's text starts, as "1,200" and "60.0 min" do; by it one sorts."""
    found = re.match(r"\d[\d,]*(\.\d+)?(?= |$)", str(shown))
    return float(found[0].replace(",", "")) if found else None


def code(text: str) -> Markup:
    """A sentence's `commands` as code."""
    parts = re.split(r"`([^`]*)`", text)
    parts[1::2] = [Markup("<code>{}</code>").format(one) for one in parts[1::2]]
    return Markup("").join(parts)
