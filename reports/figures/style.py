"""How figures look: one colour, line and marker per system on every figure, light and dark."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import matplotlib as mpl
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from reports.names import short_names

WIDTH = 4.8  # inches: readable when a phone shrinks it to 360 pixels
WIDE = 7.2
COLUMN, DOUBLE = 3.5, 7.2  # inches: one column of a paper's page, and both
PALETTE = ("#D55E00", "#0080C4", "#009E73", "#C661A0", "#D89000", "#56B4E9")  # after Okabe and Ito
DASHES = ("-", "--", ":")
MARKERS = "osD^vPX"
SANS, MONO = "DejaVu Sans", "DejaVu Sans Mono"


@dataclass(frozen=True)
class Theme:
    """The colours of one of the page's two themes."""

    name: str
    ink: str
    muted: str
    grid: str
    paper: str  # the page itself: figures have no ground of their own


LIGHT = Theme("light", "#1c2126", "#5d6770", "#e3e6e8", "#fbfaf8")
PAPER = Theme("paper", "#000000", "#404040", "#dddddd", "#ffffff")
DARK = Theme("dark", "#e8eaec", "#9aa4ad", "#343b42", "#13171b")


@dataclass(frozen=True)
class Look:
    """How one system is drawn. The baseline takes the text's own colour."""

    colour: str
    dash: str
    marker: str


def looks(systems: Sequence[str], theme: Theme) -> dict[str, Look]:
    """A look for each system; the first is the baseline. Colours repeat with other dashes."""
    styles = {systems[0]: Look(theme.ink, "-", "o")}
    for number, system in enumerate(systems[1:]):
        turn, colour = divmod(number, len(PALETTE))
        shift = turn // len(DASHES)  # where dashes repeat too, markers do not
        marker = MARKERS[1 + (number + shift) % (len(MARKERS) - 1)]
        styles[system] = Look(PALETTE[colour], DASHES[turn % len(DASHES)], marker)
    return styles


@dataclass(frozen=True)
class Style:
    """What a figure is drawn with: theme, looks and names of the systems, inches for its width."""

    theme: Theme
    looks: dict[str, Look]
    width: float
    names: dict[str, str] = field(default_factory=dict)

    def title(self, axes: Axes, text: str) -> None:
        """Over the axes on the page; in a paper the caption says it."""
        if self.theme is not PAPER:
            axes.set_title(text)

    def look(self, system: str) -> Look:
        """The system's; a reference that is none takes the muted colour."""
        return self.looks.get(system, Look(self.theme.muted, "--", ""))

    def name(self, system: str) -> str:
        """What the figure calls it."""
        return self.names.get(system, system)

    @property
    def family(self) -> str:
        """The font of names: with letters of one width these stand in columns."""
        return MONO if any(text != name for name, text in self.names.items()) else SANS


CURRENT: ContextVar[Style] = ContextVar("style")


def current() -> Style:
    """The style of the `styled` block around."""
    return CURRENT.get()


@contextmanager
def styled(theme: Theme, systems: Sequence[str], width: float) -> Iterator[Style]:
    """Draw within, with the same look for a system on every figure."""
    style = Style(theme, looks(systems, theme), width, short_names(systems))
    token = CURRENT.set(style)
    try:
        with themed(theme):
            yield style
    finally:
        CURRENT.reset(token)


@contextmanager
def themed(theme: Theme) -> Iterator[None]:
    """Draw within: seaborn's theme on a clear ground, text kept as outlines, fixed identifiers."""
    sns_style = {
        **sns.axes_style("ticks"),
        **sns.plotting_context("paper", font_scale=1.05),
        "font.family": [SANS],
        "figure.facecolor": "none",
        "axes.facecolor": "none",
        "savefig.facecolor": "none",
        "text.color": theme.ink,
        "axes.labelcolor": theme.muted,
        "axes.titlecolor": theme.ink,
        "axes.titlesize": 10.5,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.edgecolor": theme.muted,
        "xtick.color": theme.muted,
        "ytick.color": theme.muted,
        "axes.grid": True,
        "grid.color": theme.grid,
        "grid.linewidth": 0.8,
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
        "legend.labelcolor": theme.ink,
        "svg.fonttype": "path",
        "pdf.fonttype": 42,  # TrueType, embedded whole: Type 3 is refused by many publishers
        "svg.hashsalt": "dcvae",
    }
    with mpl.rc_context(sns_style):
        yield


def height_for(lines: int) -> float:
    """Inches of a figure on whose right side so many names stand under each other."""
    return max(3.0, 0.9 + 0.17 * lines)


def end_labels(
    figure: Figure, axes: Axes, labels: Sequence[tuple[float, str, str]]
) -> list[Annotation]:
    """Names at the right end of lines, (y, text, colour) each, moved apart within the axes.

    Returns them in the order of `labels`.
    """
    bottom, top = axes.get_ylim()
    gap = (top - bottom) * 0.17 / (figure.get_size_inches()[1] - 0.8)
    order = sorted(range(len(labels)), key=lambda number: labels[number])
    places: list[float] = []
    for y, _, _ in (labels[number] for number in order):
        places.append(max(y, places[-1] + gap) if places else max(y, bottom))
    limit = top - gap / 2  # clear of the title
    for number in reversed(range(len(places))):
        places[number] = min(places[number], limit)
        limit = places[number] - gap
    return [
        axes.annotate(
            text,
            (1, place),
            xycoords=("axes fraction", "data"),
            xytext=(6, 0),
            textcoords="offset points",
            color=colour,
            va="center",
            fontsize=8,
            fontfamily=current().family,
        )
        for _, place, (_, text, colour) in sorted(
            (number, place, labels[number]) for number, place in zip(order, places, strict=True)
        )
    ]
