"""A batch joined over all processes, with gradients."""

import torch
import torch.distributed as dist
from torch import Tensor

from mmkd_video.core.mistakes import WrongValueError

__all__ = ['gather_batch']


class _GatherBatch(torch.autograd.Function):
    """All-gather whose backward sums over the processes.

    DDP averages gradients; every process computes the loss of the joined batch, so the sum makes the averaged gradient
    that of one process on the joined batch.
    """

    @staticmethod
    def forward(ctx, tensor: Tensor) -> Tensor:
        ctx.batch = tensor.shape[0]
        parts = [torch.empty_like(tensor) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, tensor.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        gradient = gradient.contiguous().clone()
        dist.all_reduce(gradient)
        start = dist.get_rank() * ctx.batch
        return gradient[start : start + ctx.batch]


def gather_batch(tensor: Tensor) -> Tensor:
    """Return the tensors of all processes, joined along the batch in order of rank.

    Without a process group, or with one process, the tensor itself is returned.

    Args:
        tensor: ``(N, ...)``; the same shape on every process.

    Returns:
        ``(world size * N, ...)``.

    Raises:
        ValueError: The batches of the processes differ in size.
    """
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return tensor
    _compare_sizes(tensor)
    return _GatherBatch.apply(tensor)


def _compare_sizes(tensor: Tensor) -> None:
    """Refuse batches of differing sizes, with which the processes would wait for ever or read foreign memory."""
    mine = torch.tensor([len(tensor)], device=tensor.device)
    sizes = [torch.empty_like(mine) for _ in range(dist.get_world_size())]
    dist.all_gather(sizes, mine)
    found = [int(size) for size in sizes]
    if len(set(found)) > 1:
        raise WrongValueError(
            f'gather: got batches of {found} clips on the {len(found)} processes, expected equal ones; give all the '
            'same batch_size, and drop_last=True where the last batch differs'
        )
