"""Less memory for more computing: features inside a stage are computed again in the backward."""

from functools import partial

from diffusers.models.autoencoders.autoencoder_dc import AutoencoderDC
from torch.utils.checkpoint import checkpoint


def recompute_stages(backbone: AutoencoderDC) -> None:
    """Let every stage keep its input alone for the backward, in place; the weights' names stay.

    The gradients are the same: nothing in a stage is drawn at random (Chen et al., arXiv
    1604.06174).
    """
    for stage in (*backbone.encoder.down_blocks, *backbone.decoder.up_blocks):
        stage.forward = partial(
            checkpoint, stage.forward, use_reentrant=False, preserve_rng_state=False
        )
