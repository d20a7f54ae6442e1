"""One step along the sign of the gradient."""

from collections.abc import Sequence

from torch import Tensor

from mmkd_video.core.checked import AnyOf, ListOf, Number, OneOf, Optional, Whole, checked
from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.robustness.attacks.attack import Attack, Criterion, Scores, gradient_at
from mmkd_video.robustness.attacks.norm_ball import NORMS, steepest
from mmkd_video.robustness.attacks.pixel_scale import PixelScale

FRAMES = Optional(AnyOf(Whole(1), ListOf(Whole(0), least=1)), 'all frames')


@TASK_UTILS.register_module()
@checked(epsilon=Number(0, above=True), norm=OneOf(*NORMS), frames=FRAMES)
class FGSM(Attack):
    """The fast gradient sign method: one step of the whole budget along the gradient at the clean clip.

    Source: Goodfellow et al., Explaining and Harnessing Adversarial Examples (https://arxiv.org/abs/1412.6572); with
    ``norm='l2'`` the step is along the gradient itself, of the same length for each clip.

    Args:
        epsilon: Radius of the budget, in pixels of 0 to 255.
        norm: ``'linf'`` or ``'l2'``, see :class:`Attack`.
        frames: Number of frames of a clip that may change, or these frames; None for all.

    Raises:
        ValueError: An argument is out of range.
    """

    def __init__(self, epsilon: float = 8.0, norm: str = 'linf', frames: int | Sequence[int] | None = None) -> None:
        super().__init__(epsilon, norm, frames)

    def __call__(
        self, scores: Scores, criterion: Criterion, clips: Tensor, scale: PixelScale, labels: Tensor | None = None
    ) -> Tensor:
        """Return attacked clips; see :meth:`Attack.__call__`."""
        pixels = scale.to_pixels(clips.detach())
        gradient = gradient_at(pixels, scores, criterion, scale)
        mask = self.mask(scores, criterion, pixels, scale)
        step = steepest(gradient if mask is None else gradient * mask, self.norm) * self.epsilon
        return scale.to_model((pixels + step).clamp(scale.lowest, scale.highest))
