"""What a dead layer, a constant row or a fresh classifier gives: values and gradients that a training survives."""

from collections.abc import Callable

import pytest
import torch
from loss_cases import CASES, LossCase

Features = torch.Tensor | list[torch.Tensor]


def with_first(dim: int, change: Callable) -> Callable:
    """Return what changes the first slice along ``dim``; a tensor without it is left alone."""

    def changed(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.ndim <= dim:
            return tensor
        first, rest = tensor.split([1, tensor.shape[dim] - 1], dim)
        return torch.cat([change(first), rest], dim)

    return changed


def constant(tensor: torch.Tensor) -> torch.Tensor:
    return torch.full_like(tensor, 0.3)


DEGENERATE = {
    'all zero': torch.zeros_like,
    'all one constant': lambda tensor: torch.full_like(tensor, 3.7),
    'constant but for rounding': lambda tensor: 0.3 + 1e-7 * tensor,
    'all clips alike': lambda tensor: tensor[:1].expand_as(tensor).clone(),
    'all clips alike but for rounding': lambda tensor: tensor[:1] + 1e-7 * tensor,
    'a clip of zeros': with_first(0, torch.zeros_like),
    'a constant clip': with_first(0, constant),
    'a channel of zeros': with_first(1, torch.zeros_like),
    'a channel that is constant but for rounding': with_first(1, lambda channel: 0.3 + 1e-7 * channel),
}


def apply(features: Features, change: Callable) -> Features:
    return change(features) if isinstance(features, torch.Tensor) else [change(feature) for feature in features]


@pytest.mark.parametrize(('name', 'case'), [(name, cases[-1]) for name, cases in CASES.items()], ids=list(CASES))
def test_degenerate_features_have_bounded_gradients(name: str, case: LossCase) -> None:
    limit = 5e4 if name == 'RKDLoss' else 1e3  # its parts carry 25 and 50
    loss, (fine, target, keywords) = case.build(name), case.inputs()
    fine = apply(fine, lambda tensor: tensor.detach())
    for kind, change in DEGENERATE.items():
        for of_student, of_teacher in ((True, False), (False, True), (True, True)):
            student = apply(apply(fine, change if of_student else torch.clone), lambda tensor: tensor.requires_grad_())
            value = loss(student, apply(target, change) if of_teacher else target, **keywords)
            value.backward()
            for layer in [student] if isinstance(student, torch.Tensor) else student:
                assert layer.grad.isfinite().all() and layer.grad.abs().max() < limit, (kind, of_student, of_teacher)
