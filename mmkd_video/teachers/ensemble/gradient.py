"""Members weighed by what they would do to the student: AEKD."""

from collections.abc import Sequence

from mmengine.dist import all_reduce
from torch import Tensor

from mmkd_video.core.checked import Number, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.functional import min_norm_weights
from mmkd_video.teachers.ensemble.weighting import MembersStep, MemberWeighting


@TASK_UTILS.register_module(name='aekd')
@checked(tolerance=Number(0, 1, above=True))
class GradientWeighting(MemberWeighting):
    """The weights for which the members' gradients at the student's class scores add up to the shortest one.

    The gradient of a member's Kullback-Leibler loss at the student's scores is ``softmax(s / T) - softmax(t_m / T)`` up
    to a factor, so no backward pass is needed. As in the authors' code it is averaged over the batch, here over those
    of all ranks, and no weight is above ``tolerance``. In validation, where there is no student, all members count the
    same.
    Source: Du et al., Agree to Disagree: Adaptive Ensemble Knowledge Distillation in Gradient Space, NeurIPS 2020; code
    AnTuo1998/AE-KD, which solves for the weights with a one-class support vector machine.

    Args:
        tolerance: Largest weight that a member may get (C of the paper), at most 1 and at least 1 / M.

    Raises:
        ValueError: ``tolerance`` is out of range.
    """

    student_taps = ('logits',)

    def __init__(self, tolerance: float = 0.6) -> None:
        self.tolerance = tolerance

    def fit(self, where: str, members: Sequence[str]) -> None:
        """See :meth:`MemberWeighting.fit`."""
        if len(members) > 1 and self.tolerance * len(members) < 1:
            raise WrongValueError(
                f'{where}.tolerance: got {self.tolerance:g}; expected at least 1 / {len(members)}, as the weights of '
                f'{len(members)} members have the sum 1'
            )

    def weigh(self, step: MembersStep) -> Tensor:
        """Return the weights ``(M, 1)``."""
        count = len(step.scores)
        if step.student is None or count == 1:
            return step.scores.new_full((count, 1), 1 / count)
        ours = (step.student / step.temperature).softmax(dim=-1)
        gradients = (ours - (step.scores / step.temperature).softmax(dim=-1)).mean(dim=1)
        all_reduce(gradients, op='mean')
        return min_norm_weights(gradients, self.tolerance).unsqueeze(1)
