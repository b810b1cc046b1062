"""What the entries of a run.json may be: a run folder can be anyone's, or of a later version."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

NUMBER, TEXT, MAPPING = (int, float), (str,), (dict,)
TYPES: Mapping[str, tuple[type, ...]] = {  # where an entry is there; None stands for unknown
    "ablation": TEXT,
    "size": TEXT,
    "seed": (int,),
    "budget": (int,),
    "commit": TEXT,
    "corpus": MAPPING,
    "status": TEXT,
    "config": MAPPING,
    "claims": (list,),
    "manifest": TEXT,
    "started": TEXT,
    "finished": TEXT,
    "mlflow": MAPPING,
    "steps": (int,),
    "best_step": (int,),
    "train_seconds": NUMBER,
    "speech_seconds": NUMBER,
    "config.model": MAPPING,
    "config.vocoder": MAPPING,
    "config.data": MAPPING,
    "config.loader": MAPPING,
    "config.trainer": MAPPING,
    "config.mlflow": MAPPING,
    "corpus.name": TEXT,
    "mlflow.tracking_uri": TEXT,
    "mlflow.run_id": TEXT,
}
MOMENTS = ("started", "finished")
REQUIRED = ("ablation", "size", "seed")
WORDS = {dict: "mapping", list: "list", str: "text", int: "whole number", float: "number"}


def check_record(record: Mapping[str, Any]) -> None:
    """ValueError that names the entry which is of another type than any version writes."""
    for name, types in TYPES.items():
        place, _, inner = name.rpartition(".")
        value = (record.get(place) or {}).get(inner) if place else record.get(inner)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, types):
            raise ValueError(f"its {name} is {shortened(value)}, no {WORDS[types[0]]}")
    for name in MOMENTS:
        try:
            datetime.fromisoformat(record.get(name) or "2000-01-01")
        except ValueError:
            raise ValueError(f"its {name} is {shortened(record[name])}, no time") from None


def require_entries(record: Mapping[str, Any], *names: str) -> None:
    """ValueError for an entry that is missing."""
    for name in names:
        if record.get(name) is None:
            raise ValueError(f"it has no {name!r}")


def shortened(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 50 else f"{shown[:50]}..."
