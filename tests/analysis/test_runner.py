"""One evaluator measured again after it was stopped at its very end."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis.context import Batch, EvalContext
from analysis.evaluator import Evaluator
from analysis.outputs.table import Row
from analysis.runner import evaluate
from analysis.stores.result_store import ResultStore

CLIP, WHOLE = ("reconstruction", "level"), ("reconstruction", "mean_level")


def measure(batches: Iterator[Batch], context: EvalContext) -> Iterator[list[Row]]:
    for batch in batches:
        yield [Row(name, *CLIP, 1.0) for name in batch.names]
    yield [Row("", *WHOLE, 2.0)]


def test_no_row_stands_twice_where_the_final_file_could_not_be_written(
    spoken: Path, make_context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = make_context(spoken, 2)
    evaluator = Evaluator("level", 1, measure, lambda context, clip: [CLIP])
    store = ResultStore(tmp_path, "level", {"settings": {}})

    def full(*arguments: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(store, "finish", full)
        for _ in range(2):
            with pytest.raises(OSError, match="no space left"):
                evaluate(evaluator, context.clips, context, store)
    evaluate(evaluator, context.clips, context, store)
    expected = {(clip.name, *CLIP) for clip in context.clips} | {("", *WHOLE)}
    assert Counter(row[:3] for row in store.rows()) == Counter(expected)
