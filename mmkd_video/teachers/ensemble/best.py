"""One member for each clip: the best."""

from torch import Tensor
from torch.nn.functional import one_hot

from mmkd_video.core.checked import checked
from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.functional import label_cross_entropy, prediction_entropy
from mmkd_video.teachers.ensemble.weighting import MembersStep, MemberWeighting


@TASK_UTILS.register_module(name='best')
@checked()
class BestWeighting(MemberWeighting):
    """In each clip one member teaches alone: the one that predicts its label best.

    That is the one with the lowest cross entropy; in a clip without a label, the one with the lowest entropy. Of equal
    ones the first. Without labels this is the teacher of the least ambiguous prediction: Shen et al., Customizing
    Student Networks From Heterogeneous Teachers via Adaptive Knowledge Amalgamation, ICCV 2019.
    """

    def weigh(self, step: MembersStep) -> Tensor:
        """Return the weights ``(M, N)``, a 1 for each clip."""
        unsure = prediction_entropy(step.scores)
        if step.targets is not None:
            unsure = label_cross_entropy(step.scores, step.targets).where(step.labelled, unsure)
        return one_hot(unsure.argmin(dim=0), len(step.scores)).T.to(step.scores)
