"""The page: figures, tables and players put into the template."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from reports import formatting
from reports.figures import PLOTS
from reports.figures.plot import Plot
from reports.figures.style import LIGHT, looks
from reports.metric_registry import LATENT, QUALITY, TRAINED_NOISE
from reports.names import letters_of, short_names, told
from reports.page.audio_grid import PEER, Listening, listening
from reports.page.embed import figure_uris
from reports.study import design_findings
from reports.study.budgets import at_one_budget, trends_of
from reports.study.budgets import sentences as budget_sentences
from reports.study.claims import claims as find_claims
from reports.study.claims import looks_taken
from reports.study.results import ONE_SEED
from reports.study.study import Study
from reports.tables import page_rows, robustness
from reports.tables.budgets import budgets
from reports.tables.claims import page_interactions
from reports.tables.peers import peers

TEMPLATES = Path(__file__).parent / "templates"

Measured = Sequence[tuple[Plot, pd.DataFrame]]  # the figures that have something to show
Drawn = Sequence[dict[str, str]]  # their data URIs by theme


def measured_plots(study: Study) -> Measured:
    """Every figure with its table, where the study has what it shows."""
    tables_of = ((plot, plot.table(study)) for plot in PLOTS)
    return [(plot.of(study), table) for plot, table in tables_of if not table.empty]


def without_panels(study: Study, measured: Measured) -> list[str]:
    """That figures with a panel for each system have none for some."""
    return [
        f"The figure {plot.name} shows {plot.most} of the {len(study.systems)} systems: build the"
        " page with `--pick NAME,NAME` to see others."
        for plot, _ in measured
        if 0 < plot.most < len(study.systems)
    ]


def render(
    study: Study,
    date: str,
    measured: Measured,
    heard: Listening | None = None,
    drawn: Drawn | None = None,
) -> str:
    """The whole page; the same study gives the same text but for the date.

    What is heard and drawn is found and drawn here where it is not given.
    """
    heard = heard or listening(study)
    drawn = drawn or [figure_uris(plot, table, study.systems) for plot, table in measured]
    references, models = page_rows.references(study), page_rows.models(study)
    latent_space, unseen = page_rows.latent_space(study), page_rows.unseen_voices(study)
    noise = robustness.curves(study)
    claims, interactions = find_claims(study), page_interactions(study)
    trends = trends_of(study)
    letters = letters_of(study.systems)
    findings = design_findings.findings(study, claims, [plot.name for plot, _ in measured])
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        span=formatting.span,
        signed=formatting.signed,
        plain=formatting.plain,
        chance=formatting.chance,
        leading=leading,
        code=code,
        sentence=lambda text: code(f"{text[:1].upper()}{text[1:]}."),
    )
    return environment.get_template("index.html.jinja").render(
        study=study,
        date=date,
        first=study.systems[0],
        metrics=page_rows.measured([*references, *models], QUALITY),
        references=references,
        models=models,
        unseen=unseen,
        unseen_metrics=page_rows.measured(unseen, QUALITY),
        headline=page_rows.headline(references[-1], models[0], len(study.of(models[0].name))),
        findings=findings,
        is_single=any(one.verdict == ONE_SEED for one in claims),
        looks_taken=looks_taken(study),
        exploratory=[
            one
            for one in at_one_budget([each for each in claims if each.is_exploratory])
            if one.system in study.systems
        ],
        interactions=interactions.first,
        interactions_folded=interactions.folded,
        interactions_unmeasured=interactions.unmeasured,
        budgets=budgets(trends, study.intervals),
        budget_sentences=list(budget_sentences(trends)),
        shorts=short_names(study.systems),
        letters=told(letters) if letters else "",
        has_peers=any(one.what == PEER for player in heard.players for one in player.cells),
        latent_metrics=page_rows.measured(latent_space, LATENT),
        latent_space=latent_space,
        robustness=noise,
        best_noise=robustness.best_by_noise(noise),
        areas=robustness.areas(study),
        trained_noise=TRAINED_NOISE,
        sentences=robustness.sentences(study),
        failures=page_rows.failures(study),
        failures_listed=page_rows.FAILURES,
        figures=figures(measured, drawn),
        players=heard.players,
        unheard=heard.notes,
        looks=looks(study.systems, LIGHT),
        peers=peers(study),
        vocoder=vocoder(study),
        versions=dict(sorted(((study.runs[0].summary or {}).get("versions") or {}).items())),
    )


def figures(measured: Measured, drawn: Drawn) -> list[dict[str, Any]]:
    """Name, title, data URIs of both themes and width of each figure, for the template."""
    return [
        {
            "id": plot.name,
            "alt": plot.title,
            "caption": plot.caption,
            "wide": plot.wide,
            "raster": plot.raster,
            **uris,
        }
        for (plot, _), uris in zip(measured, drawn, strict=True)
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
