"""State that is restored after a block: the modes of modules, and the global random generators."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn


def get_random_state(device: torch.device | None = None) -> dict[str, Any]:
    """Take the state of the generators of python, numpy and torch.

    Args:
        device: Device whose torch generator is included if it is a CUDA device.
    """
    state = dict(python=random.getstate(), numpy=np.random.get_state(), torch=torch.get_rng_state())
    if device is not None and device.type == 'cuda':
        state['cuda'] = (device, torch.cuda.get_rng_state(device))
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Restore a state from :func:`get_random_state`."""
    random.setstate(state['python'])
    np.random.set_state(state['numpy'])
    torch.set_rng_state(state['torch'])
    if 'cuda' in state:
        device, cuda = state['cuda']
        torch.cuda.set_rng_state(cuda, device)


@contextmanager
def random_state_restored(device: torch.device | None = None) -> Iterator[None]:
    """Restore the global generators after the block, whatever it draws."""
    state = get_random_state(device)
    try:
        yield
    finally:
        set_random_state(state)


def seed_everything(*numbers: int, cuda: bool = False) -> None:
    """Seed the generators of python, numpy and torch from several numbers.

    The numbers are mixed by numpy's ``SeedSequence`` (https://numpy.org/doc/stable/reference/random/parallel.html),
    because sums of them collide: (seed 0, epoch 1) would draw what (seed 1, epoch 0) drew.

    Args:
        numbers: Numbers that the draws shall follow from; not negative.
        cuda: Whether to seed torch's CUDA generators too.
    """
    words = np.random.SeedSequence(numbers).generate_state(8)
    random.seed(words[:4].tobytes())
    np.random.seed(words[4:6])
    seed = int(words[6]) << 32 | int(words[7])
    torch.default_generator.manual_seed(seed)
    if cuda and torch.cuda.is_available():
        torch.cuda.manual_seed_all(seed)


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Keep a model in eval mode while the block runs; every module gets its mode back, no BN statistic changes."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


@contextmanager
def in_eval(model: nn.Module) -> Iterator[None]:
    """Run a model in :func:`eval_mode` without gradients."""
    with eval_mode(model), torch.no_grad():
        yield
