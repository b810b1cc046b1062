"""An exponential moving average of the weights, which is judged and kept in their place."""

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

Tensors = tuple[Tensor, ...] | list[Tensor]


def averaged(model: nn.Module, decay: float) -> AveragedModel:
    """A copy whose weights follow: average <- d * average + (1 - d) * weights.

    After n updates d is the lesser of `decay` and (1 + n) / (10 + n), as in TensorFlow's
    ExponentialMovingAverage: the average spans a ninth of the steps so far, until that is more
    than `decay` spans, so that a run of any length forgets where it began.
    Its `update_parameters(model)` is called after each step; the first call copies the weights.
    ValueError for a decay that is not between 0 and 1.
    """
    if not isinstance(decay, float) or not 0 < decay < 1:
        raise ValueError(f"trainer.ema is a decay between 0 and 1 such as 0.999, not {decay!r}")

    def follow(averages: Tensors, weights: Tensors, updates: Tensor | int) -> None:
        now = min(decay, (1 + int(updates)) / (10 + int(updates)))
        get_ema_multi_avg_fn(now)(averages, weights, updates)

    average = AveragedModel(model, multi_avg_fn=follow)
    average.requires_grad_(False)
    return average
