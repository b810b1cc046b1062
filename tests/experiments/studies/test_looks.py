"""A study that goes on until its claims are decided."""

import json

import pytest

from experiments.studies.looks import next_block
from experiments.studies.plan import make_plan
from experiments.studies.registration import register


@pytest.fixture
def plan(tmp_path):
    """Two runs of one seed, and what the last look left open."""

    def make(*settings: str, still_open=("plain_ae:latent_noise_area/mel_l1_rise",)):
        options = [f"runs_dir={tmp_path}", "until=decided", "max_seeds=3", *settings]
        made = make_plan(["study=smoke", *options])
        made.folder.mkdir(parents=True, exist_ok=True)
        (made.folder / "statistics.json").write_text(json.dumps({"open": list(still_open)}))
        return made

    return make


def test_a_block_is_one_more_seed_of_every_system(plan):
    following = next_block(plan("seeds=[0,1]"))
    assert following is not None
    names = [row.name for row in following.rows]
    assert names[:4] == [row.name for row in plan("seeds=[0,1]").rows]
    assert names[4:] == ["baseline/seed2", "plain_ae/seed2"]
    assert "seed=2" in following.rows[4].overrides
    assert "size=debug" in following.rows[4].overrides
    assert next_block(following) is None  # it has its three seeds


def test_it_ends_when_no_claim_is_open(plan):
    assert next_block(plan(still_open=())) is None


def test_a_study_that_does_not_go_on_has_one_look(tmp_path):
    assert next_block(make_plan(["study=smoke", f"runs_dir={tmp_path}"])) is None


def test_a_look_that_left_no_word_is_told(plan):
    made = plan()
    (made.folder / "statistics.json").unlink()
    with pytest.raises(ValueError, match="does not say which claims are open"):
        next_block(made)


def test_claims_that_change_once_a_run_is_scored_are_refused(plan):
    made = plan("seeds=[0,1]", "ablations=[baseline,plain_ae,no_layernorm]")
    register(made)
    made = plan("seeds=[0,1]")
    register(made)  # no score was seen yet
    (made.rows[0].run_dir / "analysis").mkdir(parents=True)
    following = next_block(made)
    assert following is not None
    path = register(following)  # more runs are no other claims
    assert len(json.loads(path.read_text())["runs"]) == 6
    other = plan("seeds=[0,1]", "ablations=[baseline,plain_ae,no_noise]")
    with pytest.raises(ValueError, match="the claims of study smoke are not those of"):
        register(other)
