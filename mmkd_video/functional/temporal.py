"""Changes between the frames of a clip, and weights of frames."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmkd_video.functional.gram import gram
from mmkd_video.functional.layout import frame_vectors, time_first
from mmkd_video.functional.normalize import LEAST_SPREAD, mean_norm, unit

__all__ = ['frame_importance', 'temporal_difference', 'temporal_order', 'temporal_relation']


def temporal_difference(student: Tensor, teacher: Tensor) -> Tensor:
    """Compare the changes between consecutive frames.

    Args:
        student: Tokens ``(N, T, C)`` or clip map ``(N, C, T, H, W)``.
        teacher: The same shape.

    Returns:
        The mean squared difference of the two ``f[t + 1] - f[t]``; a scalar, zero with zero gradient for one frame.
    """
    error = time_first(student) - time_first(teacher)
    if error.shape[1] == 1:
        return error.sum() * 0
    return error.diff(dim=1).square().mean()


def temporal_relation(student: Tensor, teacher: Tensor) -> Tensor:
    """Compare the cosine similarity of every two frames of a clip.

    Args:
        student: Tokens ``(N, T, Cs)`` or clip map ``(N, Cs, T, H, W)``.
        teacher: A feature of as many frames, any channels and space.

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
        teacher: A feature of as many frames and the same channels.

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
        temperature: Positive number; the weights are a softmax over frames of the teacher's standardised energy over
            it, times T, so that their mean is 1. Large values weigh all frames alike.

    Returns:
        The weighted mean squared error; a scalar.
    """
    student, teacher = time_first(student).flatten(2), time_first(teacher).flatten(2)
    energy = teacher.square().mean(2)
    centred = energy - energy.mean(1, keepdim=True)
    spread = centred.square().mean(1, keepdim=True).sqrt()
    score = torch.where(spread > 0, centred / spread.clamp_min(torch.finfo(spread.dtype).tiny), 0.0)
    weight = (score / temperature).softmax(1) * energy.shape[1]
    return (weight * (student - teacher).square().mean(2)).mean()
