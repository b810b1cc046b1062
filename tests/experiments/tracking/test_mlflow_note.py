"""What a run's page in MLflow begins with: verdicts, means and figures."""

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from dcvae.runs import RunError
from experiments.tracking.mlflow_note import (
    COLUMNS,
    LAST_LINE,
    LONGEST,
    in_short,
    note,
    read_claims,
    send_note,
    send_study_note,
    study_note,
)
from experiments.tracking.mlflow_study import NOTE_TAG, VERDICT_TAG, WRITTEN_TAG

SUPPORTED = {
    "system": "no_noise", "against": "baseline", "text": "Noise makes latents robust.",
    "condition": "latent_noise_area", "metric": "mel_l1_rise", "margin": 0.01,
    "stratum": float("nan"), "difference": 0.0356268, "low": 0.0200341, "high": 0.05121943,
    "verdict": "supported", "family": "study",
}  # fmt: skip
OPEN = SUPPORTED | {
    "condition": "interface", "metric": "stoi", "text": "Words go.", "verdict": "not measured",
    "difference": float("nan"), "low": float("nan"), "high": float("nan"),
}  # fmt: skip
STRATUM = SUPPORTED | {"stratum": "layernorm: none", "verdict": "undecided"}
METRICS = {"analysis/reconstruction/stoi": 0.41234, "analysis/latent_noise_area/mel_l1_rise": 0.12}


def run(**tags: str) -> Any:
    data = SimpleNamespace(tags=tags, metrics=METRICS)
    return SimpleNamespace(info=SimpleNamespace(run_id="r1"), data=data)


class Client:
    """Takes tags as MLflow's client does."""

    def __init__(self) -> None:
        self.tags: dict[str, str] = {}

    def log_batch(self, run_id: str, tags: list[Any]) -> None:
        assert run_id == "r1"
        self.tags |= {tag.key: tag.value for tag in tags}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([SUPPORTED], "supported"),
        ([SUPPORTED, SUPPORTED, OPEN], "2 supported, 1 not measured"),
        ([SUPPORTED, STRATUM], "supported"),
    ],
)
def test_verdicts_in_short(rows: list[dict[str, Any]], said: str) -> None:
    assert in_short(pd.DataFrame(rows)) == said


def test_a_note_has_verdicts_then_means_then_figures() -> None:
    text = note(run(), pd.DataFrame([SUPPORTED, STRATUM, OPEN]), ["analysis/tsne.png"])
    found = "`latent_noise_area/mel_l1_rise` +0.03563 [0.02003, 0.05122] to baseline, margin 0.01"
    assert text.split("\n") == [
        f"- **supported** {found}: Noise makes latents robust.",
        f"- **undecided** {found}, layernorm: none: Noise makes latents robust.",
        "- **not measured** `interface/stoi`: Words go.",
        "",
        "`latent_noise_area/mel_l1_rise` 0.12, `reconstruction/stoi` 0.4123",
        "",
        "![analysis/tsne.png](get-artifact?path=analysis%2Ftsne.png&run_uuid=r1)",
    ]


def test_a_note_is_no_longer_than_a_tag() -> None:
    text = note(run(), pd.DataFrame([OPEN]), [f"analysis/{n:0900}.png" for n in range(20)])
    assert text.count("![") == 4  # 1.9k characters each, as a path is there twice
    assert len(text) <= LONGEST


def test_systems_without_a_claim_say_so() -> None:
    none = pd.DataFrame(columns=list(COLUMNS))
    assert note(run(ablation="baseline"), none, []).startswith("**The baseline of the study**")
    assert note(run(ablation="no_noise"), none, []).startswith("**Nothing is claimed**")


def test_a_note_is_sent_once_and_leaves_the_user_s_words_alone() -> None:
    client, claims = Client(), pd.DataFrame([SUPPORTED])
    assert send_note(client, run(), claims, [])
    assert client.tags[VERDICT_TAG] == "supported"
    assert client.tags[NOTE_TAG].startswith("- **supported** ")
    assert not send_note(client, run(**client.tags), claims, [])
    theirs = client.tags | {NOTE_TAG: "My favourite."}
    client.tags = {}
    assert send_note(client, run(**theirs), pd.DataFrame([OPEN]), [])
    assert client.tags == {VERDICT_TAG: "not measured"}


def test_a_study_s_note_has_all_verdicts_as_far_as_there_is_room() -> None:
    lead = SUPPORTED | {"family": "exploratory", "condition": "latents"}
    text = study_note(pd.DataFrame([SUPPORTED, STRATUM, OPEN, lead]))
    assert text.split("\n") == [
        "**2 supported, 1 not measured**",
        "",
        "- **supported** `no_noise` `latent_noise_area/mel_l1_rise` +0.03563 [0.02003, 0.05122]"
        " to baseline, margin 0.01: Noise makes latents robust.",
        "- **supported** exploratory: `no_noise` `latents/mel_l1_rise` +0.03563 [0.02003, 0.05122]"
        " to baseline, margin 0.01: Noise makes latents robust.",
    ]
    long = study_note(pd.DataFrame([SUPPORTED] * 100))
    line = len(text.split("\n")[2])
    assert LONGEST - LAST_LINE - line <= len(long) <= LONGEST
    shown = long.count("- **supported**")
    assert long.endswith(f"and {100 - shown} more in `analysis/claims.csv`")


def test_a_study_s_note_is_sent_once_and_not_without_claims() -> None:
    client, claims = Client(), pd.DataFrame([SUPPORTED])
    assert send_study_note(client, run(), claims)
    assert set(client.tags) == {NOTE_TAG, WRITTEN_TAG}
    assert not send_study_note(client, run(**client.tags), claims)
    assert not send_study_note(client, run(), claims[:0])


def test_a_table_of_claims_that_lacks_a_column_is_named(tmp_path: Any) -> None:
    path = tmp_path / "claims.csv"
    pd.DataFrame([SUPPORTED]).assign(reason="").to_csv(path, index=False)
    assert list(read_claims(path)["verdict"]) == ["supported"]
    pd.DataFrame([SUPPORTED]).drop(columns="verdict").to_csv(path, index=False)
    with pytest.raises(RunError, match=r"claims\.csv is damaged: .*verdict"):
        read_claims(path)
