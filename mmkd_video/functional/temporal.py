"""What changes between the frames of a clip, and where and when it is active."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmkd_video.functional.gram import gram
from mmkd_video.functional.normalize import LEAST_SPREAD, mean_norm, unit

__all__ = [
    'frame_importance',
    'frame_vectors',
    'per_frame_attention',
    'space_time_attention',
    'temporal_difference',
    'temporal_order',
    'temporal_relation',
]


def frame_vectors(feature: Tensor) -> Tensor:
    """Return one vector per frame, ``(N, T, C)``.

    Args:
        feature: Tokens ``(N, T, C)``, one per frame, or clip map ``(N, C, T, H, W)``, averaged over space.
    """
    return feature if feature.ndim == 3 else feature.mean((3, 4)).transpose(1, 2)


def _time_first(feature: Tensor) -> Tensor:
    return feature if feature.ndim == 3 else feature.transpose(1, 2)


def temporal_difference(student: Tensor, teacher: Tensor) -> Tensor:
    """Compare the changes between consecutive frames.

    Args:
        student: Tokens ``(N, T, C)`` or clip map ``(N, C, T, H, W)``.
        teacher: The same shape.

    Returns:
        The mean squared difference of the two ``f[t + 1] - f[t]``; a scalar, zero with zero gradient for one frame.
    """
    error = _time_first(student) - _time_first(teacher)
    if error.shape[1] == 1:
        return error.sum() * 0
    return error.diff(dim=1).square().mean()


def temporal_relation(student: Tensor, teacher: Tensor) -> Tensor:
    """Compare the cosine similarity of every two frames of a clip.

    Args:
        student: Tokens ``(N, T, Cs)`` or clip map ``(N, Cs, T, H, W)``.
        teacher: As many frames, any channels and space.

    Returns:
        The mean over ``N * T * T`` of the squared difference; a scalar.
    """
    student, teacher = (unit(frame_vectors(feature), 2) for feature in (student, teacher))
    return F.mse_loss(gram(student), gram(teacher))


def temporal_order(student: Tensor, teacher: Tensor) -> Tensor:
    """Compare the direction in which the feature moves from every frame to every later one.

    Reversing a clip turns all moves around, so the order of the frames counts. Moves that are shorter than a thousandth
    of the frames' own length have the gradient of moves of that length.

    Args:
        student: Tokens ``(N, T, C)`` or clip map ``(N, C, T, H, W)``.
        teacher: As many frames, the same channels.

    Returns:
        The mean over clips and pairs of frames of ``|u_s - u_t|**2 / 2`` with u the unit vector of the move; it is
        ``1 - cosine`` for frames that differ. A scalar, zero with zero gradient for one frame.
    """
    student, teacher = frame_vectors(student), frame_vectors(teacher)
    if student.shape[1] == 1:
        return student.sum() * 0
    first, second = torch.triu_indices(student.shape[1], student.shape[1], 1, device=student.device)
    ours, theirs = (
        unit(feature[:, second] - feature[:, first], 2, LEAST_SPREAD * mean_norm(feature, 2))
        for feature in (student, teacher)
    )
    return (ours - theirs).square().sum(2).mean() / 2


def frame_importance(student: Tensor, teacher: Tensor, temperature: float | Tensor) -> Tensor:
    """Imitate each frame as much as the teacher is active in it.

    Args:
        student: Tokens ``(N, T, C)`` or clip map ``(N, C, T, H, W)``.
        teacher: The same shape.
        temperature: Positive; the weights are a softmax over frames of the teacher's standardised energy over it, times
            T, so that their mean is 1. Large values weigh all frames alike.

    Returns:
        The weighted mean squared error; a scalar.
    """
    student, teacher = _time_first(student).flatten(2), _time_first(teacher).flatten(2)
    energy = teacher.square().mean(2)
    centred = energy - energy.mean(1, keepdim=True)
    spread = centred.square().mean(1, keepdim=True).sqrt()
    score = torch.where(spread > 0, centred / spread.clamp_min(torch.finfo(spread.dtype).tiny), 0.0)
    weight = (score / temperature).softmax(1) * energy.shape[1]
    return (weight * (student - teacher).square().mean(2)).mean()


def _energy(feature: Tensor) -> Tensor:
    """Return the mean squared activation ``(N, T, H * W)`` of every place in space and time."""
    return feature.square().mean(1).flatten(2)


def space_time_attention(student: Tensor, teacher: Tensor, where: float | Tensor, when: float | Tensor) -> Tensor:
    """Attention transfer split into where (averaged over time) and when (averaged over space) a clip is active.

    Args:
        student: Clip map ``(N, Cs, T, H, W)``.
        teacher: The same positions, any channels.
        where: Weight of the attention over ``H * W`` places.
        when: Weight of the attention over T frames.

    Returns:
        The squared distance of the unit maps, averaged over clips; a scalar of at most ``2 * (where + when)``, whatever
        the numbers of frames and places.
    """
    student, teacher = _energy(student), _energy(teacher)
    parts = [(unit(student.mean(axis), 1) - unit(teacher.mean(axis), 1)).square().sum(1).mean() for axis in (1, 2)]
    return where * parts[0] + when * parts[1]


def per_frame_attention(student: Tensor, teacher: Tensor) -> Tensor:
    """Attention transfer with one unit map per frame, so that its scale does not fall with the number of frames.

    Args:
        student: Clip map ``(N, Cs, T, H, W)``.
        teacher: The same positions, any channels.

    Returns:
        The mean over clips, frames and the ``H * W`` places of a frame; a scalar.
    """
    return F.mse_loss(unit(_energy(student), 2), unit(_energy(teacher), 2))
