"""What a study calls a system, put together and taken apart."""

import pytest

from dcvae.system_names import parts_of, split_name, system_name


@pytest.mark.parametrize(
    ("system", "ablation", "budget", "parts"),
    [
        ("baseline", "baseline", None, ["baseline"]),
        ("no_noise@350", "no_noise", 350, ["no_noise"]),
        ("no_layernorm+no_noise@175", "no_layernorm+no_noise", 175, ["no_layernorm", "no_noise"]),
    ],
)
def test_a_name_is_put_together_and_taken_apart(
    system: str, ablation: str, budget: int | None, parts: list[str]
) -> None:
    assert system_name(ablation, budget) == system
    assert split_name(system) == (ablation, budget)
    assert parts_of(system) == parts
