"""Introspective adversarial distillation."""

from collections.abc import Sequence

from torch import Tensor

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.functional import class_indices, iad
from mmkd_video.losses.base import DistillLoss, in_float32, positive

__all__ = ['IADLoss']


@MODELS.register_module()
class IADLoss(DistillLoss):
    """IAD: where the student's attack misleads the teacher too, the student's own answer to the clean clip teaches.

    ``temperature**2 * KL(T(x) || S(x')) + (1 - p**exponent) * KL(S(x) || S(x'))``, with x a clean clip, x' the clip
    that was made to mislead the student S, and p the probability that the teacher T gives the label on x'. It reads
    two pairs in this order, S(x') with T(x) and S(x) with T(x'): in ``AdversarialTraining``
    ``at=[('logits', 'logits'), ('clean.logits', 'attacked.logits')]``. Equal sides are not zero.
    Source: https://arxiv.org/abs/2106.04928, code ZFancy/IAD ``IAD-I.py``. Its outer weight alpha is the term's, the
    cross entropy on clean clips the task's. There the second part begins after 60 of 200 epochs: a ``KDLoss`` with
    ``end`` before this term with ``begin`` does the same.

    Args:
        temperature: Positive divisor of both logits in the first part.
        exponent: Number above 0: the larger, the less a teacher is trusted that is not sure.

    Raises:
        ValueError: An argument is not above 0.
    """

    layouts = ('logits',)
    averages_clips = True
    same_classes = True
    multi_layer = True
    min_layers = 2
    min_classes = 2

    def __init__(self, temperature: float = 1.0, exponent: float = 0.1) -> None:
        super().__init__()
        self.temperature = positive('temperature', temperature)
        self.exponent = positive('exponent', exponent)

    @in_float32
    def forward(self, student: Sequence[Tensor], teacher: Sequence[Tensor], labels: Tensor) -> Tensor:
        """Return the scalar loss of two pairs of logits ``(N, K)`` and labels ``(N,)`` or ``(N, K)`` (largest class).

        Raises:
            ValueError: There are not two pairs.
        """
        if len(student) != 2:
            raise WrongValueError(
                f'IADLoss: got {len(student)} pairs of logits; expected two: the attacked student with the teacher, '
                "and the clean student with the attacked teacher, at=[('logits', 'logits'), ('clean.logits', "
                "'attacked.logits')]"
            )
        (attacked, clean), (teacher_clean, teacher_attacked) = student, teacher
        target = class_indices(labels, attacked)
        return iad(attacked, clean, teacher_clean, teacher_attacked, target, self.temperature, self.exponent)
