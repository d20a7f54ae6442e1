"""Weights of clips by whether the teacher is right."""

from torch import Tensor

from mmkd_video.core.checked import Number, checked
from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.functional import decides_for_label
from mmkd_video.weightings.clip_weighting import ClipWeighting


@TASK_UTILS.register_module(name='TeacherCorrect')
@checked(value=Number(0), wrong=Number(0), unlabelled=Number(0))
class TeacherCorrectWeighting(ClipWeighting):
    """A clip counts fully where the teacher decides for its label, and less where it does not.

    Knowledge that contradicts the label is left to the label: Meng et al., Conditional Teacher-Student Learning
    (https://arxiv.org/abs/1904.12399), with ``wrong=0.0``.

    Args:
        value: Factor of the whole term.
        wrong: Weight of a clip for which the teacher decides otherwise.
        unlabelled: Weight of a clip without a label.

    Raises:
        ValueError: An argument is out of range.
    """

    several_labels = True

    def __init__(self, value: float = 1.0, wrong: float = 0.0, unlabelled: float = 1.0) -> None:
        super().__init__(value)
        self.wrong, self.unlabelled = wrong, unlabelled

    def weigh(self, scores: Tensor, labels: Tensor | None) -> Tensor:
        """Return ``(N,)`` weights: 1, ``wrong`` or ``unlabelled``.

        Args:
            scores: The teacher's class scores ``(N, K)``.
            labels: Labels, see :class:`ClipWeighting`; of soft ones the largest class counts, or any of several.
        """
        if labels is None:
            return scores.new_full(scores.shape[:1], self.unlabelled)
        right, known = decides_for_label(scores, labels)
        weights = right * 1.0 + ~right * self.wrong
        return weights.where(known, self.unlabelled).to(scores.dtype)
