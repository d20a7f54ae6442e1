"""Measuring how a batch blending mixes the student's clips, to mix other views alike.

A blending (MixupBlending, CutmixBlending, RandomBatchAugment, a user's own) returns mixed clips, not what it drew. So
it is run once more, from the same random state, on a probe whose values tell which samples were mixed by how much.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.restoring import random_state_restored


@dataclass(frozen=True)
class BatchBlend:
    """How each clip of a batch was mixed: ``own * clip + other * clips[partner]``.

    Attributes:
        partner: Index of the sample mixed in, shape (N,).
        own: Weight of the sample itself by pixel, shape (N, H, W).
        other: Weight of the partner by pixel, shape (N, H, W).
    """

    partner: Tensor
    own: Tensor
    other: Tensor

    def apply(self, clips: Tensor) -> Tensor:
        """Mix a view as the student's clips were mixed, in relative coordinates.

        Args:
            clips: Clips of shape (N, ..., H', W'), any size.

        Returns:
            Mixed clips of the same shape; the same tensor when nothing was mixed.
        """
        if not self.other.any():
            return clips
        own, other = (_fit(weights, clips) for weights in (self.own, self.other))
        return own * clips + other * clips[self.partner]

    def both(self, masks: Tensor) -> Tensor:
        """Return what is there in a clip and in the one that was mixed in.

        Args:
            masks: ``(N, V)`` of 0 and 1.
        """
        return masks * masks[self.partner]


def measure_blend(blending: Callable, shape: Sequence[int], device: torch.device, data_samples: list) -> BatchBlend:
    """Measure what a blending will do to a batch; the random state is restored.

    Args:
        blending: ``blending(imgs, data_samples) -> (imgs, data_samples)``, not yet called for this batch.
        shape: Shape of the student's batch, (N, M, C, H, W) or (N, M, C, T, H, W).
        device: Device of the student's batch.
        data_samples: The batch's data samples; they are not changed.

    Returns:
        The weights of the mixing.

    Raises:
        ValueError: If the blending mixes more than two samples in one clip.
    """
    # Channels of ones, of the index i and of i * i: three equations for the partner and the two weights.
    index = torch.arange(1, shape[0] + 1, dtype=torch.float64, device=device)
    values = torch.stack([torch.ones_like(index), index, index * index], dim=1)
    probe_shape = [shape[0], 1, 3, *[1] * (len(shape) - 5), *shape[-2:]]
    probe = values.view(shape[0], 1, 3, *[1] * (len(shape) - 3)).expand(probe_shape).clone()
    with random_state_restored(device):
        # A copy: what a blending remembers between batches must advance once per batch.
        mixed, _ = copy.deepcopy(blending)(probe, [sample.clone() for sample in data_samples])
    mixed = mixed.reshape(shape[0], 3, *shape[-2:]).double()
    return _solve(blending, mixed, index)


def _solve(blending: Callable, mixed: Tensor, index: Tensor) -> BatchBlend:
    """Solve ``total = a + b``, ``first = a i + b j``, ``second = a i i + b j j`` for j, then for a and b."""
    own_index = index.view(-1, 1, 1)
    total, first, second = mixed.unbind(1)
    # b (j - i) and b (j - i) j; where nothing is mixed both are zero.
    first, second = first - own_index * total, second - own_index * first
    touched = first.abs() > 1e-9
    guess = torch.where(touched, second / torch.where(touched, first, 1.0), own_index)
    partner = torch.where(touched, guess, -1.0).flatten(1).amax(1).round()
    partner = torch.where(partner > 0, partner, index)
    distance = (partner - index).view(-1, 1, 1)
    other = torch.where(touched, first / torch.where(distance == 0, 1.0, distance), 0.0)
    residual = (second - partner.view(-1, 1, 1) * first).abs().amax()
    if residual > 1e-9 * len(index) ** 2:
        raise WrongValueError(
            f'{type(blending).__name__} mixes more than two samples in one clip, so teachers with a view of their own '
            'cannot follow it; use MixupBlending, CutmixBlending or RandomBatchAugment'
        )
    return BatchBlend((partner - 1).long(), (total - other).float(), other.float())


def _fit(weights: Tensor, clips: Tensor) -> Tensor:
    """Bring weights (N, H, W) to the size of clips, (N, 1, ..., 1, H', W') or all ones where they are constant."""
    corner = weights[:, :1, :1]
    if torch.equal(weights, corner.expand_as(weights)):
        weights = corner
    elif weights.shape[-2:] != clips.shape[-2:]:
        weights = F.interpolate(weights[:, None], size=clips.shape[-2:], mode='nearest')[:, 0]
    return weights.view(weights.shape[0], *[1] * (clips.ndim - 3), *weights.shape[-2:]).to(clips.dtype)
