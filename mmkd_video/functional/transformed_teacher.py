"""Distillation in which only one side is softened or rescaled."""

from torch import Tensor

from mmkd_video.functional.divergence import kd, kl_divergence, log_probabilities
from mmkd_video.functional.normalize import LEAST_SPREAD, divide

__all__ = ['logit_std_kd', 'ttm', 'wttm']

STD_EPS = 1e-7


def ttm(student: Tensor, teacher: Tensor, exponent: float | Tensor) -> Tensor:
    """Transformed teacher matching (https://arxiv.org/abs/2402.11148).

    The power of the teacher's probabilities is a softmax of scaled logits, which does not underflow.

    Args:
        student: Logits ``(N, K)``, taken as they are.
        teacher: Logits ``(N, K)``.
        exponent: Positive number: the inverse of a temperature, on the teacher alone.

    Returns:
        ``mean KL(softmax(exponent * teacher) || softmax(student))``, a scalar.
    """
    return kl_divergence(log_probabilities(student), log_probabilities(teacher * exponent)).mean()


def wttm(student: Tensor, teacher: Tensor, exponent: float | Tensor) -> Tensor:
    """Weighted :func:`ttm`: each sample counts with ``sum_c p_teacher**exponent``, larger for uncertain teachers.

    Args:
        student: Logits ``(N, K)``.
        teacher: Logits ``(N, K)``.
        exponent: Positive number, as in :func:`ttm`.

    Returns:
        A scalar, the mean over N samples (not normalised by the weights).
    """
    weight = (log_probabilities(teacher) * exponent).logsumexp(1).exp()
    divergence = kl_divergence(log_probabilities(student), log_probabilities(teacher * exponent))
    return (weight * divergence).mean()


def standardise(logits: Tensor) -> Tensor:
    """Return logits ``(N, K)`` with zero mean and unit (unbiased) deviation in each row, K at least 2.

    The gradient of a row that is all but constant is no larger than for a deviation of 1e-3.
    """
    centred = logits - logits.mean(1, keepdim=True)
    return divide(centred, logits.std(1, keepdim=True) + STD_EPS, LEAST_SPREAD)


def logit_std_kd(student: Tensor, teacher: Tensor, temperature: float | Tensor) -> Tensor:
    """Distillation of standardised logits (https://arxiv.org/abs/2403.01427).

    Args:
        student: Logits ``(N, K)`` with K at least 2; the gradient flows through mean and (unbiased) deviation, and is
            no larger for a row that is all but constant than for one of deviation 1e-3.
        teacher: Logits ``(N, K)``.
        temperature: Positive number that divides both standardised logits.

    Returns:
        :func:`~mmkd_video.functional.kd` of both sides with zero mean and unit deviation over the classes.
    """
    return kd(standardise(student), standardise(teacher), temperature)
