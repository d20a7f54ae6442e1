"""Members that are sure about a clip count more in it."""

from torch import Tensor

from mmkd_video.core.checked import checked
from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.functional import prediction_entropy
from mmkd_video.teachers.ensemble.weighting import MembersStep, MemberWeighting


@TASK_UTILS.register_module(name='entropy')
@checked()
class EntropyWeighting(MemberWeighting):
    """Members count the more in a clip, the lower the entropy of their prediction; labels are not read.

    ``w_m = (1 - H_m / sum_j H_j) / (M - 1)``, the entropies at temperature 1.
    Source: Kwon et al., Adaptive Knowledge Distillation Based on Entropy, ICASSP 2020, in the form in which the authors
    of CA-MKD compare with it (EBKD in their code, which divides the loss by M in place of M - 1).
    """

    def weigh(self, step: MembersStep) -> Tensor:
        """Return the weights ``(M, N)``."""
        count, clips = step.scores.shape[:2]
        if count == 1:
            return step.scores.new_ones(1, clips)
        found = prediction_entropy(step.scores).clamp(min=1e-12)  # of members that are all sure, none counts more
        return (1 - found / found.sum(dim=0)) / (count - 1)
