"""Gradient descent that can itself be differentiated."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor


def descend(
    parameters: Mapping[str, Tensor],
    loss_of: Callable[[Mapping[str, Tensor], int], Tensor],
    steps: int,
    rate: float,
    differentiable: bool = True,
) -> dict[str, Tensor]:
    """Return parameters after some steps of gradient descent; the given ones stay as they are.

    Each step is ``p - rate * d loss / d p``. Finn et al., Model-Agnostic Meta-Learning, ICML 2017
    (https://arxiv.org/abs/1703.03400), equation 1.

    Args:
        parameters: The starting point, by name.
        loss_of: Function of parameters and the number of the step, from 0, that returns a 0-d loss.
        steps: Number of steps.
        rate: Learning rate.
        differentiable: Whether the result depends on the given parameters through the gradients too (second order). If
            not, these are constants, and the derivative of the result is the identity (first order).

    Returns:
        The adapted parameters by name. One that the loss does not depend on is returned as it is.
    """
    current = dict(parameters)
    for step in range(steps):
        found = torch.autograd.grad(
            loss_of(current, step), list(current.values()), create_graph=differentiable, allow_unused=True
        )
        current = {
            name: value if slope is None else value - rate * slope
            for (name, value), slope in zip(current.items(), found, strict=True)
        }
    return current
