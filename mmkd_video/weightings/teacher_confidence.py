"""Weights of clips by how sure the teacher is."""

from torch import Tensor

from mmkd_video.core.checked import Number, checked
from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.functional import top_probability
from mmkd_video.weightings.clip_weighting import ClipWeighting


@TASK_UTILS.register_module(name='TeacherConfidence')
@checked(value=Number(0), power=Number(0, above=True), temperature=Number(0, above=True))
class TeacherConfidenceWeighting(ClipWeighting):
    """A clip counts as much as the probability that the teacher gives its own class.

    What a teacher is unsure of is likely to be wrong, labels or not: the confidence that pseudo-labelling decides by a
    threshold (FixMatch, https://arxiv.org/abs/2001.07685) is a weight here.

    Args:
        value: Factor of the whole term.
        power: Exponent of the probability; the larger, the less do unsure answers count.
        temperature: Number above 0 that divides the scores first.

    Raises:
        ValueError: An argument is out of range.
    """

    def __init__(self, value: float = 1.0, power: float = 1.0, temperature: float = 1.0) -> None:
        super().__init__(value)
        self.power, self.temperature = power, temperature

    def weigh(self, scores: Tensor, labels: Tensor | None) -> Tensor:
        """Return ``(N,)`` weights from ``K**-power`` to 1.

        Args:
            scores: The teacher's class scores ``(N, K)``.
            labels: Labels, which are not used.
        """
        return top_probability(scores / self.temperature) ** self.power
