"""What compositions are called, and which there cannot be; on a registry made by hand."""

import pytest

from experiments.ablations import Registry, compositions, contradiction

CLAIM = {
    "text": "So.",
    "metric": "reconstruction/stoi",
    "direction": "up",
    "margin": 0.01,
    "component": "noise",
}
REGISTRY = Registry(
    {
        "baseline": {},
        "quiet": {"claims": [CLAIM], "model": {"noise": "none"}},
        "loud": {"model": {"noise": "fixed", "noise_std": 0.5}},
        "quiet_too": {"model": {"noise": "none"}},
        "bare": {"model": {"layernorm": False}},
        "free": {"losses": {"kl": {"weight": 0.0}}},
        "no_game": {"adversary": None},
        "no_bands": {"adversary": {"bands": None}},
        "plain": {"defaults": ["quiet", "bare", "_self_"], "claims": [CLAIM]},
        "plainer": {"defaults": ["plain", "free"]},
        "louder": {"defaults": ["loud", "_self_"], "model": {"noise_std": 1.0}},
    }
)


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("quiet", "quiet"),
        ("[quiet]", "quiet"),
        ("[quiet,free]", "free+quiet"),
        ("[ free , quiet ]", "free+quiet"),
        (["quiet", "free", "quiet"], "free+quiet"),
        ("free+quiet", "free+quiet"),
        ("'quiet + free'", "free+quiet"),
        (["quiet", "quiet_too"], "quiet+quiet_too"),
        ("baseline", "baseline"),
        ("[]", "baseline"),
        ((), "baseline"),
        ("[baseline,quiet]", "quiet"),
        ("[baseline,baseline]", "baseline"),
        ("plain", "plain"),
        ("[bare,quiet]", "plain"),
        ("bare+quiet", "plain"),
        (["plain", "quiet"], "plain"),
        (["plain", "no_game"], "bare+no_game+quiet"),
        (["plain", "free"], "plainer"),
        ("louder", "louder"),
    ],
)
def test_a_composition_has_one_name(wanted, name):
    assert REGISTRY.name(wanted) == name
    assert REGISTRY.name(name) == name


def test_a_file_with_changes_of_its_own_is_a_single_ablation():
    assert REGISTRY.parts("louder") == ("louder",)
    assert REGISTRY.changes("louder") == {"model.noise": "fixed", "model.noise_std": 1.0}


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (["quiet", "loud"], ["quiet", "loud", "model.noise"]),
        (["plain", "loud"], ["quiet", "loud", "model.noise"]),
        (["no_game", "no_bands"], ["no_game", "no_bands", "adversary"]),
        (["quiet", "lowd"], ["'lowd'", "loud"]),
        ("quit", ["'quit'", "quiet"]),
        ("quiet,free", ["'quiet,free'"]),
        ("", ["''", "choose from"]),
    ],
)
def test_what_is_no_composition_is_told_in_a_line(wanted, words):
    with pytest.raises(ValueError, match=r"ablation|contradict") as error:
        REGISTRY.name(wanted)
    told = str(error.value)
    assert "\n" not in told
    assert all(word in told for word in words), told


def test_a_section_that_is_gone_contradicts_changes_below_it_either_way():
    gone, changed = {"a.b": None}, {"a.b.c": 1}
    assert contradiction(gone, changed) == contradiction(changed, gone) == "a.b"
    assert contradiction({"a.b": 1}, {"a.bc": 2}) is None


def test_claims_are_those_of_a_file():
    assert [claim.id for claim in REGISTRY.claims("plain")] == ["plain:reconstruction/stoi"]
    assert REGISTRY.claims("free+quiet") == []
    assert REGISTRY.claims("baseline") == []


def test_all_cells_of_a_factorial_once():
    cells = compositions(["a", "b", "c"])
    assert len(cells) == len(set(cells)) == 8
    assert cells[0] == ()
    assert cells[-1] == ("a", "b", "c")
