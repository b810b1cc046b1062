"""The page: figures, tables and players put into the template."""

from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from matplotlib.figure import Figure

from reports import listening, numbers, robustness, tables
from reports.claims import claims as find_claims
from reports.collect import BASELINE, Study, read_curves
from reports.embed import figure_uris
from reports.figures import losses, noise_curves, quality_bars, spectrograms
from reports.metrics import LATENT, QUALITY, metric_of
from reports.style import LIGHT, Theme, looks
from reports.tables import Result

TEMPLATES = Path(__file__).parent / "templates"
CURVES = {
    "validation/reconstruction": "Validation reconstruction loss",
    "train/reconstruction": "Training reconstruction loss",
}


def render(study: Study, date: str) -> str:
    """The whole page; the same study gives the same text but for the date."""
    references, models = tables.references(study), tables.models(study)
    latent_space = tables.latent_space(study)
    noise = robustness.all_curves(study)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        span=numbers.span, signed=numbers.signed, plain=numbers.plain, chance=numbers.chance
    )
    return environment.get_template("index.html.jinja").render(
        study=study,
        date=date,
        baseline=BASELINE,
        metrics=tables.measured([*references, *models], QUALITY),
        references=references,
        models=models,
        headline=tables.headline(references[-1], models[0]),
        claims=find_claims(study),
        latent_metrics=tables.measured(latent_space, LATENT),
        latent_space=latent_space,
        robustness=noise.get("mel_l1", {}),
        best_noise=robustness.best_by_noise(noise.get("mel_l1", {})),
        areas=robustness.areas(study),
        sentences=robustness.sentences(study),
        failures=tables.failures(study),
        failures_listed=tables.FAILURES,
        figures=figures(study, references[-1], models, noise),
        players=list(listening.players(study)),
        looks=looks(study.ablations, LIGHT),
        vocoder=vocoder(study),
        versions=dict(sorted(((study.runs[0].analysis or {}).get("versions") or {}).items())),
    )


def figures(
    study: Study, ceiling: Result, models: list[Result], noise: dict[str, robustness.Curves]
) -> list[dict[str, Any]]:
    """Title, data URIs of both themes and width of each figure that has something to show."""
    drawn: list[dict[str, Any]] = []

    def add(name: str, alt: str, draw: Any, wide: bool = False) -> None:
        drawn.append({"id": name, "alt": alt, "wide": wide, **figure_uris(draw, raster=wide)})

    for name, metric in tables.measured(models, QUALITY).items():
        if metric.drawn:
            add(name, f"{metric.label} by ablation", bar_drawer(study, ceiling, models, name))
    for name, curves in noise.items():
        alt = f"{metric_of(name).label} against latent noise by ablation"
        add(f"noise-{name}", alt, noise_drawer(study, curves, name))
    points = read_curves(study)
    for key, title in CURVES.items():
        if (points["key"] == key).any():
            add(key, title, curve_drawer(study, points, key, title))
    clip, pictures = listening.shortest(study)
    if pictures:
        alt = f"Log-mel spectrograms of {listening.title(clip)}"
        add("spectrograms", alt, lambda theme: spectrograms.draw(pictures), wide=True)
    return drawn


def bar_drawer(study: Study, ceiling: Result, models: list[Result], name: str) -> Any:
    """What draws one metric by ablation in a theme."""
    values = {row.name: row.values[name] for row in models}

    def draw(theme: Theme) -> Figure:
        look = looks(study.ablations, theme)
        return quality_bars.draw(values, QUALITY[name], look, theme, ceiling.values[name])

    return draw


def noise_drawer(study: Study, curves: robustness.Curves, name: str) -> Any:
    """What draws one metric against latent noise in a theme."""

    def draw(theme: Theme) -> Figure:
        return noise_curves.draw(curves, metric_of(name), looks(study.ablations, theme))

    return draw


def curve_drawer(study: Study, curves: pd.DataFrame, key: str, title: str) -> Any:
    """What draws the curves of one logged key in a theme."""

    def draw(theme: Theme) -> Figure:
        return losses.draw(curves, key, title, looks(study.ablations, theme))

    return draw


def vocoder(study: Study) -> str:
    """The vocoder that made the waves, with its options."""
    options = dict((study.runs[0].analysis or {}).get("vocoder") or {})
    name = str(options.pop("name", "griffin_lim"))
    return name + "".join(f", {key} {value}" for key, value in sorted(options.items()))
