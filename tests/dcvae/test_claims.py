"""A claim is read as it is written, and what could not be tested is told in one line."""

from dataclasses import asdict

import pytest

from dcvae.claims import COMPONENTS, Claim, read_claims

GOOD = {
    "text": "Noise is borne less well.",
    "metric": "latent_noise_1.0/mel_l1",
    "direction": "up",
    "margin": 0.01,
    "component": "noise",
}


def test_a_claim_is_what_its_file_says():
    (claim,) = read_claims("no_noise", [GOOD])
    assert claim == Claim(
        "no_noise", GOOD["text"], "latent_noise_1.0", "mel_l1", "up", 0.01, False, "noise"
    )
    assert claim.id == "no_noise:latent_noise_1.0/mel_l1"
    assert claim.against == "baseline"
    assert Claim(**asdict(claim)) == claim


@pytest.mark.parametrize(
    ("margin", "number", "is_relative"),
    [(1, 1.0, False), ("10%", 0.1, True), ("2.5 %", 0.025, True)],
)
def test_a_margin_is_a_number_or_a_share(margin, number, is_relative):
    (claim,) = read_claims("x", [{**GOOD, "margin": margin, "against": "y"}])
    assert (claim.margin, claim.margin_is_relative) == (pytest.approx(number), is_relative)
    assert claim.against == "y"


def test_one_ablation_may_speak_of_several_components():
    rank = {**GOOD, "metric": "latents/effective_rank", "component": "layernorm"}
    assert [claim.component for claim in read_claims("x", [GOOD, rank])] == ["noise", "layernorm"]
    assert read_claims("baseline", []) == []


@pytest.mark.parametrize("metric", ["stoi", "/stoi", "reconstruction/"])
def test_a_metric_has_a_condition(metric):
    with pytest.raises(ValueError, match="condition and metric"):
        read_claims("x", [{**GOOD, "metric": metric}])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"margin": None}, ["no margin"]),
        ({"margin": "0.1 dB"}, ["0.1 dB", "unit"]),
        ({"margin": "0.1"}, ["'0.1'", "number"]),
        ({"margin": True}, ["True", "number"]),
        ({"margin": 0}, ["0", "above 0"]),
        ({"margin": -0.1}, ["-0.1", "above 0"]),
        ({"margin": "0%"}, ["0%", "above 0"]),
        ({"margin": float("nan")}, ["nan", "above 0"]),
        ({"direction": "sideways"}, ["sideways", "up or down"]),
        ({"component": "attention"}, ["attention", "layernorm"]),
        ({"text": ""}, ["no text"]),
        ({"metric": None}, ["no metric"]),
        ({"agianst": "y"}, ["agianst", "against"]),
        ({"against": "x"}, ["itself"]),
    ],
)
def test_what_could_not_be_judged_is_told(change, words):
    with pytest.raises(ValueError, match=r"^x: ") as error:
        read_claims("x", [{**GOOD, **change}])
    told = str(error.value)
    assert "\n" not in told
    assert all(word in told for word in words), told


@pytest.mark.parametrize("raw", [GOOD, None, "text", [None], ["text"]])
def test_claims_are_a_list_of_mappings(raw):
    with pytest.raises(ValueError, match="must be a"):
        read_claims("x", raw)


def test_the_same_number_is_claimed_once():
    with pytest.raises(ValueError, match=r"x:latent_noise_1\.0/mel_l1 is claimed twice"):
        read_claims("x", [GOOD, {**GOOD, "direction": "down"}])


def test_every_component_is_a_promise():
    assert all(text.endswith(".") for text in COMPONENTS.values())
    assert len(COMPONENTS) == 8
