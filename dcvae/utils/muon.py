"""Muon: momentum whose update is orthogonalised, for matrices and convolutions' filters."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # quintic coefficients of Muon's authors


def orthogonalise(matrix: Tensor, *, bfloat16: bool = True) -> Tensor:
    """Push the singular values of [..., rows, columns] towards 1 by five steps of Newton-Schulz.

    Its authors' bfloat16 makes 4e-3 of a difference of rounding; float32 keeps it small. A step
    multiplies X by a polynomial of X X^T, so that several of a wide X cost products of its rows
    alone. Five at once, or three from the start, lose the small singular values in the rounding of
    X X^T: the losses of a run then move by 2%, and by .1% as it is.

    Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024).
    """
    tall = matrix.shape[-2] > matrix.shape[-1]
    dtype = torch.bfloat16 if bfloat16 else torch.float32
    x = (matrix.mT if tall else matrix).to(dtype, copy=True)
    x.div_(x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7))
    wide = x.shape[-1] > 2 * x.shape[-2]  # else as they stand they cost no more
    for steps in (2, 3) if wide else (1, 1, 1, 1, 1):
        x = newton_schulz(x, steps)
    return x.mT if tall else x


def newton_schulz(x: Tensor, steps: int) -> Tensor:
    """Several steps X <- (a + F) X of [..., rows, columns], where F = b G + c G^2 and G = X X^T.

    Of G itself a step makes (a + F) G (a + F), as all of these commute.
    """
    a, b, c = NEWTON_SCHULZ
    add_product = torch.baddbmm if x.ndim == 3 else torch.addmm
    gram = x @ x.mT
    factor = add_product(gram, gram, gram, beta=b, alpha=c)
    if steps == 1:
        return add_product(x, factor, x, beta=a)
    product = factor + a * torch.eye(gram.shape[-1], dtype=x.dtype, device=x.device)
    for _ in range(1, steps):
        gram = add_product(gram, factor, gram, beta=a)
        gram = add_product(gram, gram, factor, beta=a)
        factor = add_product(gram, gram, gram, beta=b, alpha=c)
        product = add_product(product, factor, product, beta=a)
    return product @ x


class Muon(Optimizer):
    """Nesterov momentum whose update is orthogonalised; filters count as [out, rest] matrices.

    The step is lr * scale * sqrt(max(out, rest)). A scale of 0.2 gives it AdamW's size, so that
    one learning rate serves both (arXiv 2502.16982); DC-Speech-VAE was trained with 1.0. Weight
    decay is decoupled. A step uses the gradients up. On a GPU the matrices of one shape are
    iterated as one batch; a processor that the first of them keeps busy loses by it.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        scale: float = 0.2,
        bfloat16: bool = True,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "scale": scale}
        super().__init__(params, defaults | {"bfloat16": bfloat16})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            batches: dict[Any, list[nn.Parameter]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    key = matrix_shape(parameter) if parameter.is_cuda else parameter
                    batches.setdefault(key, []).append(parameter)
            for parameters in batches.values():
                self.update(parameters, group)

    def update(self, parameters: list[nn.Parameter], group: dict[str, Any]) -> None:
        """Move parameters whose matrices have one shape."""
        directions = [self.direction(parameter, group) for parameter in parameters]
        matrices = [as_matrix(direction) for direction in directions]
        if len(matrices) > 1:
            found = orthogonalise(torch.stack(matrices), bfloat16=group["bfloat16"]).unbind()
        else:
            found = (orthogonalise(matrices[0], bfloat16=group["bfloat16"]),)
        for parameter, direction, matrix in zip(parameters, directions, found, strict=True):
            size = group["lr"] * group["scale"] * math.sqrt(max(matrix.shape))
            if group["weight_decay"]:
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.add_(as_filter(matrix, direction), alpha=-size)

    def direction(self, parameter: nn.Parameter, group: dict[str, Any]) -> Tensor:
        """Nesterov's: the gradient itself, on its way to the momentum that it has moved."""
        gradient = parameter.grad
        assert gradient is not None
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(gradient)
        momentum = state["momentum"].lerp_(gradient, 1 - group["momentum"])
        return gradient.lerp_(momentum, group["momentum"])


def matrix_shape(parameter: Tensor) -> tuple[int, int]:
    return parameter.shape[0], parameter[0].numel()


def channels_last(filters: Tensor) -> bool:
    last = filters.ndim == 4 and filters.is_contiguous(memory_format=torch.channels_last)
    return last and not filters.is_contiguous()


def as_matrix(filters: Tensor) -> Tensor:
    """[out, ...] -> [out, rest] without a copy: the order of the columns is that of the memory.

    Orthogonalising goes by the angles between rows, to which it makes no difference.
    """
    return (filters.movedim(1, -1) if channels_last(filters) else filters).flatten(1)


def as_filter(matrix: Tensor, like: Tensor) -> Tensor:
    """The matrix in the shape that `as_matrix` took it from."""
    if channels_last(like):
        return matrix.reshape(like.movedim(1, -1).shape).movedim(-1, 1)
    return matrix.reshape(like.shape)
