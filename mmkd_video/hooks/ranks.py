"""Questions on which all processes of a training must agree."""

import torch
from mmengine.dist import all_reduce, get_world_size


def on_any_rank(flag: bool) -> bool:
    """Return whether a flag is set on any process; every process must ask at the same point.

    Args:
        flag: The flag of this process.
    """
    if get_world_size() == 1:
        return flag
    flags = torch.tensor([int(flag)])
    all_reduce(flags, op='max')
    return bool(flags.item())
