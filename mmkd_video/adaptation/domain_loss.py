"""What losses between two domains share: which clip is of which."""

import torch
from torch import Tensor

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.losses.base import DistillLoss


class DomainLoss(DistillLoss):
    """Base of losses that compare the student's features of source and target clips.

    They read the student alone: the teacher's feature at the same tap is not used. Every batch must hold clips of both
    domains, as ``MixedBatchSampler`` makes them.

    Attributes:
        least: Fewest clips of each domain in a batch.
    """

    layouts = ('vector',)
    least = 1

    def split(self, feature: Tensor, domains: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features of the source and of the target.

        Args:
            feature: ``(N, C)``.
            domains: ``(N,)``, 0 for the source and 1 for the target.

        Raises:
            ValueError: As :meth:`are_targets`.
        """
        target = self.are_targets(feature, domains)
        return feature[~target], feature[target]

    def are_targets(self, feature: Tensor, domains: Tensor) -> Tensor:
        """Return which clips are of the target, ``(N,)`` bool on the feature's device.

        Args:
            feature: ``(N, C)``.
            domains: ``(N,)``, 0 for the source and 1 for the target; best on the host.

        Raises:
            ValueError: ``domains`` has another shape or other values, or a domain has too few clips in the batch.
        """
        found = torch.as_tensor(domains)
        if (
            tuple(found.shape) != (len(feature),)
            or found.is_floating_point()
            or not ((found == 0) | (found == 1)).all()
        ):
            raise WrongValueError(
                f'domains: got shape {tuple(found.shape)} of {found.dtype}, expected ({len(feature)},) of 0 (source) '
                'and 1 (target)'
            )
        counts = [int((found == domain).sum()) for domain in (0, 1)]
        if min(counts) < self.least:
            raise WrongValueError(
                f'domains: got a batch of {counts[0]} source and {counts[1]} target clips; expected at least '
                f"{self.least} of each: add batch_sampler=dict(type='MixedBatchSampler') to train_dataloader, whose "
                "dataset=dict(type='MixedVideoDataset', unlabelled=<clips of the target>)"
            )
        return (found == 1).to(feature.device)
