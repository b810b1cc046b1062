"""What a figure is: its numbers, its drawing, and its place in a paper and on the page."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pandas as pd
from matplotlib.figure import Figure

from reports.study import Study

INTERVALS, VERDICTS = "{intervals}", "{verdicts}"  # in a caption: what the study says of them


@dataclass(frozen=True)
class Plot:
    """One figure. `table` gives an empty table where nothing was measured that it could show.

    `draw` takes that table alone; theme, width and the systems' looks are those of the
    reports.figures.style.styled block that it is called in.
    """

    name: str  # of the files, and after "figure-" the anchor on the page
    title: str  # what it shows, for those who cannot see it too
    caption: str  # how to read it, in a paper
    evaluator: str  # of the analysis, which measures it; "training" for what the trainer logs
    table: Callable[[Study], pd.DataFrame]
    draw: Callable[[pd.DataFrame], Figure]
    wide: bool = False  # over both columns of a paper
    raster: bool = False  # mostly pixels: PNG on the page

    def of(self, study: Study) -> "Plot":
        """Its caption completed."""
        said = {INTERVALS: study.intervals, VERDICTS: study.verdicts}
        caption = self.caption
        for place, text in said.items():
            caption = caption.replace(place, text)
        return replace(self, caption=caption.strip())
