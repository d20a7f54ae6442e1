"""Running statistics of batch norms, which differ between processes within an epoch."""

from collections.abc import Mapping, Sequence

from mmengine.dist import all_gather_object, get_rank, get_world_size
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

KEY = 'rank_statistics'  # a checkpoint's top-level key


def gather_statistics(model: nn.Module) -> list[dict[str, Tensor]] | None:
    """Return the statistics of every process by name, in order of rank; None where there is one process.

    Args:
        model: The model without its wrapper.
    """
    return all_gather_object(dict(_statistics(model))) if get_world_size() > 1 else None


def take_statistics(model: nn.Module, gathered: Sequence[Mapping[str, Tensor]]) -> None:
    """Restore this process's own statistics; nothing where the number of processes has changed.

    Args:
        model: The model without its wrapper; it is changed.
        gathered: Statistics that :func:`gather_statistics` returned.
    """
    if len(gathered) != get_world_size():
        return
    mine = gathered[get_rank()]
    for name, buffer in _statistics(model, copy=False).items():
        if name in mine and mine[name].shape == buffer.shape:
            buffer.copy_(mine[name])


def _statistics(model: nn.Module, copy: bool = True) -> dict[str, Tensor]:
    named = ((name, module) for name, module in model.named_modules() if isinstance(module, _BatchNorm))
    found = {f'{name}.{key}': buffer for name, module in named for key, buffer in module.named_buffers(recurse=False)}
    return {name: buffer.detach().cpu().clone() for name, buffer in found.items()} if copy else found
