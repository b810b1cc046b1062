"""Rows of toy latents whose answers are known: what is told apart, and what is left out and why."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits

from analysis.evaluators.latent_set import LatentSet
from analysis.evaluators.latent_space import rows_of_all
from analysis.evaluators.separability import Pooled
from analysis.outputs.table import Row
from dcvae.data.manifest import Clip


def by_metric(rows: list[Row], metric: str) -> dict[str, Row]:
    return {row.clip: row for row in rows if row.metric == metric}


def toy_set(labels: list[tuple[str, str]], factor: float = 1.0, frames: int = 9) -> LatentSet:
    """Random latents [4, 2, frames] around a corner for each speaker."""
    rng = np.random.default_rng(0)
    corners = {speaker: rng.normal(size=(4, 2, 1)) * 4 for speaker, _ in labels}
    clips = [
        Clip(Path(f"/set/{i}.wav"), 2.0, 22050, speaker, language)
        for i, (speaker, language) in enumerate(labels)
    ]
    sequences = [corners[speaker] + rng.normal(size=(4, 2, frames)) for speaker, _ in labels]
    return LatentSet(clips, [factor * one.astype(np.float32) for one in sequences], (4, 2))


def all_rows(latents: LatentSet) -> Iterator[Row]:
    yield from rows_of_all(latents, pooled(latents))


def pooled(latents: LatentSet) -> Pooled:
    """Means over time of the whole clips, and of their halves."""
    found = Pooled(lambda samples, frames: torch.zeros(0), lambda frames: frames, latents.clips)
    for clip in range(len(latents.clips)):
        frames = latents.flat(clip)
        found.whole.append(frames.mean(axis=1))
        middle = frames.shape[1] // 2
        found.halves.append(
            np.stack([frames[:, :middle].mean(axis=1), frames[:, -middle:].mean(axis=1)])
        )
    return found


def test_separate_speakers_are_told_apart_by_every_measure() -> None:
    rows = list(all_rows(toy_set([("ann", "en"), ("ben", "en"), ("cat", "fr")] * 15)))
    for metric in ("speaker_probe", "speaker_knn", "speaker_lnc"):
        assert np.mean([row.value for row in by_metric(rows, metric).values()]) > 0.97
    assert np.mean([row.value for row in by_metric(rows, "speaker_silhouette").values()]) > 0.6
    assert by_metric(rows, "speaker_chance")[""].value == pytest.approx(1 / 3)
    of_clips = [row.value for row in by_metric(rows, "clip_retrieval").values()]
    assert np.mean(of_clips) == pytest.approx(0.5, abs=0.2)  # clips of a speaker differ by noise
    assert by_metric(rows, "language_chance")[""].value == pytest.approx(2 / 3)


def test_no_row_depends_on_the_scale_of_the_latents() -> None:
    labels = [("ann", "en"), ("ben", "en"), ("cat", "fr")] * 8
    pairs = zip(all_rows(toy_set(labels)), all_rows(toy_set(labels, 64.0)), strict=True)
    for one, scaled in pairs:
        assert scaled[:3] == one[:3]
        factor = 64.0 if one.metric == "latent_rms" else 1.0
        assert scaled.value == pytest.approx(factor * one.value, nan_ok=True), one


def test_the_rows_and_the_map_are_the_same_on_one_core_or_two() -> None:
    labels = [("ann", "en"), ("ben", "en"), ("cat", "fr")] * 8
    with threadpool_limits(1):
        one = list(all_rows(toy_set(labels)))
    with threadpool_limits(2):
        two = list(all_rows(toy_set(labels)))
    assert {row.metric for row in one if not math.isnan(row.value)} >= {"tsne_1", "speaker_probe"}
    assert one == two


def test_a_lone_clip_a_single_language_and_an_unknown_speaker_say_why() -> None:
    labels = [("ann", "en")] * 7 + [("ben", "en")] * 7 + [("lone", "en"), ("", "en")]
    rows = list(all_rows(toy_set(labels)))
    reasons = [row.reason for row in by_metric(rows, "speaker_knn").values()]
    assert sorted(filter(None, reasons)) == [
        "its speaker is unknown",
        "the only clip of its speaker",
    ]
    for metric in ("probe", "knn", "lnc", "silhouette"):
        of_language = by_metric(rows, f"language_{metric}").values()
        assert {row.reason for row in of_language} == {"a single language, nothing to tell apart"}
        assert len(of_language) == 16


def test_fewer_clips_than_neighbours_say_why() -> None:
    rows = list(all_rows(toy_set([("ann", "en"), ("ben", "fr")] * 2)))
    assert {row.reason for row in by_metric(rows, "speaker_lnc").values()} == {
        "4 clips, fewer than 10 neighbours and one"
    }
    assert {row.reason for row in by_metric(rows, "tsne_1").values()} == {"4 clips, fewer than 5"}
    assert all("too few" in row.reason for row in by_metric(rows, "speaker_knn").values())
    assert not any(row.reason for row in by_metric(rows, "speaker_silhouette").values())


def test_fewer_frames_than_dimensions_have_no_spectrum() -> None:
    rows = list(all_rows(toy_set([("ann", "en"), ("ben", "fr")], frames=4)))
    for metric in ("effective_rank", "viv_speaker"):
        assert by_metric(rows, metric)[""].reason == "8 frames are too few for 8 dimensions"
    assert by_metric(rows, "dispersive")[""].reason.startswith("fewer than two clips")
    shares = [row for row in rows if row.metric == "eigenvalue_share"]
    assert len(shares) == 8
    assert all(row.reason for row in shares)


def test_frames_and_points_keep_channel_bin_and_clip_in_place() -> None:
    latents = toy_set([("ann", "en"), ("", "en"), ("ben", "fr")], frames=5)
    np.testing.assert_allclose(latents.frames[7], latents.sequences[1][:, :, 2].ravel())
    frames, speakers = latents.frames_of("speaker")
    assert speakers.tolist() == ["ann"] * 5 + ["ben"] * 5
    np.testing.assert_allclose(frames[5:], latents.frames[10:])
    expected = latents.sequences[2][3, 1]
    assert latents.flat(2)[7].tolist() == pytest.approx(expected.tolist())
    joined = np.concatenate(latents.sequences, axis=2)
    np.testing.assert_allclose(latents.variances, joined.var(axis=2), rtol=1e-5)


def test_clips_are_compared_by_standardised_means_of_their_frames() -> None:
    latents = toy_set([("ann", "en"), ("ben", "fr")] * 10)
    latents.sequences[0][:, :, 1:] = latents.sequences[0][:, :, :1]
    means = np.array([one.mean(axis=2).ravel() for one in latents.sequences])
    expected = (means - means.mean(axis=0)) / means.std(axis=0)
    np.testing.assert_allclose(latents.points, expected, rtol=1e-4, atol=1e-5)
