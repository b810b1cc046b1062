"""Values that no run changes: kept on disk, shared by processes, damaged lines left out."""

from pathlib import Path

from analysis.stores.reference_store import References


def test_values_are_computed_once_for_all_who_read_the_file(tmp_path: Path) -> None:
    path = tmp_path / "references.jsonl"
    computed: list[str] = []

    def compute() -> list[list[float]]:
        computed.append("once")
        return [[0.1], [1 / 3]]

    first = References(path)
    assert first.once("quality", ["a", "b"], compute) == [[0.1], [1 / 3]]
    assert first.once("quality", ["b"], compute) == [[1 / 3]]
    assert References(path).once("quality", ["b", "a"], compute) == [[1 / 3], [0.1]]
    assert computed == ["once"]
    assert not References(path).has("words", ["a"])  # another kind
    assert not References(path).has("quality", ["a", "c"])


def test_without_a_file_values_live_as_long_as_the_store(tmp_path: Path) -> None:
    store = References()
    store.put("quality", {"a": 1})
    assert store.get("quality", ["a"]) == [1]
    assert not References().has("quality", ["a"])
    assert not list(tmp_path.iterdir())


def test_a_line_that_was_cut_short_counts_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "references.jsonl"
    References(path).put("quality", {"a": 1, "b": 2})
    path.write_text(path.read_text()[:-5] + '\n"no line of ours"\n[1, 2]\n')
    again = References(path)
    assert again.has("quality", ["a"])
    assert not again.has("quality", ["b"])
    again.put("quality", {"b": 3})
    assert References(path).get("quality", ["a", "b"]) == [1, 3]
