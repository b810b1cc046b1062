from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from analysis.context import EvalContext
from analysis.stores.keys import basis_of
from dcvae.data.manifest import read_manifest, write_manifest


def test_rows_depend_on_texts_and_on_the_other_splits(
    make_context: Callable[..., EvalContext], spoken: Path, tmp_path: Path
) -> None:
    """Words are compared with texts, and the probe learns from the training clips."""
    context = make_context(spoken)
    before = basis_of(context)
    clips = list(read_manifest(spoken))
    changes = {
        "the same": clips,
        "another text": [replace(clips[0], text="something else"), *clips[1:]],
        "more to train on": [*clips, replace(clips[0], split="train")],
    }
    found = {}
    for name, changed in changes.items():
        manifest = tmp_path / f"{name}.csv"
        write_manifest(manifest, changed)
        context.run = replace(context.run, manifest=manifest)
        found[name] = basis_of(context)
    assert found["another text"] != found["the same"] != found["more to train on"]
    assert {**before, "manifest": ""} == {**found["the same"], "manifest": ""}
