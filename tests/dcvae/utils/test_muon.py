import pytest
import torch
from torch import nn

from dcvae.utils.muon import Muon, orthogonalise

# A step of Newton-Schulz makes up to 3.4445 of what was rounded before it where a singular value is
# small; five of them, of entries below 1, in float32. Bfloat16 in its place gives 1e-2.
ORTHOGONAL = 3.4445**5 * torch.finfo(torch.float32).eps  # 5.8e-5


def test_orthogonalise_keeps_singular_vectors_and_evens_singular_values():
    """Against the SVD: U V^T up to the band of singular values that the iteration leaves."""
    matrix = torch.randn(24, 40, generator=torch.Generator().manual_seed(0))
    for given in (matrix, matrix.T):
        u, _, v = torch.linalg.svd(given, full_matrices=False)
        ours = u.T @ orthogonalise(given).float() @ v.T
        diagonal = torch.diagonal(ours)
        assert diagonal.min() > 0.6
        assert diagonal.max() < 1.3
        assert (ours - torch.diag(diagonal)).abs().max() < 0.1


@pytest.mark.parametrize(("rows", "columns"), [(24, 40), (16, 144), (144, 16)])
def test_several_steps_at_once_are_the_steps_one_by_one(rows, columns):
    """The quintic as its authors write it, in float64; singular values over two decades."""
    matrix = torch.randn(rows, columns, generator=torch.Generator().manual_seed(0))
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    matrix = u * torch.logspace(0, -2, min(rows, columns)) @ v
    x = matrix.double() / matrix.norm()
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x - 4.7750 * gram @ x + 2.0315 * gram @ gram @ x
    found = orthogonalise(matrix, bfloat16=False).double()
    torch.testing.assert_close(found, x, rtol=0, atol=ORTHOGONAL)
    assert (orthogonalise(matrix) - x).norm() < 0.1 * x.norm()


def test_muon_equals_torchs_on_matrices():
    """torch.optim.Muon takes matrices alone; its match_rms_adamw is our scale of 0.2."""
    start = torch.randn(16, 48, generator=torch.Generator().manual_seed(0))
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    mine = Muon([ours], lr=0.02, momentum=0.95, weight_decay=0.1)
    reference = torch.optim.Muon(
        [theirs], lr=0.02, momentum=0.95, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"
    )
    target = torch.randn(16, 48, generator=torch.Generator().manual_seed(1))
    for _ in range(5):
        for parameter, optimizer in ((ours, mine), (theirs, reference)):
            optimizer.zero_grad()
            (parameter - target).square().sum().backward()
            optimizer.step()
    way = (theirs - start).norm()
    assert way > 0.5
    assert (ours - theirs).norm() < 0.03 * way  # the iterations round in bfloat16


def test_muon_at_the_published_scale_equals_torchs_at_five_times_the_rate():
    """sqrt(max dim) at scale 1 is five times torch's 0.2 sqrt(max dim); decay goes by rate alone.

    A tall matrix and a single column, which is how the published way takes weight norm's gains.
    """
    for rows, columns in ((48, 16), (32, 1)):
        start = torch.randn(rows, columns, generator=torch.Generator().manual_seed(0))
        ours, theirs = nn.Parameter(start.clone()[..., None, None]), nn.Parameter(start.clone())
        mine = Muon([ours], lr=0.004, momentum=0.95, weight_decay=0.5, scale=1.0)
        reference = torch.optim.Muon(
            [theirs], lr=0.02, momentum=0.95, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"
        )
        for _ in range(5):
            ours.grad, theirs.grad = ours.detach() - 1, theirs.detach() - 1
            mine.step()
            reference.step()
        way = (theirs - start).norm()
        assert way > 0.1
        assert (ours.flatten(1) - theirs).norm() < 0.03 * way


def test_muon_takes_a_filter_as_its_matrix_in_any_memory_format():
    start = torch.randn(8, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    filters = nn.Parameter(start.clone().to(memory_format=torch.channels_last))
    matrix = nn.Parameter(start.flatten(1).clone())
    for parameter in (filters, matrix):
        parameter.grad = (parameter.detach() * 2 + 1).clone()
        # in float32: the columns come in another order, sums too
        Muon([parameter], lr=0.1, bfloat16=False).step()
    assert (matrix - start.flatten(1)).abs().max() > 1e-2
    torch.testing.assert_close(filters.flatten(1), matrix, rtol=0, atol=ORTHOGONAL)


@pytest.mark.parametrize("bfloat16", [True, False])
@pytest.mark.parametrize("shape", [(8, 24), (24, 8)])
def test_a_batch_of_matrices_is_one_after_the_other(shape, bfloat16):
    matrices = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
    alone = torch.stack([orthogonalise(one, bfloat16=bfloat16) for one in matrices])
    together = orthogonalise(matrices, bfloat16=bfloat16)
    # a batch's products may round otherwise; bfloat16's as much as they are off the exact above
    if bfloat16:
        assert (together - alone).norm() < 0.1 * alone.norm()
    else:
        torch.testing.assert_close(together, alone, rtol=0, atol=ORTHOGONAL)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_parameters_updated_together_move_as_they_do_alone(memory_format):
    generator = torch.Generator().manual_seed(0)
    starts = [torch.randn(8, 4, 3, 3, generator=generator) for _ in range(3)]
    moved = []
    for batched in (False, True):
        params = [nn.Parameter(s.clone().to(memory_format=memory_format)) for s in starts]
        for parameter in params:
            parameter.grad = parameter.detach() * 2 + 1
        muon = Muon(params, lr=0.1, bfloat16=False)
        if batched:
            with torch.no_grad():
                muon.update(params, muon.param_groups[0])
        else:
            muon.step()
        moved.append(torch.stack([parameter.detach() for parameter in params]))
    assert (moved[0] - torch.stack(starts)).abs().max() > 1e-3
    torch.testing.assert_close(*moved, rtol=0, atol=ORTHOGONAL)
