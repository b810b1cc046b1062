"""A run's analysis at a glance: its means with intervals, and figures as MLflow shows them.

A paper's figures are drawn by the reports.
"""

from collections.abc import Iterator

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from analysis.outputs.table import read_table
from analysis.statistics.study_runs import read_speakers
from analysis.statistics.tables import summarise_run
from dcvae.runs import CLIPS, FIGURES, OVERVIEW, Run
from dcvae.utils.files import replacing

NOISE = "latent_noise_"
NOISE_METRICS = {"mel_l1": "mel L1", "pesq_wb": "PESQ-wb", "stoi": "STOI"}
STEP = "step_"
DPI = 64  # pixels an inch: MLflow's page of a run has room for 640 pixels in a width of 1280


def write_overview(run: Run) -> None:
    """Write summary.csv and figures/*.png beside the run's table, and drop figures of before."""
    table = read_table(run.table)
    summary = summarise_run(table, read_speakers(run.analysis / CLIPS))
    labels = pd.read_csv(run.analysis / CLIPS, dtype=str, keep_default_na=False)
    figures = draw_figures(table, summary, labels)
    folder = run.analysis / FIGURES
    folder.mkdir(exist_ok=True)
    for path in folder.glob("*.png"):
        if path.stem not in figures:
            path.unlink()
    for name, figure in figures.items():
        with replacing(folder / f"{name}.png") as temporary:
            figure.savefig(temporary, format="png", dpi=DPI)
    with replacing(run.analysis / OVERVIEW) as temporary:
        summary.to_csv(temporary, index=False, na_rep="nan")


def draw_figures(
    table: pd.DataFrame, summary: pd.DataFrame, labels: pd.DataFrame
) -> dict[str, Figure]:
    """What the table has something to show of, by name."""
    with sns.axes_style("whitegrid"):
        drawn = {
            "tsne": draw_tsne(table, labels),
            "latent_noise": draw_noise(summary),
            "modelability": draw_modelability(summary),
        }
    return {name: figure for name, figure in drawn.items() if figure is not None}


def draw_tsne(table: pd.DataFrame, labels: pd.DataFrame) -> Figure | None:
    """The latents' t-SNE twice, coloured by speaker and by language."""
    rows = table[(table["condition"] == "latents") & table["metric"].isin(["tsne_1", "tsne_2"])]
    points = rows.pivot(index="clip", columns="metric", values="value").dropna()
    if points.empty:
        return None
    points = points.join(labels.set_index("clip"))
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    for axes, label in zip(figure.subplots(1, 2), ("speaker", "language"), strict=True):
        sns.scatterplot(points, x="tsne_1", y="tsne_2", hue=label, s=18, ax=axes)
        axes.set(title=f"t-SNE of mean latents by {label}", xlabel="", ylabel="")
        axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def draw_noise(summary: pd.DataFrame) -> Figure | None:
    """Each metric against latent noise."""
    curves = pd.DataFrame(points(summary, NOISE), columns=["sigma", "metric", "mean"])
    measured = [name for name in NOISE_METRICS if name in set(curves["metric"])]
    if not measured:
        return None
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    panels = figure.subplots(1, len(measured), squeeze=False)[0]
    for axes, metric in zip(panels, measured, strict=True):
        curve = curves[curves["metric"] == metric]
        sns.lineplot(curve, x="sigma", y="mean", marker="o", ax=axes)
        axes.set(title=NOISE_METRICS[metric], ylabel="")
        axes.set_xlabel("latent noise, in standard deviations")
    return figure


def draw_modelability(summary: pd.DataFrame) -> Figure | None:
    """Held-out loss against the steps of the model that is trained on the latents."""
    curves = pd.DataFrame(points(summary, STEP), columns=["step", "metric", "mean"])
    curve = curves[curves["metric"] == "heldout_loss_per_second"]
    if curve.empty:
        return None
    figure = Figure(figsize=(5, 3.2), layout="constrained")
    axes = figure.subplots()
    sns.lineplot(curve, x="step", y="mean", marker="o", ax=axes)
    axes.set(title="Modelling the latents", ylabel="held-out loss a second of speech")
    return figure


def points(summary: pd.DataFrame, prefix: str) -> Iterator[tuple[float, str, float]]:
    """Number, metric and mean of the conditions that are named by the prefix and a number."""
    for condition, metric, mean in summary[["condition", "metric", "mean"]].itertuples(index=False):
        number = condition.removeprefix(prefix)
        if number != condition and number.replace(".", "", 1).isdigit():
            yield float(number), metric, mean
