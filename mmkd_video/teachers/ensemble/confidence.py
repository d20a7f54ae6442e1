"""Members that are right about a clip count more in it: CA-MKD."""

import torch
from torch import Tensor

from mmkd_video.core.checked import checked
from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.functional import label_cross_entropy
from mmkd_video.teachers.ensemble.weighting import MembersStep, MemberWeighting


@TASK_UTILS.register_module(name='ca_mkd')
@checked()
class ConfidenceWeighting(MemberWeighting):
    """Members count the more in a clip, the better they predict its label.

    ``w_m = (1 - exp(ce_m) / sum_j exp(ce_j)) / (M - 1)`` with the cross entropy of the member's prediction and the
    label at temperature 1; soft labels count as they are. In a clip without a label all members count the same.
    Source: Zhang, Chen and Wang, Confidence-Aware Multi-Teacher Knowledge Distillation, ICASSP 2022
    (https://arxiv.org/abs/2201.00007), the class scores; the authors divide their loss by M once more, and weigh
    features too, by what each member's classifier makes of the student's.
    """

    def weigh(self, step: MembersStep) -> Tensor:
        """Return the weights ``(M, N)``."""
        count, clips = step.scores.shape[:2]
        even = step.scores.new_full((count, clips), 1 / count)
        if step.targets is None or count == 1:
            return even
        wrong = label_cross_entropy(step.scores, step.targets).softmax(dim=0)
        return torch.where(step.labelled, (1 - wrong) / (count - 1), even)
