"""Distillation of students that are attacked."""

import torch.nn.functional as F
from torch import Tensor

from mmkd_video.functional.divergence import kd, kl_divergence, log_probabilities

__all__ = ['iad', 'loss_rate_share']


def iad(
    attacked: Tensor,
    clean: Tensor,
    teacher_clean: Tensor,
    teacher_attacked: Tensor,
    target: Tensor,
    temperature: float | Tensor,
    exponent: float | Tensor,
) -> Tensor:
    """Introspective adversarial distillation (https://arxiv.org/abs/2106.04928), as in the authors' ``IAD-I.py``.

    Args:
        attacked: The student's logits ``(N, K)`` of attacked clips.
        clean: Its logits of the clean clips.
        teacher_clean: The teacher's logits of the clean clips.
        teacher_attacked: Its logits of the clips that were made to mislead the student.
        target: ``(N,)`` class of each clip.
        temperature: Positive divisor of the logits in the teacher's part; its square multiplies that part.
        exponent: Number above 0: the larger, the less a teacher is trusted that is not sure.

    Returns:
        A scalar, averaged over the clips: ``temperature**2 * KL(teacher_clean || attacked)``, and the student's own
        part ``(1 - p**exponent) * KL(clean || attacked)``, with p the teacher's probability of the class on the
        attacked clip. Its gradient goes to both logits of the student.
    """
    trust = F.softmax(teacher_attacked, dim=1).gather(1, target[:, None])[:, 0] ** exponent
    own = kl_divergence(log_probabilities(attacked), log_probabilities(clean))
    return kd(attacked, teacher_clean, temperature) + ((1 - trust) * own).mean()


def loss_rate_share(losses: Tensor, firsts: Tensor, exponent: float) -> Tensor:
    """Return how large each of several losses still is among them, compared with its start (MTARD, ECCV 2022).

    Args:
        losses: ``(L,)``, not negative.
        firsts: ``(L,)``, their values in the first step; one that was 0 counts as not fallen.
        exponent: Number above 0: the larger, the more the loss stands out that lags behind.

    Returns:
        ``(L,)``: ``(loss / first)**exponent``, divided by the sum of this; equal shares where all are 0.
    """
    rates = (losses / firsts.clamp_min(1e-12)).where(firsts > 0, 1.0) ** exponent
    return (rates / rates.sum().clamp_min(1e-12)).where(rates.sum() > 0, 1.0 / len(losses))
