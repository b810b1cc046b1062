import copy

import torch
from torch.autograd.graph import saved_tensors_hooks

from dcvae import SpeechAutoencoder
from dcvae.models.fused_ops.training import fuse_for_training
from experiments.training.model_wrappers import checkpoint_activations

MEL = torch.randn(2, 80, 64, generator=torch.Generator().manual_seed(0))


def kept_and_gradients(model: SpeechAutoencoder) -> tuple[int, list[torch.Tensor]]:
    """The bytes that a forward keeps for its backward, and what that computes."""
    kept = 0

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal kept
        kept += tensor.numel() * tensor.element_size()
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = model(MEL).mel.abs().mean()
    forward = kept
    loss.backward()
    return forward, [parameter.grad for parameter in model.parameters()]


def test_the_gradients_are_the_same_and_less_is_kept():
    torch.manual_seed(0)
    plain = SpeechAutoencoder(
        channels=[8, 8, 8, 16, 16],
        encoder_layers=[0, 2, 2, 2, 2],
        decoder_layers=[0, 2, 2, 2, 2],
        noise="none",
    )
    fuse_for_training(plain.backbone)
    frugal = copy.deepcopy(plain)
    checkpoint_activations(frugal.backbone)
    (most, expected), (least, found) = kept_and_gradients(plain), kept_and_gradients(frugal)
    assert all(map(torch.equal, found, expected))
    assert least < most / 3
    assert list(frugal.state_dict()) == list(plain.state_dict())


def test_a_run_is_the_same(trainer, tmp_path, curves):
    for recompute in (False, True):
        trainer(tmp_path / str(recompute), activation_checkpointing=recompute, steps=3).fit()
    assert curves(tmp_path / "True") == curves(tmp_path / "False")
