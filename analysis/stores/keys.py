"""What results depend on: equal keys mean equal rows, and only what differs is measured again."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from analysis.context import EvalContext
from analysis.evaluator import Evaluator
from analysis.registry import EVALUATORS
from analysis.runs import ScoredRun
from analysis.stores.audio_digests import joined
from analysis.stores.result_store import Key
from dcvae.data.manifest import Clip
from dcvae.utils.files import files_sha256


def reference_path(run: ScoredRun) -> Path:
    """Beside the runs of a size: what depends on manifest, vocoder and versions alone."""
    basis = vocoder_basis(run) | {"manifest": files_sha256(run.manifest)}
    stamps = {one.name: one.stamp() for one in EVALUATORS.values() if not one.missing()}
    key = hashlib.sha256(json.dumps([basis, stamps], sort_keys=True).encode()).hexdigest()
    return run.size_folder / f"references-{key[:12]}.jsonl"


def basis_of(context: EvalContext) -> Key:
    """What all rows depend on; of the manifest texts, speakers and the other splits too."""
    manifest = {"manifest": files_sha256(context.run.manifest)}
    return dict(context.system.identity) | vocoder_basis(context.run) | manifest


def vocoder_basis(run: ScoredRun) -> Key:
    """The vocoder's settings, and its weights where it has some."""
    basis: Key = {"vocoder": run.vocoder}
    if folder := run.vocoder.get("path"):  # other weights can come to lie there
        files = sorted(path for path in Path(folder).iterdir() if path.is_file())
        basis["vocoder_sha256"] = files_sha256(*files)
    return basis


def key(evaluator: Evaluator, clips: Sequence[Clip], context: EvalContext, basis: Key) -> Key:
    """What one evaluator's rows depend on; only what differs is measured again."""
    return {
        **basis,
        "version": evaluator.stamp(),
        "clips": [clip.name for clip in clips],
        "audio": joined(context.references.audio[clip.name] for clip in clips),
        "settings": evaluator.settings(context),
    }
