"""Gradients that are computed by hand, averaged over all ranks and handed to an optimizer."""

from collections.abc import Sequence

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor

from mmkd_video.core.mistakes import WrongValueError


def average_over_ranks(gradients: Sequence[Tensor]) -> list[Tensor]:
    """Return the mean of gradients over all ranks, from one exchange.

    DDP waits for a backward pass through its own forward; what is differentiated here never went through it.

    Args:
        gradients: One for each parameter, in the same order on all ranks.
    """
    if get_world_size() == 1 or not gradients:
        return list(gradients)
    flat = torch.cat([each.float().flatten() for each in gradients])
    all_reduce(flat, op='mean')
    parts = flat.split([each.numel() for each in gradients])
    return [part.view_as(each).to(each.dtype) for part, each in zip(parts, gradients, strict=True)]


def step(wrapper: OptimWrapper, parameters: Sequence[Tensor], gradients: Sequence[Tensor]) -> None:
    """Let an optimizer wrapper take a step along gradients, with its clipping and its accumulation.

    Args:
        wrapper: The wrapper.
        parameters: Parameters to move.
        gradients: Gradient of each.
    """
    # the derivative of this is exactly the gradients
    wrapper.update_params(torch.stack([(p * g).sum() for p, g in zip(parameters, gradients, strict=True)]).sum())


def expect_plain_optimizer(wrapper: OptimWrapper) -> None:
    """Refuse wrappers whose steps are not those of one optimizer in float32 or bfloat16.

    Args:
        wrapper: The runner's.

    Raises:
        ValueError: There are several optimizers, or a gradient scaler.
    """
    if isinstance(wrapper, OptimWrapperDict):
        raise WrongValueError(f'optim_wrapper: got {len(wrapper)} optimizers; expected one')
    scaler = getattr(wrapper, 'loss_scaler', None)
    if scaler is not None and scaler.is_enabled() and getattr(wrapper, 'cast_dtype', None) is not torch.bfloat16:
        raise WrongValueError(
            "optim_wrapper: got float16, whose losses are scaled; expected dict(type='AmpOptimWrapper', "
            "dtype='bfloat16'), as steps within an episode are not scaled"
        )
