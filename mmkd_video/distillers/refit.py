"""A training state for a student that has lost channels: what still fits stays, the rest is cut or new."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from mmkd_video.distillers.training_state import TrainingState

TensorCuts = dict[Tensor, list[tuple[int, Tensor]] | None]


class ReadsStudent(Protocol):
    """A teacher, whose state may depend on the student's channels where it reads them."""

    student_taps: Sequence[str]


def transplant(
    old: TrainingState,
    new: TrainingState,
    kept: Mapping[str, Tensor],
    teachers: Mapping[str, ReadsStudent] | None = None,
) -> TensorCuts:
    """Put the parameters and buffers of an old training state, cut to fit, into a new one.

    A dimension that shrank from ``C`` to ``C'`` is cut to the student's surviving channels where a tap of that term, or
    one that the teacher reads, lost as many; other tensors of another shape take the new values. A parameter that both
    have stays the same object.

    Args:
        old: Training state of the student before.
        new: Training state of the student now, freshly built; changed in place.
        kept: ``(C,)`` by student tap: which of the former channels are still there.
        teachers: The teachers by name.

    Returns:
        Each parameter whose shape changed, with the dimensions and the indices kept there; None if it is new.
    """
    changed: TensorCuts = {}
    new.train(old.training)
    for kind in ('_parameters', '_buffers'):
        ours = {name: tensor for name, tensor in _named(old, kind)}
        for name, fresh in list(_named(new, kind)):
            if name not in ours:
                continue
            mine = ours[name]
            if mine.shape != fresh.shape:
                cuts = _cuts_for(mine, fresh, _masks(new, name, kept, teachers or {}))
                _fit(mine, fresh, cuts)
                changed |= {mine: cuts} if isinstance(mine, nn.Parameter) else {}
            parent, _, leaf = name.rpartition('.')
            getattr(new.get_submodule(parent), kind)[leaf] = mine
    return changed


def _named(state: nn.Module, kind: str) -> list[tuple[str, Tensor]]:
    return list(state.named_parameters() if kind == '_parameters' else state.named_buffers())


def _masks(
    state: TrainingState, name: str, kept: Mapping[str, Tensor], teachers: Mapping[str, ReadsStudent]
) -> list[Tensor]:
    """Return the surviving channels of the student taps that a tensor of a term, or of a teacher, may depend on."""
    kind, owner, part, *rest = name.split('.')
    if kind != 'terms':
        taps = list(teachers[owner].student_taps) if owner in teachers else []
    else:
        pairs = state.terms[owner].pairs
        taps = [pair.taps[0] for pair in ([pairs[int(rest[0])]] if part == 'pairs' else pairs)]
    return [kept[tap] for tap in taps if tap in kept]


def _cuts_for(old: Tensor, new: Tensor, masks: list[Tensor]) -> list[tuple[int, Tensor]] | None:
    if old.ndim != new.ndim:
        return None
    cuts = []
    for dim, (before, after) in enumerate(zip(old.shape, new.shape, strict=True)):
        if before == after:
            continue
        fitting = [mask for mask in masks if len(mask) == before and int(mask.sum()) == after]
        if not fitting or any(not torch.equal(fitting[0], other) for other in fitting[1:]):
            return None
        cuts.append((dim, fitting[0].nonzero().flatten().to(old.device)))
    return cuts


def _fit(tensor: Tensor, fresh: Tensor, cuts: list[tuple[int, Tensor]] | None) -> None:
    gradient, tensor.grad = tensor.grad, None
    if cuts is None:
        tensor.data = fresh.data.to(tensor.device)
        return
    for dim, indices in cuts:
        tensor.data = tensor.data.index_select(dim, indices)
        gradient = None if gradient is None else gradient.index_select(dim, indices)
    tensor.grad = gradient
