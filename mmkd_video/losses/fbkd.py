"""Feature-based distillation with attention and relations of places."""

import torch
from torch import Tensor, nn

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import channels_and_positions
from mmkd_video.losses.base import DistillLoss, at_least, in_float32, positive

__all__ = ['FBKDLoss']


class _NonLocal(nn.Module):
    """Add to every place what it gathers from all others by dot products; the identity at first."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(channels // 2, 1)
        self.embed = nn.Linear(channels, 3 * inner)  # queries, keys and values in one product
        self.out = nn.Linear(inner, channels)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, feature: Tensor) -> Tensor:
        """Return the same shape ``(N, P, C)``."""
        query, key, value = self.embed(feature).chunk(3, dim=2)
        return feature + self.out(query @ (key.mT @ value / feature.shape[1]))


def _distance(student: Tensor, teacher: Tensor) -> Tensor:
    return torch.linalg.vector_norm(student - teacher)


@MODELS.register_module()
class FBKDLoss(DistillLoss):
    """FBKD: the feature where either side is active, its averages over places and channels, and its non-local
    relations.

    ``feature * |m (A f_s - f_t)| + channels * |B c(f_s) - c(f_t)| + places * |C p(f_s) - p(f_t)| + relations * |D
    g(f_s) - h(f_t)|`` with trained adapters A to D: four Euclidean distances over the whole batch (not means), each
    with its weight. They compare the features, masked by m, the root of the mean of both sides' softmax attention over
    the places; the averages c over places; the averages p over channels; and the outputs of two trained non-local
    blocks g and h. Places are all of ``T * H * W``; the map of averages over channels is adapted by a 3x3x3
    convolution.
    Source: https://openreview.net/forum?id=uKhGRvM8QNH, code open-mmlab/mmrazor ``FBKDLoss`` and its connectors; there
    the non-local output passes a batch norm, and its config max-pools the keys and values of the non-local blocks on
    all four maps (``sub_sample``; by 8, 4, 2 and 2, the largest map most); here every place gathers from all places.

    Args:
        teacher_channels: Channels of the teacher's feature; a term fills it in.
        temperature: Positive temperature of the softmax attention.
        feature: Weight of the masked features, at least 0.
        channels: Weight of the averages over places, at least 0.
        places: Weight of the averages over channels, at least 0.
        relations: Weight of the non-local relations, at least 0.

    Raises:
        ValueError: A value is out of its range.
    """

    layouts = ('map',)
    same_channels = True
    same_positions = True

    def __init__(
        self,
        teacher_channels: int,
        temperature: float = 0.5,
        feature: float = 7e-5,
        channels: float = 4e-3,
        places: float = 4e-3,
        relations: float = 7e-5,
    ) -> None:
        super().__init__()
        self.build_for(teacher_channels=teacher_channels)
        self.temperature = positive('temperature', temperature)
        self.feature = at_least('feature', feature, 0)
        self.channels = at_least('channels', channels, 0)
        self.places = at_least('places', places, 0)
        self.relations = at_least('relations', relations, 0)
        self.adapt_feature, self.adapt_channels, self.adapt_relations = (
            nn.Linear(teacher_channels, teacher_channels) for _ in range(3)
        )
        self.adapt_places = nn.Conv3d(1, 1, 3, padding=1)
        self.student_relations, self.teacher_relations = _NonLocal(teacher_channels), _NonLocal(teacher_channels)

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of two maps ``(N, C, [T,] H, W)``."""
        if student.ndim == 4:
            student, teacher = student.unsqueeze(2), teacher.unsqueeze(2)
        places = _distance(self.adapt_places(student.mean(1, keepdim=True)), teacher.mean(1, keepdim=True))
        student, teacher = (channels_and_positions(side).transpose(1, 2) for side in (student, teacher))
        with torch.no_grad():
            mask = (self._attention(student) + self._attention(teacher)) / 2
        feature = torch.linalg.vector_norm((self.adapt_feature(student) - teacher) * mask.sqrt().unsqueeze(2))
        channels = _distance(self.adapt_channels(student.mean(1)), teacher.mean(1))
        ours, theirs = self.adapt_relations(self.student_relations(student)), self.teacher_relations(teacher)
        terms = (self.feature * feature, self.channels * channels, self.places * places)
        return sum(terms) + self.relations * _distance(ours, theirs)

    def _attention(self, feature: Tensor) -> Tensor:
        """Return the weights ``(N, P)`` of the places, of mean 1."""
        return (feature.abs().mean(2) / self.temperature).softmax(1) * feature.shape[1]
