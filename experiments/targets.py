"""Which code a configuration may name: `_target_` in its sections alone, and from a list.

A configuration can come from elsewhere, as a line to paste or an ablation's file. Hydra would call
whatever a `_target_` names, wherever it stands: a loader of code, or of pickles.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

TARGET = "_target_"
ALLOWED_VARIABLE = "DCVAE_ALLOWED_TARGETS"  # names of yours, with commas between
OPTIMIZERS = "experiments.training.optimizers.build_optimizers"
CORPORA = "experiments.data.corpora"
SECTIONS: dict[str, tuple[str, ...]] = {  # where a name may stand, and which
    "model": ("dcvae.SpeechAutoencoder",),
    "vocoder": ("dcvae.load_vocoder",),
    "optimizer": (OPTIMIZERS,),
    "adversary": ("experiments.training.adversarial.Adversary",),
    "adversary.optimizer": (OPTIMIZERS,),
    "adversary.patch": ("dcvae.models.discriminators.PatchDiscriminator",),
    "adversary.bands": ("dcvae.models.discriminators.MultiBandDiscriminator",),
    "data": tuple(f"{CORPORA}.{name}.fetch" for name in ("debian_speech", "filelist", "hub")),
}


def check_targets(config: Mapping[str, Any]) -> None:
    """ValueError for a `_target_` in another place, or that nobody allowed.

    What the environment's DCVAE_ALLOWED_TARGETS lists is allowed in every section: the
    configuration cannot allow itself anything.
    """
    yours = [name.strip() for name in os.environ.get(ALLOWED_VARIABLE, "").split(",")]
    for place, target in find_targets(config):
        if place not in SECTIONS:
            raise ValueError(
                f"{place}.{TARGET}={target}: code is named by sections alone"
                f" ({', '.join(SECTIONS)})"
            )
        if target not in SECTIONS[place] and target not in yours:
            raise ValueError(
                f"{place}.{TARGET}={target} is not {' or '.join(SECTIONS[place])}: to allow code of"
                f" your own, set {ALLOWED_VARIABLE}={target}"
            )


def find_targets(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Every `_target_` in mappings and lists, with the place where it stands."""
    inner: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, Mapping):
        if TARGET in value:
            yield place, value[TARGET]
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    for name, one in inner:
        yield from find_targets(one, f"{place}.{name}" if place else str(name))
