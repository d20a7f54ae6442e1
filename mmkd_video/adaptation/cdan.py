"""Conditional domain-adversarial training."""

from collections.abc import Sequence

from torch import Tensor

from mmkd_video.adaptation.domain_classifier import DomainClassifier
from mmkd_video.adaptation.domain_loss import DomainLoss
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.functional import domain_entropy, entropy_weights, multilinear_map, reverse_gradient
from mmkd_video.losses.base import at_least, in_float32


@MODELS.register_module()
class CDANLoss(DomainLoss):
    """CDAN: as DANN, but the classifier sees features together with what the student takes the class for.

    It reads the outer product of a feature and the class probabilities, which have no gradient, so that features are
    drawn together within classes. Takes two layers, ``at=['pooled', 'logits']``: a feature and class scores.
    Source: https://arxiv.org/abs/1705.10667; ``entropy=True`` is CDAN+E, which trusts clips of low entropy more. The
    product is not replaced by random projections where it is large, as in the authors' code.

    Args:
        student_channels: Channels of the student's feature and number of its classes; a term fills it in.
        strength: Factor on the reversed gradient, at least 0; a number or a schedule.
        hidden: Channels of the classifier's hidden layer.
        entropy: Whether clips are weighed by ``1 + exp(-entropy)`` of their class probabilities.

    Raises:
        ValueError: A value is out of its range, or ``at`` does not name two taps.
    """

    multi_layer = True
    min_layers = 2

    def __init__(
        self, student_channels: Sequence[int], strength: float = 1.0, hidden: int = 256, entropy: bool = True
    ) -> None:
        super().__init__()
        if len(student_channels) != 2:
            raise WrongValueError(
                f'at: got {len(student_channels)} layers; expected two, a feature and class scores: '
                "at=['pooled', 'logits']"
            )
        self.strength, self.entropy = at_least('strength', strength, 0), entropy
        self.build_for(student_channels=student_channels)
        self.classifier = DomainClassifier(student_channels[0] * student_channels[1], hidden)

    @in_float32
    def forward(self, student: Sequence[Tensor], teacher: Sequence[Tensor], domains: Tensor) -> Tensor:
        """Return the scalar loss.

        Args:
            student: Vector ``(N, C)`` and class scores ``(N, K)``.
            teacher: The teacher's feature, which is not used.
            domains: ``(N,)``, 0 for the source and 1 for the target.

        Raises:
            ValueError: A domain has no clip in the batch.
        """
        features, scores = student[0], student[1].detach()
        target = self.are_targets(features, domains)
        joined = multilinear_map(features, scores.softmax(1))
        weights = entropy_weights(scores) if self.entropy else None
        return domain_entropy(self.classifier(reverse_gradient(joined, self.strength)), target, weights)
