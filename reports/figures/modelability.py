"""How well a small generative model predicts the latents, against its training steps."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter

from reports.figures.lines import BANDS, draw_lines, labels, name_lines, panel
from reports.figures.plot import Plot
from reports.figures.style import current
from reports.study import Study

LOSS = "heldout_loss_per_second"


def table(study: Study) -> pd.DataFrame:
    """Columns system, step, mean, low, high; no_context and frechet are the same on all steps.

    The loss is summed over a second of speech; the Frechet distance is of decoded continuations.
    """
    points = study.select(LOSS, r"step_(\d+)").rename(columns={"level": "step"})
    for name, metric, condition in (
        ("no_context", LOSS, "no_context"),
        ("frechet", "continuation_frechet", "modelability"),
    ):
        means = study.select(metric, condition).set_index("system")["mean"]
        points[name] = points["system"].map(means)
    return points.drop(columns="condition")


def draw(points: pd.DataFrame) -> Figure:
    """One line a system, on a logarithmic axis of steps that begins with 0."""
    style = current()
    names = labels(points, "frechet", 1)
    figure, axes = panel(names)
    draw_lines(axes, points, "step")
    bare = points.groupby("system", sort=False)["no_context"].first().dropna()
    for name, loss in bare.items():
        reach = 1.0 if len(names) <= BANDS else 0.12  # of the axes: many would hide the curves
        colour = style.look(str(name)).colour
        axes.axhline(loss, xmax=reach, color=colour, ls=(0, (4, 3)), lw=0.8)
    steps = sorted(points["step"].unique())
    later = [step for step in steps if step > 0]
    if later:
        axes.set_xscale("symlog", linthresh=later[0], linscale=0.5)
        shown = [step for step in steps if step == 0 or spaced(step, later)]
        axes.xaxis.set_major_locator(FixedLocator(shown))
        axes.xaxis.set_minor_locator(FixedLocator([]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:g}"))
    style.title(axes, "Modelability: held-out loss (lower is better)")
    axes.set(xlabel="training step of the latents' model", ylabel="held-out loss a second")
    name_lines(figure, axes, points, names)
    return figure


def spaced(step: int, steps: list[int]) -> bool:
    """Whether a tick fits here: the last step, and before it each some factors of two apart."""
    factor = max(2.0, (steps[-1] / steps[0]) ** 0.2)
    kept = [steps[-1]]
    for one in reversed(steps):
        if one * factor <= kept[-1]:
            kept.append(one)
    return step in kept


PLOTS = [
    Plot(
        "modelability",
        "Held-out loss of a small model of the latents against its training steps, by system",
        "The flow-matching loss a second of speech on held-out clips, of one small model for each"
        " system's latents; a step takes the same seconds of speech everywhere. Dashed: a"
        " Gaussian that knows nothing of the frames before. In brackets the Fréchet distance of"
        " decoded continuations to real speech, which ranks spaces that the loss cannot compare.",
        "modelability",
        table,
        draw,
    )
]
