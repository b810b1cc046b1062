from functools import partial

import pytest
import torch
from functorch.compile import make_boxed_func
from torch._dynamo.backends.common import aot_autograd

from dcvae import SpeechAutoencoder
from experiments.training.model_wrappers import compile_in_place

CPU = torch.device("cpu")


def test_a_weight_normed_model_is_refused():
    with torch.device("meta"):
        model = SpeechAutoencoder(weight_norm=True)
    with pytest.raises(ValueError, match=r"needs model\.weight_norm=false: .* fails above 64"):
        compile_in_place(model, CPU)


def test_a_missing_compiler_is_one_line(monkeypatch, caplog):
    def broken(_):
        raise RuntimeError("backend='inductor' raised:\nInvalidCxxCompiler: none found\n\nSet X=1")

    monkeypatch.setattr(torch, "compile", broken)
    with torch.device("meta"):
        model = SpeechAutoencoder()
    assert not compile_in_place(model, CPU)
    (message,) = warnings(caplog)
    assert message.endswith("training goes on without: InvalidCxxCompiler: none found")
    assert "forward" not in vars(model.backbone.encoder)


@pytest.mark.parametrize("part", ["forward", "backward"])
def test_what_cannot_be_compiled_is_trained_as_it_is_written(
    part, trainer, curves, tmp_path, monkeypatch, caplog
):
    """A compiler that takes a sine, and fails at what is larger."""
    options = {"steps": 2, "adversary_start": None}
    trainer(tmp_path / "plain", **options).fit()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=failing(part)))
    torch.compiler.reset()
    trainer(tmp_path / "compiled", compile=True, **options).fit()
    assert curves(tmp_path / "compiled") == curves(tmp_path / "plain")
    (message,) = warnings(caplog)
    assert message.endswith(
        "training goes on without: RuntimeError: a compiler, but none for so much"
    )


def warnings(caplog):
    return [
        one.getMessage()
        for one in caplog.records
        if one.name == "experiments.training.model_wrappers"
    ]


def failing(part):
    """A compiler's back end that fails at that part of a larger graph."""

    def compiler(graph, inputs, fails):
        if fails and len(graph.graph.nodes) > 10:
            raise RuntimeError("a compiler, but none for so much")
        return make_boxed_func(graph.forward)

    return aot_autograd(
        fw_compiler=partial(compiler, fails=part == "forward"),
        bw_compiler=partial(compiler, fails=part == "backward"),
    )


def test_training_is_the_same_and_the_names_stay(trainer, curves, tmp_path, monkeypatch):
    """With the compiler's front end alone, which takes no minute: the graphs run as they are."""
    options = {"steps": 2, "adversary_start": None}
    trainer(tmp_path / "plain", **options).fit()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    torch.compiler.reset()
    compiled = trainer(tmp_path / "compiled", compile=True, **options)
    compiled.fit()
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] >= 2
    for ours, theirs in zip(*map(curves, (tmp_path / "plain", tmp_path / "compiled")), strict=True):
        norms = [row.pop("train/gradient_norm", 0.0) for row in (ours, theirs)]
        assert ours == pytest.approx(theirs, rel=1e-4)
        assert norms[0] == pytest.approx(norms[1], rel=1e-2)  # a sign near 0 goes either way
    names = SpeechAutoencoder.from_pretrained(tmp_path / "plain" / "last").state_dict()
    assert list(compiled.model.state_dict()) == list(names)
