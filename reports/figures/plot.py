"""What a figure is: its numbers, its drawing, and its place in a paper and on the page."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pandas as pd
from matplotlib.figure import Figure

from reports.names import letters_of, told
from reports.study.study import Study

INTERVALS, VERDICTS = "{intervals}", "{verdicts}"  # in a caption: what the study says of them
PEERS = "{peers}"  # what follows in the caption, to its end, where the study has peers alone
METADATA: dict[str, dict[str, None]] = {  # of files: nothing that changes from day to day
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
}


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
    most: int = 0  # systems that it has panels for; 0 where it has room for any number

    def of(self, study: Study) -> "Plot":
        """Its caption completed."""
        said = {INTERVALS: study.intervals, VERDICTS: study.verdicts}
        always, _, of_peers = self.caption.partition(PEERS)
        caption = always + (of_peers if study.peers else "")
        for place, text in said.items():
            caption = caption.replace(place, text)
        if letters := letters_of(study.systems):
            caption += f" {told(letters)}"
        if 0 < self.most < len(study.systems):
            caption += f" Shown are {self.most} of {len(study.systems)} systems."
        return replace(self, caption=caption.strip())
