"""Weights of source clips by how likely they are in the target."""

import torch
from mmengine.dist import all_gather, get_rank
from torch import Tensor

from mmkd_video.core.checked import Number, OneOf, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.functional import kernel_mean_matching, kliep, logistic_ratio
from mmkd_video.weightings.clip_weighting import ClipWeighting

METHODS = ('classifier', 'kliep', 'kmm')


@TASK_UTILS.register_module(name='Importance')
@checked(value=Number(0), method=OneOf(*METHODS), largest=Number(1, above=True), uniform=Number(0, 1))
class ImportanceWeighting(ClipWeighting):
    """A source clip counts as much as it is likelier among the target's; clips of the target count 1.

    The ratio of the two densities is estimated in each batch, of all processes together, from the teacher's class
    scores: by a classifier of domains, by KLIEP, or by kernel mean matching
    (:mod:`mmkd_video.functional.density_ratio`). Weights of source clips have mean 1 before they are cut off. A few
    clips tell little: with less than about 16 of each domain in a batch, give ``uniform`` a larger share.

    Args:
        value: Factor of the whole term.
        method: ``'classifier'``, ``'kliep'`` or ``'kmm'``.
        largest: Largest weight of a clip, above 1.
        uniform: Share of the weight that all source clips have alike, from 0 to 1.

    Raises:
        ValueError: An argument is out of range.
    """

    several_labels = True

    def __init__(
        self, value: float = 1.0, method: str = 'classifier', largest: float = 10.0, uniform: float = 0.5
    ) -> None:
        super().__init__(value)
        self.method, self.largest, self.uniform = method, largest, uniform

    def weigh(self, scores: Tensor, labels: Tensor | None, domains: Tensor | None = None) -> Tensor:
        """Return ``(N,)`` weights.

        Args:
            scores: The teacher's class scores ``(N, K)``.
            labels: Labels, which are not used.
            domains: ``(N,)``, 0 for the source and 1 for the target.

        Raises:
            ValueError: The batch does not say of which domain its clips are.
        """
        if domains is None:
            raise WrongValueError(
                'weight: Importance needs the domains of the clips, which the batch lacks; take dataset=dict(type='
                "'MixedVideoDataset', unlabelled=<clips of the target>)"
            )
        domains = domains.to(scores.device)
        everybody, theirs = torch.cat(all_gather(scores)).double(), torch.cat(all_gather(domains))
        weights = torch.ones(len(everybody), dtype=torch.float64, device=scores.device)
        source, target = theirs == 0, theirs == 1
        if source.any() and target.any():
            spread = everybody.std(0).clamp(min=1e-6)
            ratio = self._ratio(*((everybody[rows] - everybody.mean(0)) / spread for rows in (source, target)))
            weights[source] = self.uniform + (1 - self.uniform) * ratio.clamp(max=self.largest)
        first = get_rank() * len(scores)
        return weights[first : first + len(scores)].to(scores.dtype)

    def _ratio(self, source: Tensor, target: Tensor) -> Tensor:
        if self.method == 'classifier':
            return logistic_ratio(source, target)
        width = source.shape[1] ** 0.5  # of standardised scores: the root of half of the mean squared distance
        if self.method == 'kliep':
            return kliep(source, target, width)
        return kernel_mean_matching(source, target, width, self.largest)
