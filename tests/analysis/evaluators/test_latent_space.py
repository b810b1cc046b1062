"""The evaluator of the latent space, on real clips and a small untrained model."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from analysis.context import EvalContext
from analysis.evaluators.latent_space import EVALUATOR
from analysis.evaluators.separability import SHORT
from analysis.outputs.table import Row
from analysis.resources import Options, Resources
from analysis.runs import TrainedRun
from analysis.stores.tensor_cache import TensorCache
from analysis.systems.autoencoder import AutoencoderSystem
from dcvae import SpeechAutoencoder, load_vocoder
from dcvae.audio.io import read_audio, write_audio
from dcvae.data.manifest import Clip, read_manifest, write_manifest

DATA = Path(__file__).parents[2] / "data" / "manifest.csv"
TINY = {"channels": (8,) * 5, "latent_channels": 8, "encoder_layers": (1,) * 5}
SIZE = 8 * 5
DISPERSIVE = ("dispersive", "dispersive_moving")


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    """Both halves of each of the ten clips, the first ones in another folder than the second."""
    folder = tmp_path_factory.mktemp("halves")
    clips = []
    for clip in read_manifest(DATA):
        for half in range(2):
            path = folder / f"half{half}" / f"{clip.path.stem}.wav"
            path.parent.mkdir(exist_ok=True)
            wave = read_audio(
                clip.path, start=half * clip.duration / 2, stop=(half + 1) * clip.duration / 2
            )
            write_audio(path, wave, 22050)
            clips.append(replace(clip, path=path, duration=len(wave) / 22050, split="test"))
    return clips


def make_context(folder: Path, clips: list[Clip]) -> EvalContext:
    """A context of an untrained model, with these clips in its manifest."""
    write_manifest(folder / "manifest.csv", clips)
    torch.manual_seed(0)
    model = SpeechAutoencoder(**TINY, decoder_layers=(1,) * 5).eval()
    record = {"ablation": "baseline", "size": "debug", "seed": 0}
    run = TrainedRun(folder, record, folder / "manifest.csv", {}, folder / "last")
    device, vocoder = torch.device("cpu"), load_vocoder("griffin_lim")
    system = AutoencoderSystem(model, vocoder, device)
    return EvalContext(run, system, vocoder, [], Resources(device, Options()), TensorCache())


def ask(context: EvalContext) -> list[Row]:
    batches = context.batches(EVALUATOR.clips(context))
    return [row for some in EVALUATOR.measure(batches, context) for row in some]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory, halves: list[Clip]) -> list[Row]:
    return ask(make_context(tmp_path_factory.mktemp("run"), halves))


def by_metric(rows: list[Row], metric: str) -> dict[str, Row]:
    return {row.clip: row for row in rows if row.metric == metric}


def test_every_clip_and_the_set_have_a_row_in_each_place(
    rows: list[Row], halves: list[Clip], tmp_path: Path
) -> None:
    context = make_context(tmp_path, halves)
    names = {clip.name for clip in EVALUATOR.clips(context)}
    assert len(names) == 20
    places = [(row.clip, row.condition, row.metric) for row in rows]
    assert len(places) == len(set(places))
    clip = EVALUATOR.clips(context)[0]
    cells = EVALUATOR.cells(context, clip)
    assert {place for place in places if place[0]} == {
        (name, *cell) for name in names for cell in cells
    }
    alone = ("viv_speaker", "effective_rank", "dead_channels", "latent_rms", *DISPERSIVE)
    assert {place[1:] for place in places if not place[0]} == {
        *(("latents", metric) for metric in (*alone, "speaker_chance", "language_chance")),
        *((f"component_{i:02}", "eigenvalue_share") for i in range(SIZE)),
        *((f"channel_{i:02}", "channel_variance") for i in range(8)),
    }


def test_values_are_in_range_or_nan_with_a_reason(rows: list[Row]) -> None:
    assert all(math.isnan(row.value) == bool(row.reason) for row in rows)
    ranges = {
        "probe": (0, 1),
        "knn": (0, 1),
        "lnc": (0, 1),
        "silhouette": (-1, 1),
        "sec": (0, 1),
        "chance": (0, 1),
        "viv_speaker": (0, math.pi / 2),
        "effective_rank": (1, SIZE),
        "dead_channels": (0, 1),
        "dispersive": (0, 1),
        "eigenvalue_share": (0, 1),
        "channel_variance": (0, 8),
    }
    for ending, (low, high) in ranges.items():
        values = [row.value for row in rows if row.metric.endswith(ending) and not row.reason]
        assert values, ending
        assert all(low <= value <= high for value in values), ending
    assert by_metric(rows, "latent_rms")[""].value == pytest.approx(1, rel=1e-3)  # LayerNorm's
    shares = [row.value for row in rows if row.metric == "eigenvalue_share"]
    assert sum(shares) == pytest.approx(1)
    assert shares == sorted(shares, reverse=True)
    assert np.mean([row.value for row in rows if row.metric == "channel_variance"]) == (
        pytest.approx(1)
    )


def test_on_real_clips_each_measure_that_can_be_had_is(rows: list[Row]) -> None:
    failed = {row.reason for row in rows if row.reason}
    assert failed <= {SHORT}


def test_the_rows_are_the_same_when_measured_again(
    rows: list[Row], halves: list[Clip], tmp_path: Path
) -> None:
    again = ask(make_context(tmp_path, halves))
    assert [row[1:] for row in again] == [row[1:] for row in rows]


def test_without_labels_the_rest_is_measured_and_each_probe_says_why(
    halves: list[Clip], tmp_path: Path
) -> None:
    context = make_context(tmp_path, [replace(c, speaker="", language="") for c in halves])
    rows = ask(context)
    assert {row.reason for row in rows if row.clip and row.metric.startswith("speaker")} == {
        "its speaker is unknown"
    }
    assert by_metric(rows, "viv_speaker")[""].reason == "no speaker is known"
    assert "fewer than two" in by_metric(rows, "language_chance")[""].reason
    assert not by_metric(rows, "effective_rank")[""].reason
    assert not any(row.reason for row in by_metric(rows, "sec").values())


def test_only_labelled_clips_of_a_second_of_the_test_split_are_asked(
    halves: list[Clip], tmp_path: Path
) -> None:
    clips = [
        replace(halves[0], split="train"),
        replace(halves[1], speaker="", language=""),
        replace(halves[2], duration=0.9),
        replace(halves[3], speaker=""),
        halves[4],
    ]
    asked = EVALUATOR.clips(make_context(tmp_path, clips))
    assert {clip.path for clip in asked} == {halves[3].path, halves[4].path}


def test_a_diverged_models_latents_are_counted_and_not_measured(
    halves: list[Clip], tmp_path: Path
) -> None:
    context = make_context(tmp_path, halves[:3])
    with torch.no_grad():
        next(context.system.model.backbone.encoder.parameters()).fill_(math.nan)
    rows = ask(context)
    own = [row for row in rows if row.condition not in ("log_mel", "untrained", "language")]
    assert all(math.isnan(row.value) and row.reason for row in own)
    assert {row.reason for row in own if row.clip} == {"its latents hold NaN or infinity"}
    assert by_metric(rows, "effective_rank")[""].reason == "no clip has finite latents"
