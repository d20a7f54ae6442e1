"""Domain-adversarial training."""

from torch import Tensor

from mmkd_video.adaptation.domain_classifier import DomainClassifier
from mmkd_video.adaptation.domain_loss import DomainLoss
from mmkd_video.core.registry import MODELS
from mmkd_video.functional import domain_entropy, reverse_gradient
from mmkd_video.losses.base import at_least, in_float32


@MODELS.register_module()
class DANNLoss(DomainLoss):
    """DANN: a classifier learns to tell the domains apart, and the student learns features by which it cannot.

    The cross-entropy of a classifier of two layers, which lies behind a reversal of gradients: one step of the
    optimizer improves the classifier and makes the student's features harder for it. Domains count the same, whatever
    their shares of the batch.
    Source: https://arxiv.org/abs/1505.07818, whose strength grows as ``dict(type='Logistic')``.

    Args:
        student_channels: Channels of the student's feature; a term fills it in.
        strength: Factor on the reversed gradient, at least 0; a number or a schedule.
        hidden: Channels of the classifier's hidden layer.

    Raises:
        ValueError: A value is out of its range.
    """

    def __init__(self, student_channels: int, strength: float = 1.0, hidden: int = 256) -> None:
        super().__init__()
        self.strength = at_least('strength', strength, 0)
        self.build_for(student_channels=student_channels)
        self.classifier = DomainClassifier(student_channels, hidden)

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor, domains: Tensor) -> Tensor:
        """Return the scalar loss.

        Args:
            student: Vector ``(N, C)``.
            teacher: The teacher's feature, which is not used.
            domains: ``(N,)``, 0 for the source and 1 for the target.

        Raises:
            ValueError: A domain has no clip in the batch.
        """
        target = self.are_targets(student, domains)
        return domain_entropy(self.classifier(reverse_gradient(student, self.strength)), target)
