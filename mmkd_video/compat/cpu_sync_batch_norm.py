"""A config with SyncBN (R2Plus1D's) under DDP on CPU: ``SyncBatchNorm layers only work with GPU modules``.

Cause: torch implements the synchronised statistics for accelerators only, and both DDP and the layer check for one.

Fix: for a CPU tensor in distributed training, and only there, the statistics are taken over all ranks by two gloo
reductions, and DDP's check lets a module on the CPU pass. It is the same definition (Ioffe and Szegedy,
https://arxiv.org/abs/1502.03167, over the global batch), so a run on CPU does not silently become one with per-process
statistics. It is not meant to be fast.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from mmkd_video.compat.patching import after_import, wrap


def _sum_over_ranks(tensor: Any, group: Any) -> Any:
    import torch

    class SumOverRanks(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, value: Any) -> Any:
            total = value.contiguous().clone()
            torch.distributed.all_reduce(total, group=group)
            return total

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            total = gradient.contiguous().clone()
            torch.distributed.all_reduce(total, group=group)
            return total

    return SumOverRanks.apply(tensor)


def _update_running(norm: Any, mean: Any, variance: Any, count: Any) -> None:
    if not norm.track_running_stats:
        return
    norm.num_batches_tracked.add_(1)
    factor = norm.momentum if norm.momentum is not None else 1.0 / norm.num_batches_tracked.item()
    unbiased = variance * (count / (count - 1).clamp_min(1))
    norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), factor)
    norm.running_var.lerp_(unbiased.to(norm.running_var.dtype), factor)


def _forward_on_cpu(norm: Any, inputs: Any) -> Any:
    """Normalise (N, C, ...) with the mean and variance of each channel over all ranks, in float32."""
    import torch

    norm._check_input_dim(inputs)
    norm._check_non_zero_input_channels(inputs)
    group = norm.process_group or torch.distributed.group.WORLD
    dims = [0, *range(2, inputs.dim())]
    shape = [1, -1] + [1] * (inputs.dim() - 2)
    with torch.autocast('cpu', enabled=False):
        values = inputs.float() if inputs.dtype in (torch.bfloat16, torch.float16) else inputs
        count = values.new_tensor([values.numel() / values.shape[1]])
        sums = _sum_over_ranks(torch.cat([values.sum(dims), count]), group)
        total = sums[-1:].detach()
        mean = sums[:-1] / total
        centred = values - mean.view(shape)
        variance = _sum_over_ranks(centred.square().sum(dims), group) / total
        with torch.no_grad():
            _update_running(norm, mean, variance, total)
        output = centred * (variance + norm.eps).rsqrt().view(shape)
        if norm.affine:
            output = output * norm.weight.view(shape)
            if norm.bias is not None:
                output = output + norm.bias.view(shape)
    return output.to(inputs.dtype)


def _on_cpu_too(forward: Callable) -> Callable:
    import torch

    def patched(self: Any, input: Any) -> Any:
        distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
        if self.training and distributed and input.device.type == 'cpu':
            return _forward_on_cpu(self, input)
        return forward(self, input)

    return patched


def _not_on_cpu(check: Callable) -> Callable:
    def patched(self: Any, module: Any) -> None:
        if self.device_type != 'cpu':
            check(self, module)

    return patched


def _patch(_: ModuleType) -> None:
    import torch

    wrap(torch.nn.SyncBatchNorm, 'forward', _on_cpu_too)
    if hasattr(torch.nn.parallel.DistributedDataParallel, '_passing_sync_batchnorm_handle'):
        wrap(torch.nn.parallel.DistributedDataParallel, '_passing_sync_batchnorm_handle', _not_on_cpu)


def applies() -> bool:
    """Return whether models are on the CPU here."""
    import torch

    return not torch.cuda.is_available()


def apply() -> None:
    """Extend ``SyncBatchNorm.forward`` when MMEngine's model wrappers are imported: without them there is no DDP."""
    after_import('mmengine.model.wrappers.distributed', _patch)
