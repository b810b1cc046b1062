"""An exponential moving average of the weights, which is judged and kept in their place."""

from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def averaged(model: nn.Module, decay: float) -> AveragedModel:
    """A copy whose weights follow: average <- decay * average + (1 - decay) * weights.

    Its `update_parameters(model)` is called after each step; the first call copies the weights.
    ValueError for a decay that is not between 0 and 1.
    """
    if not isinstance(decay, float) or not 0 < decay < 1:
        raise ValueError(f"trainer.ema is a decay between 0 and 1 such as 0.999, not {decay!r}")
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))
    average.requires_grad_(False)
    return average
