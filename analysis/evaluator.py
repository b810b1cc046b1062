"""The one shape of every evaluator: a function from batches of clips to rows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from analysis.context import Batch, EvalContext
from analysis.outputs.table import Row
from analysis.systems.system import LatentSystem, System
from dcvae.data.manifest import Clip

Cell = tuple[str, str]  # condition, metric


class Needs(Enum):
    """What a measurement needs of a system."""

    OUTPUTS = auto()  # of the clips that are scored
    CODING = auto()  # of any speech
    LATENTS = auto()
    MEL_GRID = auto()  # latents of whole mel frames


def every_clip(context: EvalContext) -> list[Clip]:
    """The clips that most evaluators take: the whole selection."""
    return context.clips


def no_settings(context: EvalContext) -> dict[str, Any]:
    """Nothing beyond the checkpoint, the clips and the vocoder."""
    return {}


@dataclass(frozen=True)
class Evaluator:
    """One measurement: what is measured, on which clips, and what its rows depend on.

    `measure` takes the batches of its clips as they stream by and yields the rows of each; an
    evaluator of the set as a whole yields them at the end, with the clip "". `cells` lists
    what a clip has a row of, so that an unreadable one is counted in each place.
    """

    name: str
    version: int  # raise it when the meaning of a row changes: old rows are measured again
    measure: Callable[[Iterator[Batch], EvalContext], Iterator[list[Row]]]
    cells: Callable[[EvalContext, Clip], list[Cell]]
    clips: Callable[[EvalContext], list[Clip]] = every_clip
    settings: Callable[[EvalContext], dict[str, Any]] = no_settings
    libraries: tuple[str, ...] = ()  # distributions whose versions the rows depend on
    install: str = ""  # what `pip install` takes to bring them
    by_clip: bool = True  # the rows of a clip need no other clip: resume where it stopped
    needs: Needs = Needs.OUTPUTS  # of the system
    protocol: str = ""  # for who compares numbers: models, sample rates, bands, what is summed

    def stamp(self) -> str:
        """The version with those of its libraries: rows of another stamp are measured again."""
        libraries = ", ".join(f"{name} {version(name)}" for name in self.libraries)
        return f"{self.version} ({libraries})" if libraries else str(self.version)

    def lacks(self, system: System) -> str:
        """One line that says what a system would have to have; "" where it has it."""
        if self.needs is Needs.CODING and not system.takes_any_speech:
            return "it has outputs for its own inputs alone"
        if self.needs in {Needs.LATENTS, Needs.MEL_GRID} and not isinstance(system, LatentSystem):
            return "it has no latents"
        if self.needs is Needs.MEL_GRID and getattr(system, "compression", None) is None:
            return "its latents are not on the grid of mel frames"
        return ""

    def missing(self) -> str:
        """One line that says what must be installed, and how; "" where nothing must."""
        for name in self.libraries:
            try:
                version(name)
            except PackageNotFoundError:
                return f"{name} is not installed: pip install {self.install}"
        return ""
