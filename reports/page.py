"""The page: figures, tables and players put into the template."""

from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from matplotlib.figure import Figure

from reports import listening, tables
from reports.claims import claims as find_claims
from reports.collect import BASELINE, Study, read_curves
from reports.embed import figure_uris
from reports.figures import losses, noise_curves, quality_bars, spectrograms
from reports.statistics import Estimate
from reports.style import LIGHT, Theme, looks

TEMPLATES = Path(__file__).parent / "templates"
CURVES = {
    "validation/reconstruction": "Validation reconstruction loss",
    "train/reconstruction": "Training reconstruction loss",
}


def render(study: Study, date: str) -> str:
    """The whole page; the same study gives the same text but for the date."""
    rows = tables.results(study)
    robustness = tables.robustness(study)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(span=tables.span, signed=tables.signed)
    return environment.get_template("index.html.jinja").render(
        study=study,
        date=date,
        baseline=BASELINE,
        metrics=tables.METRICS,
        rows=rows,
        headline=tables.headline(rows),
        claims=find_claims(study),
        robustness=robustness,
        best_noise=tables.best_by_noise(robustness),
        sentences=tables.robustness_sentences(study),
        figures=figures(study, rows, robustness),
        players=list(listening.players(study)),
        looks=looks(study.ablations, LIGHT),
        clips=study.table["clip"].nunique(),
        vocoder=vocoder(study),
        versions=dict(sorted(((study.runs[0].analysis or {}).get("versions") or {}).items())),
    )


def figures(
    study: Study, rows: list[tables.Result], noise: dict[str, dict[float, Estimate]]
) -> list[dict[str, Any]]:
    """Title, data URIs of both themes and width of each figure that has something to show."""
    ceiling, models = rows[0], {row.name: row for row in rows[1:]}
    drawn: list[dict[str, Any]] = []

    def add(name: str, alt: str, draw: Any, wide: bool = False) -> None:
        drawn.append({"id": name, "alt": alt, "wide": wide, **figure_uris(draw, raster=wide)})

    for name, metric in tables.METRICS.items():
        values = {ablation: row.values[name] for ablation, row in models.items()}
        arrow = "higher" if metric.better == "up" else "lower"

        def bars(
            theme: Theme,
            label: str = metric.label,
            name: str = name,
            arrow: str = arrow,
            values: Any = values,
        ) -> Figure:
            return quality_bars.draw(
                values,
                f"{label[0].upper()}{label[1:]} ({arrow} is better)",
                looks(study.ablations, theme),
                theme,
                ceiling.values[name],
                tables.METRICS[name].start,
            )

        add(name, f"{metric.label} by ablation", bars)
    if noise:
        add(
            "noise",
            "Mel L1 against latent noise by ablation",
            lambda theme: noise_curves.draw(noise, looks(study.ablations, theme)),
        )
    curves = read_curves(study)
    for key, title in CURVES.items():
        if (curves["key"] == key).any():
            add(key, title, curve_drawer(study, curves, key, title))
    clip, pictures = listening.shortest(study)
    if pictures:
        alt = f"Log-mel spectrograms of {listening.title(clip)}"
        add("spectrograms", alt, lambda theme: spectrograms.draw(pictures), wide=True)
    return drawn


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
