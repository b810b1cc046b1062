"""The verdicts as Markdown, and the block of the README that has them."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from dcvae.claims import COMPONENTS
from reports.answer import BEGIN, END, answer, beside, compared, main, rows, unlike_strata
from reports.study.claims import claims
from reports.study.study import Study

ROOT = Path(__file__).parents[2]


def test_every_promise_has_its_claims_with_effect_interval_margin_verdict_and_seeds(
    planned_runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([str(planned_runs / "studies" / "parts")])
    text = capsys.readouterr().out
    lines = text.splitlines()
    assert (lines[0], lines[-1]) == (BEGIN, END)
    rows = [line.strip("|").split("|") for line in lines if line.startswith("| ")][1:]
    cells = [[cell.strip() for cell in row] for row in rows]
    assert all(len(row) == 10 for row in cells)
    assert list(dict.fromkeys(row[0] for row in cells if row[0])) == list(COMPONENTS.values())
    rank = next(row for row in cells if row[2] == "effective rank")
    assert rank[1] == "no_layernorm"
    assert rank[4].startswith("\N{MINUS SIGN}4.0")  # by construction, whatever else is taken away
    assert rank[3] == "less"
    assert re.fullmatch(r"\N{MINUS SIGN}\d\.\d \(.+ to .+\), supported", rank[6])
    assert rank[8:] == ["supported", "3"]
    assert re.search(r"From \d+ of the \d+ planned runs of study parts, seeds 0, 1, 2", text)
    assert "1 more ablation has no run yet." in text


@pytest.mark.parametrize(
    ("verdicts", "told"),
    [
        (("supported", "negligible"), True),
        (("contradicted", "supported"), True),
        (("supported", "supported"), False),
        (("supported", "undecided"), False),  # which may only lack seeds
    ],
)
def test_strata_are_told_where_another_part_decides_the_verdict(
    planned: Study, verdicts: tuple[str, str], told: bool
) -> None:
    claim = next(one for one in claims(planned) if one.strata)
    pair = [
        replace(one, verdict=verdict) for one, verdict in zip(claim.strata, verdicts, strict=True)
    ]
    found = list(unlike_strata(replace(claim, strata=pair)))
    assert found == (pair if told else [])
    assert [one.stratum for one in pair] == ["layernorm in place", "layernorm taken away"]


def test_a_claim_of_one_seed_has_a_row_where_its_promise_has_no_better(planned: Study) -> None:
    claim = next(iter(claims(planned)))
    decided = replace(claim, verdict="supported", strata=[])
    single = replace(decided, verdict="one seed", system="fixed_noise")
    assert not [line for line in rows([decided, single]) if "fixed_noise" in line]
    assert re.fullmatch(
        r"Of one seed each, which decides nothing, .+: fixed_noise [+\N{MINUS SIGN}]\d\S*\.",
        beside([decided, single]),
    )
    assert [line for line in rows([single]) if "fixed_noise" in line]
    assert beside([single]) == ""


def test_an_undecided_variant_has_a_row_where_its_promise_has_no_better(planned: Study) -> None:
    claim = replace(next(iter(claims(planned))), strata=[], verdict="undecided")
    variant = replace(claim, contrast="difference", system="fixed_noise")
    main = replace(claim, contrast="main effect", system="no_noise")
    assert [line for line in rows([main]) if "no_noise" in line]
    assert [line for line in rows([variant]) if "fixed_noise" in line]
    assert not [line for line in rows([main, variant]) if "fixed_noise" in line]
    assert beside([main, variant]).startswith("Undecided so far: ")
    assert beside([variant]) == ""


@pytest.mark.parametrize(
    ("against", "told"),
    [
        ("baseline", " (to the baseline)"),
        ("baseline@350", " (to the baseline)"),
        ("compression_16x_matched", " (to compression_16x_matched)"),
    ],
)
def test_it_is_told_what_a_system_is_compared_with(planned: Study, against: str, told: str) -> None:
    effect = next(one for one in claims(planned) if one.is_main_effect)
    assert compared(replace(effect, against=against)) == ""
    assert compared(replace(effect, contrast="difference", against=against)) == told


def test_the_answer_of_the_readme_is_that_of_the_reference_study() -> None:
    readme = (ROOT / "README.md").read_text()
    if BEGIN not in readme:
        pytest.skip("README.md has no answer yet")
    block = readme[readme.index(BEGIN) : readme.index(END) + len(END)]
    assert block == answer(ROOT / "reports" / "reference")
