"""A metric against noise on the latents."""

from matplotlib.figure import Figure

from reports.metrics import Metric
from reports.statistics import Estimate
from reports.style import WIDTH, Look, end_labels, height_for

BANDS = 6  # lines whose intervals can be told apart when they overlap


def draw(
    curves: dict[str, dict[float, Estimate]], metric: Metric, looks: dict[str, Look]
) -> Figure:
    """One line an ablation: noise (times the latents' standard deviation) to the metric."""
    figure = Figure(figsize=(WIDTH, height_for(len(looks))), layout="constrained")
    axes = figure.subplots()
    labels = []
    for ablation, look in looks.items():
        points = {sigma: one for sigma, one in curves.get(ablation, {}).items() if one.known}
        if not points:
            continue
        sigmas, means = list(points), [one.mean for one in points.values()]
        axes.plot(
            sigmas, means, look.dash, color=look.colour, marker=look.marker, markersize=4, lw=1.6
        )
        if len(curves) <= BANDS:
            axes.fill_between(
                sigmas,
                [one.low for one in points.values()],
                [one.high for one in points.values()],
                color=look.colour,
                alpha=0.12,
                lw=0,
            )
        labels.append((means[-1], ablation, look.colour))
    axes.set(
        title=f"{metric.heading} against latent noise ({metric.wish})",
        xlabel="noise, in standard deviations of the run's own latents",
        ylabel=metric.label + (" %" if metric.percent else ""),
    )
    sigmas = sorted({sigma for curve in curves.values() for sigma in curve})
    axes.set_xticks(sigmas, [f"{sigma:g}" for sigma in sigmas])
    end_labels(figure, axes, labels)
    return figure
