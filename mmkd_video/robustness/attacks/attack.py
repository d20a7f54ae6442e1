"""The base of all attacks, and how they are built."""

import abc
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from mmkd_video.core.checked import keys_of
from mmkd_video.core.mistakes import WrongKeyError, WrongValueError
from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.robustness.attacks.frame_choice import frame_mask
from mmkd_video.robustness.attacks.pixel_scale import PixelScale

Scores = Callable[[Tensor], Tensor]
Criterion = Callable[[Tensor], Tensor]


class Attack(abc.ABC):
    """A small change of clips that makes a loss large.

    The budget is in pixels of 0 to 255, whatever the model's normalisation, and no pixel leaves that range. A subclass
    is registered in ``TASK_UTILS`` and named in a config as ``attack=dict(type=...)``. It is asked with the model in
    eval mode, and draws from torch's generators alone.

    Args:
        epsilon: Radius of the budget, in pixels of 0 to 255.
        norm: ``'linf'``: no value of a pixel changes by more; ``'l2'``: the Euclidean length of the change of a whole
            clip, all of its frames together.
        frames: None: all frames may change. A number: so many frames of each clip, those where the loss has the longest
            gradient at the clean clip. A list: these frames, from 0.

    Attributes:
        random_start: Whether it begins at a random place of the ball.
    """

    random_start = False

    def __init__(self, epsilon: float, norm: str = 'linf', frames: int | Sequence[int] | None = None) -> None:
        self.epsilon, self.norm, self.frames = float(epsilon), norm, frames

    @abc.abstractmethod
    def __call__(
        self, scores: Scores, criterion: Criterion, clips: Tensor, scale: PixelScale, labels: Tensor | None = None
    ) -> Tensor:
        """Return attacked clips, normalised as the clean ones.

        Args:
            scores: Function from normalised clips to class scores ``(N, K)``; each row depends on its own clip alone.
            criterion: Function from class scores to losses ``(N,)``, which are to grow.
            clips: Clean clips ``(N, T, C, H, W)`` or ``(N, M, C, T, H, W)``, normalised.
            scale: The model's normalisation.
            labels: ``(N,)`` class indices: what is no longer decided for them counts as found; None where only the loss
                counts.
        """

    def mask(self, scores: Scores, criterion: Criterion, pixels: Tensor, scale: PixelScale) -> Tensor | None:
        """Return 1 for the frames of clean clips that may change and 0 for the others; None where all may.

        Raises:
            ValueError: A clip has fewer frames than are to change.
        """
        if self.frames is None:
            return None
        return frame_mask(gradient_at(pixels, scores, criterion, scale), self.frames)


def gradient_at(pixels: Tensor, scores: Scores, criterion: Criterion, scale: PixelScale) -> Tensor:
    """Return the gradient of each clip's loss with regard to its pixels.

    No parameter gets a gradient.

    Args:
        pixels: Clips in pixels of 0 to 255.
        scores: Function from normalised clips to class scores.
        criterion: Function from class scores to losses ``(N,)``.
        scale: The model's normalisation.
    """
    with torch.enable_grad():
        pixels = pixels.detach().requires_grad_()
        return torch.autograd.grad(criterion(scores(scale.to_model(pixels))).sum(), pixels)[0]


def build_attack(config: Mapping, where: str = 'attack') -> Attack:
    """Build an attack from its config.

    Args:
        config: ``dict(type='PGD', epsilon=8.0, ...)``.
        where: Name of the setting, for messages.

    Raises:
        KeyError: There is no such attack, or it has no such argument.
        ValueError: An argument is out of range.
    """
    arguments = {key: value for key, value in config.items() if key != 'type'}
    found = TASK_UTILS.get(config['type']) if isinstance(config['type'], str) else config['type']
    if not isinstance(found, type) or not issubclass(found, Attack):
        known = sorted(name for name, each in TASK_UTILS.module_dict.items() if _is_attack(each))
        raise WrongKeyError(f'{where}.type: got {config["type"]!r}; expected an attack, one of {", ".join(known)}')
    keys_of(found).check(where, arguments)
    try:
        return found(**arguments)
    except ValueError as error:
        raise WrongValueError(f'{where}: {error}') from None


def _is_attack(found: object) -> bool:
    return isinstance(found, type) and issubclass(found, Attack)
