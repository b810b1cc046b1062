"""What belongs to one system in a figure's SVG: groups by whose ids the page dims others."""

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.container import Container
from matplotlib.figure import Figure
from matplotlib.text import Text

from reports.names import short_names


def mark_systems(figure: Figure, systems: Sequence[str]) -> None:
    """Give what is labelled with a system's name, or names it, the id s<number>-<count>.

    Lines, bars, markers and bands say by their label whose they are. An id stands once.
    """
    numbers = {name: number for number, name in enumerate(systems)}
    numbers |= {text: numbers[name] for name, text in short_names(systems).items()}
    found = [*figure.findobj(), *parts_of(figure)]
    count = 0
    for artist, name in ((artist, name_of(artist)) for artist in found):
        if name in numbers and artist.get_gid() is None:
            artist.set_gid(f"s{numbers[name]}-{count}")
            count += 1


def parts_of(figure: Figure) -> list[Artist]:
    """The lines and patches of bars and intervals, with the label of the whole."""
    parts: list[Artist] = []
    for container in (one for axes in figure.axes for one in axes.containers):
        for part in container.get_children():
            part.set_label(container.get_label())
            parts.append(part)
    return parts


def name_of(artist: Artist | Container) -> str:
    """A label or a text, folded or with a number in brackets behind it.

    A label that begins with an underscore, as of what no legend names, is the name after it.
    """
    label = str(artist.get_label() or "")
    text = artist.get_text() if isinstance(artist, Text) and not label else label
    return text.removeprefix("_").replace("\n", "").partition(" (")[0]
