"""What all processes of a training must know alike."""

import torch
from mmengine.dist import all_reduce, get_world_size


def on_any_rank(flag: bool) -> bool:
    """Return whether something is so on any process; every process must ask at the same point.

    Args:
        flag: Whether it is so on this one.
    """
    if get_world_size() == 1:
        return flag
    flags = torch.tensor([int(flag)])
    all_reduce(flags, op='max')
    return bool(flags.item())
