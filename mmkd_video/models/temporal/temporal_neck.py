"""What necks over the times of a clip have in common."""

from collections.abc import Sequence
from typing import Any

from mmengine.model import BaseModule
from torch import Tensor

from mmkd_video.core.checked import Optional, Whole, checked
from mmkd_video.core.mistakes import WrongValueError


@checked(num_segments=Optional(Whole(1), 'all frames of a sample are one clip'))
class TemporalNeck(BaseModule):
    """A neck of ``Recognizer3D`` and ``Recognizer2D`` that reads maps of clips and returns one map.

    A ``Recognizer2D`` hands over all frames of a sample in a row, and takes one time out of the shape of what comes
    back: a neck whose map has one time goes with ``TSNHead`` there and with ``I3DHead`` in a ``Recognizer3D``, one
    whose map has several with ``I3DHead`` in both. ``RecurrentHead`` goes with all.

    Args:
        num_segments: Frames of a clip where samples of a ``Recognizer2D`` hold several clips or crops, as some do in
            tests; by default all are one clip.
    """

    pruning = 'whole'  # or 'through', where channels do not meet: what pruning does with it
    levels: Sequence[int] | None = None  # channels of the maps that it reads; None where any one map will do

    def __init__(self, num_segments: int | None = None) -> None:
        super().__init__()
        self.num_segments = num_segments

    def forward(
        self, maps: Tensor | Sequence[Tensor], data_samples: list | None = None, **kwargs: Any
    ) -> tuple[Tensor, dict]:
        """Return one map ``(N, C, T, H, W)``, and no losses.

        Args:
            maps: One map ``(N, C', T', H, W)``, or several from fine to coarse.
            data_samples: The samples, which are not used.
            **kwargs: Keywords that recognizers may hand to necks, which are not used.

        Raises:
            ValueError: There are more or fewer maps, or other channels, than this neck was made for.
        """
        return self.over_time([self._clips(each) for each in self.expect_levels(maps, 5)]), {}

    def over_time(self, levels: list[Tensor]) -> Tensor:
        """Return one map ``(N, C, T, H, W)``.

        Args:
            levels: Maps ``(N, C', T', H, W)`` from fine to coarse.
        """
        raise NotImplementedError

    def expect_levels(self, maps: Tensor | Sequence[Tensor], ndim: int) -> list[Tensor]:
        """Return maps as a list, after a look at their number and their channels.

        Args:
            maps: One map or several.
            ndim: Number of dimensions of each: 5 of clips, 4 of frames.

        Raises:
            ValueError: They are not what this neck was made for.
        """
        found = [maps] if isinstance(maps, Tensor) else list(maps)
        name = type(self).__name__
        if any(each.ndim != ndim for each in found):
            raise WrongValueError(
                f'{name}: got {_shapes(found)}; expected {"maps (N, C, T, H, W)" if ndim == 5 else "maps (N, C, H, W)"}'
                '; put a 2D backbone into a FrameBackbone, which gives these to both kinds of recognizers'
            )
        channels = [each.shape[1] for each in found]
        if self.levels is None and len(found) != 1:
            raise WrongValueError(
                f'{name}: got {len(found)} maps; expected one; leave one of the out_indices of the backbone'
            )
        if self.levels is not None and channels != list(self.levels):
            raise WrongValueError(
                f'{name}.in_channels: got maps of {channels} channels; expected {list(self.levels)}; set it to the '
                'channels of the out_indices of the backbone'
            )
        return found

    def _clips(self, maps: Tensor) -> Tensor:
        """Return ``(N * M, C, T, H, W)`` of M clips that stand in a row, ``(N, C, M * T, H, W)``."""
        if self.num_segments is None or maps.shape[2] == self.num_segments:
            return maps
        if maps.shape[2] % self.num_segments:
            raise WrongValueError(
                f'{type(self).__name__}.num_segments: got samples of {maps.shape[2]} times; expected a multiple of '
                f'{self.num_segments}; set it to the frames of a clip of the pipeline'
            )
        return maps.unflatten(2, (-1, self.num_segments)).transpose(1, 2).flatten(0, 1)


def _shapes(maps: list[Tensor]) -> str:
    return ', '.join(str(tuple(each.shape)) for each in maps[:3]) + (', ...' if len(maps) > 3 else '')
