"""Maps of the clean latents, coloured by speaker and by language."""

from typing import Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dcvae.runs import CLIPS, Run
from dcvae.utils.errors import damage_in
from reports.figures.legends import folded
from reports.figures.plot import Plot
from reports.figures.style import MARKERS, PALETTE, current
from reports.metric_registry import LATENTS
from reports.study.study import Study

COORDINATES = ["tsne_1", "tsne_2"]
LABELS = ("speaker", "language")
Corner = Literal["outside right upper", "outside right lower"]
CORNERS: tuple[Corner, Corner] = ("outside right upper", "outside right lower")  # their names'
COLUMNS = ["system", "clip", *COORDINATES, *LABELS]
SHOWN = 8  # labels with a colour of their own
CHUNK = 100_000  # rows of a run's table that are held at once
MOST = 24  # systems: more are neither legible nor soon drawn
FEW = 8  # systems that get the larger panels
LEGEND, NARROWEST = 1.1, 1.0  # inches of the labels' names, and of a panel
LETTER = 0.075  # inches over a panel


def table(study: Study) -> pd.DataFrame:
    """The columns COLUMNS of the first seed of up to MOST systems; "" where a label is unknown."""
    maps = [map_of(study.of(system)[0]) for system in study.shown(MOST)]
    return pd.concat(maps, ignore_index=True)


def map_of(run: Run) -> pd.DataFrame:
    """The columns COLUMNS of one run; no row where its latents or clips are not described."""
    clips = run.analysis / CLIPS
    if not clips.is_file():
        return pd.DataFrame(columns=COLUMNS)
    wanted = ["clip", "condition", "metric", "value"]
    with pd.read_csv(
        run.table, usecols=wanted, dtype=str, keep_default_na=False, chunksize=CHUNK
    ) as chunks:
        rows = pd.concat(
            one[(one["condition"] == LATENTS) & one["metric"].isin(COORDINATES)] for one in chunks
        )
    places = rows.pivot(index="clip", columns="metric", values="value").astype(float)
    places = places.reindex(columns=COORDINATES).dropna().reset_index()
    with damage_in(clips):
        labels = pd.read_csv(clips, usecols=["clip", *LABELS], dtype=str, keep_default_na=False)
    return places.merge(labels, "left", "clip").fillna("").assign(system=run.system)[COLUMNS]


def draw(points: pd.DataFrame) -> Figure:
    """A panel a system: above coloured by speaker, below by language."""
    width, systems = current().width, list(points["system"].unique())
    most = min(4 if len(systems) <= FEW else 6, int((width - LEGEND) / NARROWEST))
    strips = -(-len(systems) // most)
    columns = -(-len(systems) // strips)
    side = min(1.9, (width - LEGEND) / columns)
    height = max(3.6, len(LABELS) * strips * (side + 0.3))
    figure = Figure(figsize=(width, height), layout="constrained")
    grid = figure.subplots(len(LABELS) * strips, columns, squeeze=False)
    for half, (label, corner) in enumerate(zip(LABELS, CORNERS, strict=True)):
        styles = styles_of(points[label])
        panels = grid[half * strips : (half + 1) * strips].ravel()
        for axes, system in zip(panels, systems, strict=False):
            draw_map(axes, points[points["system"] == system], label, styles)
            name = folded(current().name(system), int(side / LETTER))
            axes.set_title(name, fontsize=8, fontfamily=current().family)
        for axes in panels[len(systems) :]:
            axes.set_visible(False)
        others = bool((~points[label].isin(list(styles))).any())
        name_labels(figure, label, corner, styles, others)
    return figure


def styles_of(labels: pd.Series) -> dict[str, tuple[str, str]]:
    """Colour and marker of the most frequent labels; of two as frequent the first by name."""
    counts = labels[labels != ""].value_counts().sort_index().sort_values(
        ascending=False, kind="stable"
    )  # fmt: skip
    colours = (*PALETTE, current().theme.ink, "#8C6D46")
    return dict(zip(counts.index[:SHOWN], zip(colours, MARKERS + "*", strict=True), strict=False))


def draw_map(
    axes: Axes, points: pd.DataFrame, label: str, styles: dict[str, tuple[str, str]]
) -> None:
    """One system's clips; those of other labels small and grey, beneath."""
    others = points[~points[label].isin(list(styles))]
    grey = current().theme.muted
    axes.scatter(others["tsne_1"], others["tsne_2"], s=3, color=grey, alpha=0.5, lw=0)
    for name, (colour, marker) in styles.items():
        same = points[points[label] == name]
        axes.scatter(same["tsne_1"], same["tsne_2"], s=7, color=colour, marker=marker, lw=0)
    axes.set(xticks=[], yticks=[])
    axes.margins(0.05)


def name_labels(
    figure: Figure, label: str, corner: Corner, styles: dict[str, tuple[str, str]], others: bool
) -> None:
    """The labels' names on the right of their half."""
    handles = [
        Line2D([], [], color=colour, marker=marker, ms=4, ls="", label=name)
        for name, (colour, marker) in styles.items()
    ]
    if others:
        grey = current().theme.muted
        handles.append(Line2D([], [], color=grey, marker=".", ms=4, ls="", label="other"))
    figure.legend(
        handles=handles,
        loc=corner,
        title=f"by {label}",
        title_fontsize=8,
        alignment="left",
        fontsize=7.5,
        handlelength=1,
        labelspacing=0.35,
    )


PLOTS = [
    Plot(
        "latent-tsne",
        "t-SNE maps of the clean latents by system, coloured by speaker and by language",
        "t-SNE of the mean clean latent of each test clip, by system (first seed; the same seed"
        " and settings for all), above by speaker and below by language. Grey: unknown and less"
        " frequent labels. Distances between groups mean little.",
        "latents",
        table,
        draw,
        wide=True,
        raster=True,
        most=MOST,
    )
]
