"""How well a small generative model predicts the latents, against what its training costs."""

from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter

from reports.figures.lines import BANDS, draw_lines, labels, name_lines, panel
from reports.figures.plot import Plot
from reports.figures.style import current
from reports.metric_registry import Metric
from reports.study.study import Study

LOSS, GAIN = "heldout_loss_per_second", "context_gain"
METRICS = {
    LOSS: Metric("held-out loss", "down"),
    GAIN: Metric("gain by context", "up"),
}
COSTS = {  # columns, as the axis calls them, and the unit of its ticks with its size
    "step": ("training step of the latents' model", "", 1),
    "flops": ("training compute, operations", "G", 1e9),
    "seconds": ("training time on one core, s", "", 1),
}


def table(study: Study, metric: str, cost: str) -> pd.DataFrame:
    """Columns system, step, flops, seconds, mean, low, high, no_context and frechet.

    The latter two are the same on all steps: the loss without context, and the Frechet distance of
    decoded continuations. Rows without the cost are left out.
    """
    points = study.select(metric, r"step_(\d+)").rename(columns={"level": "step"})
    flops = study.select("train_flops", r"step_(\d+)").set_index(["system", "level"])["mean"]
    places = list(zip(points["system"], points["step"], strict=True))
    points["flops"] = [flops.get(place, float("nan")) for place in places]
    points["seconds"] = [step * seconds_per_step(study, name) for name, step in places]
    for name, column, condition in (
        ("no_context", LOSS, "no_context"),
        ("frechet", "continuation_frechet", "modelability"),
    ):
        means = study.select(column, condition).set_index("system")["mean"]
        points[name] = points["system"].map(means)
    return points[points[cost].notna()].drop(columns="condition")


def seconds_per_step(study: Study, system: str) -> float:
    """As the first run's analysis noted it; NaN where it did not."""
    summary = study.of(system)[0].summary or {}
    facts = summary.get("evaluators", {}).get("modelability", {})
    return float(facts.get("train_seconds_per_step") or "nan")


def draw(points: pd.DataFrame, metric: str, cost: str) -> Figure:
    """One line a system, on a logarithmic axis of the cost that begins with 0."""
    style = current()
    names = labels(points, "frechet", 1)
    figure, axes = panel(names)
    draw_lines(axes, points, cost)
    if metric == LOSS:
        draw_floors(axes, points, len(names))
    costs = sorted(points[cost].unique())
    later = [one for one in costs if one > 0]
    if later:
        axes.set_xscale("symlog", linthresh=later[0], linscale=0.5)
        shown = [one for one in costs if one == 0 or spaced(one, later)]
        axes.xaxis.set_major_locator(FixedLocator(shown))
        axes.xaxis.set_minor_locator(FixedLocator([]))
        unit, divisor = COSTS[cost][1:]
        axes.xaxis.set_major_formatter(FuncFormatter(lambda one, _: f"{one / divisor:.3g}{unit}"))
    described = METRICS[metric]
    style.title(axes, f"Modelability: {described.label} ({described.wish})")
    axes.set(xlabel=COSTS[cost][0], ylabel=metric.replace("_", " "))
    name_lines(figure, axes, points, names)
    return figure


def draw_floors(axes: Axes, points: pd.DataFrame, systems: int) -> None:
    """The loss of a Gaussian without context, dashed."""
    bare = points.groupby("system", sort=False)["no_context"].first().dropna()
    reach = 1.0 if systems <= BANDS else 0.12  # of the axes: many would hide the curves
    for name, loss in bare.items():
        colour = current().look(str(name)).colour
        axes.axhline(loss, xmax=reach, color=colour, ls=(0, (4, 3)), lw=0.8, label=f"_{name}")


def spaced(step: float, steps: list[float]) -> bool:
    """Whether a tick fits here: the last step, and before it each some factors of two apart."""
    factor = max(2.0, (steps[-1] / steps[0]) ** 0.2)
    kept = [steps[-1]]
    for one in reversed(steps):
        if one * factor <= kept[-1]:
            kept.append(one)
    return step in kept


def plot(name: str, metric: str, cost: str, caption: str) -> Plot:
    label = METRICS[metric].label
    return Plot(
        name,
        f"{label.capitalize()} of a small model of the latents against {COSTS[cost][0]}, by system",
        f"{caption} In brackets the Fréchet distance of decoded continuations to real speech,"
        " which ranks spaces that the loss cannot compare.",
        "modelability",
        partial(table, metric=metric, cost=cost),
        partial(draw, metric=metric, cost=cost),
    )


LOSS_CAPTION = (
    "The flow-matching loss a second of speech on held-out clips, of one small model for each"
    " system's latents, the mean of its seeds; a step takes the same seconds of speech everywhere."
    " Dashed: a Gaussian that knows nothing of the frames before."
)
GAIN_CAPTION = (
    "The share of that Gaussian's loss that the frames before save a small model of the"
    " standardised latents, on held-out clips, the mean of its seeds."
)
PLOTS = [
    plot("modelability", LOSS, "step", LOSS_CAPTION),
    plot("modelability-flops", GAIN, "flops", GAIN_CAPTION),
    plot("modelability-seconds", GAIN, "seconds", GAIN_CAPTION),
]
