"""All members count the same."""

from torch import Tensor

from mmkd_video.core.checked import checked
from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.teachers.ensemble.weighting import MembersStep, MemberWeighting


@TASK_UTILS.register_module(name='mean')
@checked()
class MeanWeighting(MemberWeighting):
    """All members count the same (You et al., Learning from Multiple Teacher Networks, KDD 2017)."""

    subsets = True

    def weigh(self, step: MembersStep) -> Tensor:
        """Return 1 / M for each, ``(M, 1)``."""
        count = len(step.scores)
        return step.scores.new_full((count, 1), 1 / count)
