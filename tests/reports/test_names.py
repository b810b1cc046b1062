"""Systems that lack several parts, by letters: on figures, in their captions and their marks."""

import re
from collections.abc import Callable
from pathlib import Path

from dcvae.runs import Run
from reports.figures import quality_bars
from reports.figures.style import LIGHT, MONO, SANS, WIDTH, styled
from reports.names import MOST, letters_of, short_names, told
from reports.page.embed import picture
from reports.study.collect import place_of
from reports.study.study import Study

SYSTEMS = ["baseline", "no_noise", "no_layernorm", "plain_ae", "no_layernorm+no_noise"]


def test_a_letter_stands_for_a_part_in_its_place() -> None:
    assert short_names(SYSTEMS) == {
        "baseline": "baseline",
        "no_noise": "·N no_noise",
        "no_layernorm": "L· no_layernorm",
        "plain_ae": "plain_ae",
        "no_layernorm+no_noise": "LN",
    }
    assert told(letters_of(SYSTEMS)) == (
        "A letter is a part that was taken away (L no_layernorm, N no_noise), a dot one in place."
    )


def test_parts_of_one_initial_have_letters_of_their_own_and_budgets_stay() -> None:
    systems = ["no_noise+no_name@600", "no_noise+no_norm", "no_norm@600", "no_noise+7"]
    assert letters_of(systems) == {"no_noise": "N", "no_name": "A", "no_norm": "O", "7": "B"}
    assert list(short_names(systems).values()) == ["NA··@600", "N·O·", "··O· no_norm@600", "N··B"]


def test_names_stay_where_no_parts_are_combined_or_too_many() -> None:
    assert short_names(SYSTEMS[:4]) == {name: name for name in SYSTEMS[:4]}
    many = "+".join(f"no_{number}" for number in range(MOST + 1))
    assert short_names([many]) == {many: many}


def test_figures_bear_the_short_names_marked_as_the_systems_and_captions_explain_them(
    by_hand: Callable[..., Study],
) -> None:
    values = {(name, "reconstruction", "stoi"): 0.5 for name in SYSTEMS}
    study = by_hand(SYSTEMS, values)
    plot = next(one for one in quality_bars.PLOTS if one.name == "quality-stoi")
    table = plot.table(study)
    with styled(LIGHT, SYSTEMS, WIDTH) as style:
        assert style.family == MONO
        axes = plot.draw(table).axes[0]
    shown = [label.get_text() for label in axes.get_yticklabels()]
    assert shown == list(short_names(SYSTEMS).values())
    svg = picture(plot, table, SYSTEMS, LIGHT, "svg").decode()
    owners = [int(one) for one in re.findall(r'<g id="s(\d+)-\d+"', svg)]
    assert {owners.count(number) for number in range(5)} == {owners.count(0)}
    assert "L no_layernorm" in plot.of(study).caption
    assert "letter" not in plot.of(by_hand(SYSTEMS[:4], values)).caption
    with styled(LIGHT, SYSTEMS[:4], WIDTH) as style:
        assert style.family == SANS


def test_what_lacks_more_parts_comes_later() -> None:
    runs = [
        Run(Path(name), {"ablation": name, "size": "tiny", "seed": 0, "budget": budget})
        for name, budget in (("no_a+no_b", None), ("no_c", None), ("baseline", None), ("no_a", 9))
    ]
    ordered = [run.system for run in sorted(runs, key=place_of)]
    assert ordered[:3] == ["baseline", "no_c", "no_a+no_b"]
    assert ordered[3].startswith("no_a@")
