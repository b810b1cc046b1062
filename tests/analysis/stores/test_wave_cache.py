"""Waves kept on disk: computed once, within a limit."""

import torch

from analysis.stores.wave_cache import WaveCache


def test_waves_are_computed_once_and_come_back_exactly() -> None:
    cache, calls = WaveCache(), []

    def compute() -> list[torch.Tensor]:
        calls.append(1)
        return [torch.arange(5.0), torch.tensor([1.0, float("nan")])]

    first = cache.get("ceiling", ["a", "b"], compute)
    second = cache.get("ceiling", ["a", "b"], compute)
    assert len(calls) == 1
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one, other, equal_nan=True, rtol=0, atol=0)
    cache.get("run", ["a", "b"], compute)
    assert len(calls) == 2
    cache.forget("run")
    cache.get("run", ["a", "b"], compute)
    assert len(calls) == 3
    cache.close()


def test_beyond_the_limit_waves_are_computed_again() -> None:
    cache, calls = WaveCache(limit=1), []

    def compute(name: str) -> list[torch.Tensor]:
        calls.append(name)
        return [torch.zeros(1000)]

    for name in ("a", "b", "a", "b"):
        cache.get("run", [name], lambda name=name: compute(name))
    assert calls == ["a", "b", "b"]
    cache.close()
