"""How blurred each part of the mel is."""

import pandas as pd
from matplotlib.figure import Figure

from reports.figures.lines import draw_lines, name_lines, names_of, panel
from reports.figures.plot import INTERVALS, Plot
from reports.figures.style import current
from reports.metric_registry import BANDS, band_title, metric_of
from reports.study.study import Study

METRIC = "log_modulation_ratio"


def table(study: Study) -> pd.DataFrame:
    """Columns system, low_hz, band, mean, low, high, by rising frequency; band is in kHz."""
    found = study.select(METRIC, BANDS).rename(columns={"level": "low_hz"})
    found["band"] = found["condition"].map(band_title)
    return found[["system", "low_hz", "band", "mean", "low", "high"]]


def draw(values: pd.DataFrame) -> Figure:
    """One line a system: the bands of the mel to the metric; 0 is the original."""
    bands = values.drop_duplicates("low_hz").sort_values("low_hz")["band"].tolist()
    points = values.assign(place=values["band"].map(bands.index))
    names = names_of(points)
    figure, axes = panel(names)
    draw_lines(axes, points, "place")
    axes.axhline(0, color=current().theme.muted, ls="--", lw=1.2)
    described = metric_of(METRIC)
    current().title(axes, f"{described.heading}{described.arrow} by band of the mel")
    axes.set_xticks(range(len(bands)), bands)
    axes.set(xlabel="centres of the mel's bands (kHz)", ylabel=described.label)
    name_lines(figure, axes, points, names)
    return figure


PLOTS = [
    Plot(
        "blur-by-band",
        "Fast modulation kept in each part of the mel, by system",
        "Log ratio of the log-mel's modulation energy above 10 Hz, reconstruction to original, of"
        " the bands whose centre lies in each range. Dashed: all that the original has; below it"
        f" the reconstruction is blurred. Bands are {INTERVALS}.",
        "quality",
        table,
        draw,
    )
]
