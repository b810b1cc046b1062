"""What a study calls a system: its ablation, which may be a composition, and its budget.

"no_noise", "no_layernorm+no_noise", or either with "@STEPS" behind where it is trained for other
steps than the size's own.
"""

PART, BUDGET = "+", "@"  # between the parts of a composition, and before the steps


def system_name(ablation: str, budget: int | None) -> str:
    """The name of an ablation that is trained for `budget` steps; None for the size's own."""
    return f"{ablation}{BUDGET}{budget}" if budget else ablation


def split_name(system: str) -> tuple[str, int | None]:
    """A system's ablation and budget, as `system_name` joins them."""
    ablation, _, steps = system.partition(BUDGET)
    return ablation, int(steps) if steps else None


def parts_of(system: str) -> list[str]:
    """The ablations that a system's name lists."""
    return split_name(system)[0].split(PART)
