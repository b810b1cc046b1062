import json

from dcvae.utils.jsonl import RowReader, append_lines, append_row, read_lines, rewind


def steps(rows):
    return [row["step"] for row in rows]


def test_a_rewound_file_keeps_only_the_past(tmp_path):
    path = tmp_path / "metrics.jsonl"
    for step in (1, 2, 3):
        append_row(path, step, step / 10, {"train/loss": step / 2})
    with path.open("a") as file:
        file.write('{"step": 4, "trai')  # killed while it wrote
    rewind(path, 2)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert rows == [
        {"step": 1, "time": 0.1, "train/loss": 0.5},
        {"step": 2, "time": 0.2, "train/loss": 1.0},
    ]


def test_not_a_number_is_null_in_the_file(tmp_path):
    append_row(tmp_path / "rows", 1, 0.0, {"train/loss": float("nan"), "x": float("inf")})
    row = json.loads((tmp_path / "rows").read_text())
    assert row == {"step": 1, "time": 0.0, "train/loss": None, "x": None}


def test_a_reader_gives_each_row_once_and_none_by_half(tmp_path):
    path = tmp_path / "metrics.jsonl"
    reader = RowReader(path)
    assert reader.read() == []
    append_row(path, 1, 0.0, {})
    append_row(path, 2, 0.0, {})
    assert steps(reader.read()) == [1, 2]
    with path.open("a") as file:
        file.write('{"step": 3, ')
    assert reader.read() == []
    with path.open("a") as file:
        file.write('"time": 0}\n')
    assert steps(reader.read()) == [3]
    assert reader.read() == []


def test_a_reader_begins_again_where_the_file_was_rewound(tmp_path):
    """Also where it has grown longer than it was since."""
    path = tmp_path / "metrics.jsonl"
    reader = RowReader(path)
    for step in (1, 2):
        append_row(path, step, 0.0, {})
    reader.read()
    rewind(path, 1)
    for step in (2, 3, 4):
        append_row(path, step, 0.0, {})
    assert steps(reader.read()) == [1, 2, 3, 4]


def test_lines_are_added_at_the_end_and_damaged_ones_left_out(tmp_path):
    path = tmp_path / "lines"
    assert read_lines(path) == []
    append_lines(path, [{"a": 1}, [2]])
    append_lines(path, [])
    append_lines(path, ["é"])
    with path.open("ab") as file:
        file.write(b'{"cut": \n\xff\n')
    append_lines(path, [None])
    assert read_lines(path) == [{"a": 1}, [2], "é", None]


def test_rows_that_are_none_are_left_out(tmp_path):
    """Without a step, of another type, beyond any float, or nested beyond what a parser follows."""
    path = tmp_path / "metrics.jsonl"
    others = [
        f'{{"step": 1, "x": 1{"0" * 400}}}',
        "[1]",
        '{"time": 1}',
        '{"step": "2", "time": 0}',
        "{}",
        "[" * 100_000 + "]" * 100_000,
    ]
    path.write_text("".join(f"{one}\n" for one in others))
    append_row(path, 1, 0.0, {"train/loss": 0.5})
    assert steps(RowReader(path).read()) == [1]
    rewind(path, 1)
    assert steps(read_lines(path)) == [1]
