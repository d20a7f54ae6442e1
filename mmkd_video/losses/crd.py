"""Contrastive representation distillation."""

import math

import torch
from torch import Tensor, nn

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.functional import noise_contrast, other_indices, unit
from mmkd_video.losses.base import DistillLoss, at_least, in_float32, positive, whole
from mmkd_video.losses.gather import gather_batch

__all__ = ['CRDLoss']


@MODELS.register_module()
class CRDLoss(DistillLoss):
    """CRD: each clip is nearer to itself than to other clips of the data set, across student and teacher.

    ``-mean (log h(positive) + sum over negatives of log(1 - h(negative)))`` for each side, with ``h = q / (q + M / n)``
    and ``q = exp(<a, b> / temperature) / Z``, for M negatives out of n clips. Both features are embedded by a trained
    linear layer and scaled to length 1. The student's embedding is contrasted with a bank of the teacher's and the
    other way round, against randomly drawn other clips. Banks and the normalising constants Z (from the first batch)
    are buffers: they survive resume, and are updated with the clips of all processes, so that these agree. The bank
    moves in training only. Memory: ``N * num_negatives * dim`` numbers per side.
    Source: https://arxiv.org/abs/1910.10699, code HobbitLong/RepDistiller ``crd/``; that code draws negatives of other
    classes, here they are other clips, and it adds 1e-7 to ``q + M / n`` in both logarithms, here left out.

    Args:
        student_channels: Channels of the student's vector; a term fills it in.
        teacher_channels: Channels of the teacher's vector; a term fills it in.
        num_samples: Size of the training set, at least 2; ``indices`` are below it.
        dim: Length of the embeddings.
        num_negatives: Number of other clips that each clip is contrasted with.
        temperature: Positive divisor of the similarities.
        momentum: Share of the old embedding that stays in the bank, in [0, 1].

    Raises:
        ValueError: A value is out of its range.
    """

    layouts = ('vector',)

    def __init__(
        self,
        student_channels: int,
        teacher_channels: int,
        num_samples: int,
        dim: int = 128,
        num_negatives: int = 16384,
        temperature: float = 0.07,
        momentum: float = 0.5,
    ) -> None:
        super().__init__()
        self.num_samples = whole('num_samples', num_samples, 2)
        self.num_negatives = whole('num_negatives', num_negatives, 1)
        self.temperature = positive('temperature', temperature)
        self.momentum = at_least('momentum', momentum, 0)
        if momentum > 1:
            raise WrongValueError(f'momentum: got {momentum!r}; expected a number of at most 1')
        whole('dim', dim, 1)
        self.build_for(student_channels=student_channels, teacher_channels=teacher_channels)
        self.embed_student = nn.Linear(student_channels, dim)
        self.embed_teacher = nn.Linear(teacher_channels, dim)
        bound = math.sqrt(3 / dim)
        self.register_buffer('student_bank', torch.empty(num_samples, dim).uniform_(-bound, bound))
        self.register_buffer('teacher_bank', torch.empty(num_samples, dim).uniform_(-bound, bound))
        self.register_buffer('log_partitions', torch.full((2,), math.nan))

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor, indices: Tensor) -> Tensor:
        """Return the scalar loss.

        Args:
            student: Vector ``(N, student_channels)``.
            teacher: Vector ``(N, teacher_channels)``.
            indices: ``(N,)`` index of each clip in the training set, below ``num_samples``; best on the host.

        Raises:
            ValueError: ``indices`` has another shape, or names a clip beyond ``num_samples``, which is seen only
                where ``indices`` are on the host.
        """
        if tuple(indices.shape) != (len(student),) or indices.dtype.is_floating_point or indices.dtype == torch.bool:
            raise WrongValueError(
                f'indices: got shape {tuple(indices.shape)} of {indices.dtype}, expected int64 ({len(student)},)'
            )
        if indices.device.type == 'cpu' and not 0 <= int(indices.min()) <= int(indices.max()) < self.num_samples:
            raise WrongValueError(
                f'indices: got {int(indices.min())} to {int(indices.max())}, expected 0 to {self.num_samples - 1}; '
                'num_samples is the size of the training set'
            )
        indices = indices.to(student.device, non_blocking=True)
        embeddings = unit(self.embed_student(student), 1), unit(self.embed_teacher(teacher), 1)
        drawn = torch.cat([indices.unsqueeze(1), other_indices(indices, self.num_negatives, self.num_samples)], dim=1)
        scores = [
            torch.einsum('nd,nkd->nk', embedding, bank[drawn]) / self.temperature
            for embedding, bank in zip(embeddings, (self.teacher_bank, self.student_bank), strict=True)
        ]
        partitions = self._partitions(scores)
        loss = sum(
            noise_contrast(score, partition, self.num_samples)
            for score, partition in zip(scores, partitions, strict=True)
        )
        if self.training:
            self._update(embeddings, indices)
        return loss

    @torch.no_grad()
    def _partitions(self, scores: list[Tensor]) -> Tensor:
        """Return the constants ``(2,)``; those of the first batch of all processes stay for good."""
        rows = torch.stack([score.logsumexp(1) - math.log(score.shape[1]) for score in scores], dim=1)
        rows = gather_batch(rows)
        found = rows.logsumexp(0) - math.log(len(rows)) + math.log(self.num_samples)
        known = self.log_partitions.to(found.dtype)
        found = torch.where(known.isnan(), found, known)
        if self.training:
            self.log_partitions.copy_(torch.where(found.isfinite(), found, known))
        return found

    @torch.no_grad()
    def _update(self, embeddings: tuple[Tensor, Tensor], indices: Tensor) -> None:
        """Move the banks; of a clip that comes twice the last one counts, and none that is not finite."""
        indices = gather_batch(indices)
        rows = torch.arange(len(indices), device=indices.device)
        last = torch.where(indices == indices.unsqueeze(1), rows, -1).amax(1)
        for bank, embedding in zip((self.student_bank, self.teacher_bank), embeddings, strict=True):
            old, new = bank[indices], gather_batch(embedding.detach()).to(bank.dtype)
            moved = unit(old * self.momentum + new * (1 - self.momentum), 1)
            moved = torch.where(new.isfinite().all(1, keepdim=True), moved, old)
            bank[indices] = moved[last]  # equal rows for equal indices: the order of writing is not defined
