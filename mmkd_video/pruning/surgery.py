"""Removing channels from a model in place."""

import torch
from torch import Tensor, nn

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.pruning.cut import Cut, merge_cuts
from mmkd_video.pruning.history import PruningHistory, PruningStep, history_of
from mmkd_video.pruning.layers import channels_at, is_depthwise, reason_against_pruning, set_channels, tensors_at
from mmkd_video.pruning.shift import cut_shift, shifted_layers

TensorCuts = dict[Tensor, list[tuple[int, Tensor]]]
"""Each changed parameter with the dimensions that shrank and the indices kept there, in order."""


def remove_channels(model: nn.Module, cuts: list[Cut]) -> TensorCuts:
    """Remove channels; every parameter stays the same object, so optimizers and averages go on holding it.

    Args:
        model: Model that is changed in place.
        cuts: Cuts, counted on the model as it is now.

    Returns:
        The change of each parameter, for state of its shape (momentum).

    Raises:
        ValueError: The cuts belong to another model; nothing was changed.
    """
    cuts = merge_cuts(cuts)
    layers = dict(model.named_modules())
    for cut in cuts:
        _check(cut, layers.get(cut.layer))
    shifts = shifted_layers(model)
    changed: TensorCuts = {}
    for cut in cuts:
        layer = layers[cut.layer]
        if cut.side == 'in' and cut.layer in shifts:
            cut_shift(shifts[cut.layer], cut.size, cut.removed)
        for _, tensor, dim in tensors_at(layer, cut.side):
            kept = torch.tensor(cut.kept(), device=tensor.device)
            shrink(tensor, dim, kept)
            if isinstance(tensor, nn.Parameter):
                changed.setdefault(tensor, []).append((dim, kept))
        set_channels(layer, cut.side, cut.size - len(cut.removed))
    return changed


def apply_step(model: nn.Module, step: PruningStep) -> TensorCuts:
    """Apply one pruning step to a model and add it to the model's history.

    Args:
        model: Model that is changed in place.
        step: Step that was found on this model, or read from a history.

    Raises:
        ValueError: The step belongs to another model; nothing was changed.
    """
    changed = remove_channels(model, step.cuts)
    model.pruning_history = PruningHistory([*history_of(model).steps, step])
    return changed


def replay(model: nn.Module, history: PruningHistory) -> list[TensorCuts]:
    """Repeat the pruning of another model: afterwards this one takes its ``state_dict``.

    Args:
        model: Model as its config builds it, or pruned already by the first steps of ``history``. Changed in place.
        history: All steps.

    Returns:
        What happened to each parameter, for each step done.

    Raises:
        ValueError: The history belongs to another model.
    """
    done = history_of(model)
    if not history.begins_with(done):
        raise WrongValueError(
            f'this model was pruned in {len(done)} steps that are not the beginning of the {len(history)} steps of '
            'the history; start from the unpruned model'
        )
    return [apply_step(model, step) for step in history.steps[len(done) :]]


def shrink(tensor: Tensor, dim: int, kept: Tensor) -> None:
    """Keep some indices of one dimension of a tensor, in place, and of its gradient.

    Args:
        tensor: A parameter or a buffer.
        dim: The dimension.
        kept: Indices that stay.
    """
    gradient, tensor.grad = tensor.grad, None
    tensor.data = tensor.data.index_select(dim, kept)
    if gradient is not None:
        tensor.grad = gradient.index_select(dim, kept)


def _check(cut: Cut, layer: nn.Module | None) -> None:
    if layer is None:
        raise WrongValueError(
            f'the pruning history names a layer {cut.layer!r} which this model lacks: it is of another one'
        )
    reason = reason_against_pruning(layer)
    if reason is not None:
        raise WrongValueError(f'{cut.layer!r} is {reason}, of which no channels can be removed')
    found = channels_at(layer, cut.side)
    if found != cut.size:
        raise WrongValueError(
            f'the pruning history removes {len(cut.removed)} of {cut.size} channels ({cut.side}) of {cut.layer!r}, but '
            f'this model has {found}: history and model do not belong together (width, depth, or pruned before)'
        )
    if cut.side == 'in' and is_depthwise(layer):
        raise WrongValueError(f'{cut.layer!r} is depthwise: its one side is named out')
