"""Momentum of parameters that have lost channels."""

from collections.abc import Mapping

from torch import Tensor
from torch.optim import Optimizer


def cut_optimizer_state(optimizer: Optimizer, changed: Mapping[Tensor, list[tuple[int, Tensor]] | None]) -> None:
    """Cut the optimizer's state of each parameter, such as momentum, as the parameter itself was cut.

    Args:
        optimizer: Optimizer that holds the same parameter objects as before.
        changed: The change of each parameter: the dimensions that shrank and the indices kept there; None forgets all.
    """
    for parameter, cuts in changed.items():
        state = optimizer.state.get(parameter)
        if not state:
            continue
        tensors = {key: value for key, value in state.items() if isinstance(value, Tensor) and value.ndim}
        if cuts is None or any(not _fits(value, parameter, cuts) for value in tensors.values()):
            del optimizer.state[parameter]  # it starts anew, as for a new parameter
            continue
        for key, value in tensors.items():
            for dim, kept in cuts:
                value = value.index_select(dim, kept)
            state[key] = value


def _fits(value: Tensor, parameter: Tensor, cuts: list[tuple[int, Tensor]]) -> bool:
    """Return whether a remembered tensor has the shape that the parameter had."""
    if value.ndim != parameter.ndim:
        return False
    cut = {dim: int(kept.max()) for dim, kept in cuts}
    sizes = enumerate(zip(value.shape, parameter.shape, strict=True))
    return all(
        before > cut[dim] and before > after if dim in cut else before == after for dim, (before, after) in sizes
    )
