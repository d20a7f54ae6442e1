"""Zeros in weights that keep their shape: a research option.

Masks bring no speed by themselves: dense kernels multiply zeros like any other number, and no runtime used here
(PyTorch, ONNX Runtime, OpenVINO on a CPU) skips them in convolutions. They tell how many weights a model could do
without. For a smaller and faster model, remove channels with :func:`mmkd_video.pruning.prune`.
"""

import re
from collections.abc import Sequence
from fnmatch import fnmatch

import torch
from torch import Tensor, nn
from torch.nn.utils import prune as torch_prune

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.pruning.layers import Conv


def mask_weights(
    model: nn.Module, pattern: str = 'unstructured', ratio: float = 0.5, keep: Sequence[str] = ()
) -> dict[str, float]:
    """Keep the smallest weights of convolutions and linear layers at zero; this alone makes nothing faster.

    Each masked layer gets ``weight_orig`` and ``weight_mask`` (``torch.nn.utils.prune``), so training goes on under the
    mask, but the ``state_dict`` has other keys until :func:`bake_masks` is called.

    Args:
        model: Model that is changed in place; optimizers go on holding the same parameters.
        pattern: ``'unstructured'``: the smallest weights of all layers together (Han et al.,
            https://arxiv.org/abs/1506.02626). ``'2:4'`` or any ``'n:m'``: of each m weights that follow each other
            along a filter's inputs, the n largest stay (Mishra et al., https://arxiv.org/abs/2104.08378).
        ratio: Fraction of zeros for ``'unstructured'``; ``'n:m'`` has its own.
        keep: Names or patterns of layers that stay whole.

    Returns:
        Fraction of zeros by layer.

    Raises:
        ValueError: The pattern or the ratio is out of range, or there is nothing to mask.
    """
    layers = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, (Conv, nn.Linear)) and not any(fnmatch(name, each) for each in keep)
    }
    if not layers:
        raise WrongValueError(
            f'{type(model).__name__} has no convolution or linear layer to mask outside keep={list(keep)}'
        )
    if pattern == 'unstructured':
        if not 0 < ratio < 1:
            raise WrongValueError(f'ratio: got {ratio!r}; expected the fraction of zeros, between 0 and 1')
        masks = _smallest_of_all(layers, ratio)
    else:
        largest, of = _read(pattern)
        masks = {name: _largest_of_each(layer.weight.detach(), largest, of) for name, layer in layers.items()}
    for name, layer in layers.items():
        torch_prune.custom_from_mask(layer, 'weight', masks[name])
    return {name: 1 - mask.float().mean().item() for name, mask in masks.items()}


def bake_masks(model: nn.Module) -> None:
    """Write the zeros into the weights and take the masks away: the ``state_dict`` has its plain keys again.

    Args:
        model: Model that is changed in place.
    """
    for module in model.modules():
        if isinstance(module, (Conv, nn.Linear)) and torch_prune.is_pruned(module):
            torch_prune.remove(module, 'weight')


def _smallest_of_all(layers: dict[str, nn.Module], ratio: float) -> dict[str, Tensor]:
    sizes = torch.cat([layer.weight.detach().abs().flatten() for layer in layers.values()])
    order = torch.zeros_like(sizes, dtype=torch.bool)
    order[sizes.argsort(stable=True)[int(ratio * len(sizes)) :]] = True
    parts = order.split([layer.weight.numel() for layer in layers.values()])
    return {name: part.view_as(layer.weight) for (name, layer), part in zip(layers.items(), parts, strict=True)}


def _largest_of_each(weight: Tensor, largest: int, of: int) -> Tensor:
    """Return a mask of the n largest of each m weights along a filter's inputs; a rest shorter than m stays whole."""
    flat = weight.abs().movedim(1, -1).flatten(0, -2)  # (filters x positions, inputs)
    whole = flat.shape[1] - flat.shape[1] % of
    groups = flat[:, :whole].unflatten(1, (-1, of)) if whole else flat.new_zeros(flat.shape[0], 0, of)
    stays = torch.zeros_like(groups, dtype=torch.bool).scatter(2, groups.topk(largest, dim=2).indices, True)
    mask = torch.cat([stays.flatten(1), torch.ones_like(flat[:, whole:], dtype=torch.bool)], dim=1)
    return mask.view(*weight.movedim(1, -1).shape).movedim(-1, 1)


def _read(pattern: str) -> tuple[int, int]:
    match = re.fullmatch(r'(\d+):(\d+)', pattern) if isinstance(pattern, str) else None
    if match is None or not 0 < int(match[1]) < int(match[2]):
        raise WrongValueError(
            f"pattern: got {pattern!r}; expected 'unstructured', or 'n:m' with 0 < n < m, such as '2:4'"
        )
    return int(match[1]), int(match[2])
