"""A student's weights with places for new classes."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mmkd_video.core.mistakes import WrongValueError

STD = 0.01  # of a classifier's first weights, as MMAction2's heads have it


def widened(weights: Mapping[str, Tensor], model: nn.Module, seed: int, std: float = STD) -> dict[str, Tensor]:
    """Return the weights of an old student in the shapes of one with more classes.

    What has a row for each class keeps those of the old ones, which come first; new rows of a matrix are drawn, new
    entries of a bias are zero. All else is taken as it is.

    Args:
        weights: Weights of the old student.
        model: A model of the same architecture with at least as many classes; it is not changed.
        seed: Seed of the rows that are drawn.
        std: Their standard deviation.

    Raises:
        ValueError: The two differ in more than the number of classes.
    """
    weights = {key.removeprefix('module.'): value for key, value in weights.items()}
    own = model.state_dict()
    draw = torch.Generator().manual_seed(seed)
    found, wrong = {}, [key for key in weights if key not in own and not key.startswith('data_preprocessor.')]
    for key, place in own.items():
        if key not in weights:
            if key.endswith('num_batches_tracked'):
                continue
            wrong.append(key)
        elif weights[key].shape == place.shape:
            found[key] = weights[key]
        elif _has_more_rows(weights[key], place):
            found[key] = _with_rows(weights[key], len(place), std, draw)
        else:
            wrong.append(f'{key} {tuple(weights[key].shape)} instead of {tuple(place.shape)}')
    if wrong:
        raise WrongValueError(
            f'model.student: differs from the old student in more than its classes, in {len(wrong)} weights '
            f'{wrong[:2]}; expected the same backbone and head with another num_classes'
        )
    return found


def _has_more_rows(old: Tensor, new: Tensor) -> bool:
    return old.ndim > 0 and old.ndim == new.ndim and old.shape[1:] == new.shape[1:] and len(old) < len(new)


def _with_rows(old: Tensor, rows: int, std: float, draw: torch.Generator) -> Tensor:
    shape = (rows - len(old), *old.shape[1:])
    added = torch.randn(shape, generator=draw) * std if old.ndim > 1 else torch.zeros(shape)
    return torch.cat([old, added.to(old.dtype)])
