"""Names where room is short: legends under a figure, and titles on two lines."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from reports.figures.style import current

SIZE, SMALL = 8.0, 6.5  # points
MANY = 4  # names that are written in the usual size
KEY = 3.2  # of the size: the piece of line before each name, with the space around it
ROW = 1.45  # of the size
WIDER = 1.03  # what hinting adds to a text's width
INCH = 72  # points
GAP = 4.0  # points between names of rows and the axes
SHARE, SMALLEST = 0.45, 4.0  # of a figure's width, for the names of rows; points


def legend_below(figure: Figure, handles: Sequence[Artist]) -> None:
    """As many columns of names as the figure's width takes; their height is added to it."""
    names = [str(handle.get_label()) for handle in handles]
    size = SIZE if len(names) <= MANY else SMALL
    columns = legend_columns(names, size, figure.get_figwidth())
    rows = -(-len(names) // columns)
    figure.set_figheight(figure.get_figheight() + size * ROW * (rows + 0.75) / INCH)
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=columns,
        prop={"family": current().family, "size": size},
        handlelength=2.1,
        handletextpad=0.4,
        columnspacing=0.6,
        labelspacing=0.35,
        borderpad=0.2,
    )


def legend_columns(names: Sequence[str], size: float, width: float) -> int:
    """Into how many columns the names of so many points go within so many inches: at least one."""
    lengths = [WIDER * length(name, size) for name in names]
    for columns in range(len(names), 1, -1):
        widths = [max(part) for part in np.array_split(lengths, columns)]
        if sum(widths) + columns * KEY * size <= INCH * width - 1.5 * size:
            return columns
    return 1


def name_rows(axes: Axes, names: Sequence[str], size: float, folds: bool = True) -> float:
    """Write names of rows at the left of the axes, under each other; inches that they take."""
    texts, size = row_names(names, size, current().width, folds)
    widest = WIDER * max(length(line, size) for text in texts for line in text.split("\n")) + GAP
    axes.set_yticks(range(len(texts)), texts, fontsize=size, fontfamily=current().family)
    axes.tick_params(axis="y", length=0, pad=widest, labelcolor=current().theme.ink)
    for label in axes.get_yticklabels():
        label.set_horizontalalignment("left")
    return widest / INCH


def row_names(
    names: Sequence[str], size: float, width: float, folds: bool = True
) -> tuple[list[str], float]:
    """Names of rows and their size: they leave half of so many inches to what they name.

    Where `folds` long ones take two lines, for which the rows need room.
    """
    room = SHARE * INCH * width
    long = [folds and length(one, size) > room for one in names]
    texts = [
        folded(one, len(one) // 2 + 6) if is_long else one
        for one, is_long in zip(names, long, strict=True)
    ]
    longest = max(length(line, size) for text in texts for line in text.split("\n"))
    return texts, max(SMALLEST, size * min(1.0, room / longest))


def length(name: str, size: float) -> float:
    """Points that a name takes, in the font of names."""
    return measured(name, size, current().family)


@cache
def measured(text: str, size: float, family: str) -> float:
    """Points that a text takes: every figure asks for the same names, and finding out is slow."""
    prop = FontProperties(family=family)
    return float(TextPath((0, 0), text, size=size, prop=prop).get_extents().width) if text else 0.0


def folded(name: str, letters: int) -> str:
    """A long name on two lines, behind its letters or at the last underscore that fits."""
    cut = (name.find(" ") if " " in name else name.rfind("_", 0, letters)) + 1
    return name if len(name) <= letters or not cut else f"{name[:cut]}\n{name[cut:]}"
