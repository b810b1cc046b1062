"""What every vocoder asks of its input."""

from torch import Tensor

from dcvae.audio.mel import N_MELS


def check_mel(mel: Tensor, vocoder: str) -> None:
    """ValueError, which names the vocoder, unless the mel is [B, M, F] with at least one frame."""
    if mel.ndim != 3 or mel.shape[1] != N_MELS or mel.shape[2] == 0:
        raise ValueError(f"{vocoder} takes a mel of shape [B, {N_MELS}, F], not {list(mel.shape)}")
