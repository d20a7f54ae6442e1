"""Between pixels of 0 to 255 and the normalised numbers that a model sees."""

import torch
from torch import Tensor, nn

from mmkd_video.core.mistakes import WrongTypeError

CHANNELS = 2  # the dimension of the channels, of (N, T, C, H, W) and of (N, M, C, T, H, W) alike


class PixelScale:
    """The normalisation of one model: ``model = (pixels - mean) / std``, by channel.

    Args:
        mean: ``(C,)``, or one number for all channels.
        std: ``(C,)``, above 0, or one number for all channels.
    """

    lowest = 0.0
    highest = 255.0

    def __init__(self, mean: Tensor, std: Tensor) -> None:
        self.mean, self.std = mean.detach().flatten().float(), std.detach().flatten().float()

    @classmethod
    def of(cls, preprocessor: nn.Module, name: str = 'student') -> 'PixelScale':
        """Return the scale of a data preprocessor.

        Args:
            preprocessor: An ``ActionDataPreprocessor`` or a subclass.
            name: Name of its model, for messages.

        Raises:
            TypeError: It prepares something else than frames.
        """
        if not hasattr(preprocessor, '_enable_normalize'):
            raise WrongTypeError(
                f'data_preprocessor of {name}: got {type(preprocessor).__name__}; expected ActionDataPreprocessor: an '
                'attack changes the pixels of one clip of frames'
            )
        if not preprocessor._enable_normalize:
            return cls(torch.zeros(1), torch.ones(1))
        return cls(preprocessor.mean, preprocessor.std)

    def to_pixels(self, clips: Tensor) -> Tensor:
        """Return pixels of 0 to 255 of normalised clips ``(N, T, C, H, W)`` or ``(N, M, C, T, H, W)``."""
        return clips * self._like(self.std, clips) + self._like(self.mean, clips)

    def to_model(self, pixels: Tensor) -> Tensor:
        """Return the normalised clips of pixels; the inverse of :meth:`to_pixels`."""
        return (pixels - self._like(self.mean, pixels)) / self._like(self.std, pixels)

    def differences(self, pixels: Tensor) -> Tensor:
        """Return what a difference of pixels is for the model: there is no mean to subtract."""
        return pixels / self._like(self.std, pixels)

    @staticmethod
    def _like(numbers: Tensor, clips: Tensor) -> Tensor:
        return numbers.to(clips.device, clips.dtype).view(-1, *[1] * (clips.ndim - CHANNELS - 1))
