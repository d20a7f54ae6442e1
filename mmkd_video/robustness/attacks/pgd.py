"""Several steps along the gradient, each projected back into the budget."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmkd_video.core.checked import Number, OneOf, Optional, Whole, checked
from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.robustness.attacks.attack import Attack, Criterion, Scores, gradient_at
from mmkd_video.robustness.attacks.fgsm import FRAMES
from mmkd_video.robustness.attacks.norm_ball import NORMS, project, random_within, steepest
from mmkd_video.robustness.attacks.pixel_scale import PixelScale


@TASK_UTILS.register_module()
@checked(
    epsilon=Number(0, above=True),
    steps=Whole(1),
    step_size=Optional(Number(0, above=True), '2.5 * epsilon / steps'),
    norm=OneOf(*NORMS),
    frames=FRAMES,
    restarts=Whole(1),
)
class PGD(Attack):
    """Projected gradient descent: steps along the gradient from a random start, the best of several such walks.

    Source: Madry et al., Towards Deep Learning Models Resistant to Adversarial Attacks
    (https://arxiv.org/abs/1706.06083). Of several walks, each clip keeps the one that changed the decision, else the
    one with the largest loss.

    Args:
        epsilon: Radius of the budget, in pixels of 0 to 255.
        steps: Number of steps of a walk, each a forward and a backward pass.
        step_size: Length of a step in pixels; None for ``2.5 * epsilon / steps``, with which any place of the ball can
            be reached.
        norm: ``'linf'`` or ``'l2'``, see :class:`Attack`.
        frames: Number of frames of a clip that may change, or these frames; None for all.
        random_start: Whether a walk begins at a random place of the ball, and not at the clean clip.
        restarts: Number of walks.

    Raises:
        ValueError: An argument is out of range.
    """

    def __init__(
        self,
        epsilon: float = 8.0,
        steps: int = 10,
        step_size: float | None = None,
        norm: str = 'linf',
        frames: int | Sequence[int] | None = None,
        random_start: bool = True,
        restarts: int = 1,
    ) -> None:
        super().__init__(epsilon, norm, frames)
        self.steps, self.random_start, self.restarts = steps, random_start, restarts
        self.step_size = 2.5 * epsilon / steps if step_size is None else step_size

    def __call__(
        self, scores: Scores, criterion: Criterion, clips: Tensor, scale: PixelScale, labels: Tensor | None = None
    ) -> Tensor:
        """Return attacked clips; see :meth:`Attack.__call__`."""
        pixels = scale.to_pixels(clips.detach())
        mask = self.mask(scores, criterion, pixels, scale)
        found = self._walk(scores, criterion, pixels, scale, mask)
        if self.restarts == 1:
            return scale.to_model(found)
        best = self._rank(scores, criterion, scale.to_model(found), labels)
        for _ in range(self.restarts - 1):
            other = self._walk(scores, criterion, pixels, scale, mask)
            rank = self._rank(scores, criterion, scale.to_model(other), labels)
            better = (rank[0] > best[0]) | ((rank[0] == best[0]) & (rank[1] > best[1]))
            found = torch.where(better.view(-1, *[1] * (found.ndim - 1)), other, found)
            best = tuple(torch.where(better, new, old) for new, old in zip(rank, best, strict=True))
        return scale.to_model(found)

    def _walk(
        self, scores: Scores, criterion: Criterion, clean: Tensor, scale: PixelScale, mask: Tensor | None
    ) -> Tensor:
        """Return the end of one walk, in pixels."""
        now = clean
        if self.random_start:
            drawn = random_within(clean, mask, self.norm, self.epsilon)
            now = (clean + drawn).clamp(scale.lowest, scale.highest)
        for _ in range(self.steps):
            gradient = gradient_at(now, scores, criterion, scale)
            step = steepest(gradient if mask is None else gradient * mask, self.norm) * self.step_size
            away = project(now + step - clean, self.norm, self.epsilon)
            now = (clean + away).clamp(scale.lowest, scale.highest)
        return now

    @staticmethod
    @torch.no_grad()
    def _rank(scores: Scores, criterion: Criterion, clips: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return whether each clip is no longer decided for its label, 0 or 1, and its loss."""
        found = scores(clips)
        fooled = torch.zeros(len(found), device=found.device)
        if labels is not None and labels.ndim == 1:
            fooled = (found.argmax(1) != labels).float()
        return fooled, criterion(found)
