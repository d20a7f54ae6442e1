"""Repeating a transform of the student's frames on a teacher's."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from mmaction.datasets.transforms.processing import Flip, Fuse, RandomCrop, RandomErasing, RandomRescale, Resize

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.restoring import get_random_state, random_state_restored, set_random_state
from mmkd_video.views.geometry import WHOLE, Geometry, relative_crop

_CROPS_AND_SIZES = (RandomCrop, Resize, RandomRescale, Fuse, Flip)  # all crops of one crop derive from RandomCrop


class ViewFrames:
    """Frames of one view on their way through the student's transforms.

    Args:
        frames: Frames as decoded, each of shape (H, W, C).
    """

    def __init__(self, frames: list[np.ndarray]) -> None:
        self.frames = frames
        self.geometry = Geometry()


class TransformReplay:
    """One call of one of the student's transforms, to be repeated on views.

    Made just before the call, it remembers the random state the call starts from.

    Args:
        transform: The transform about to be called.
        results: The student's results it will be called with.
    """

    def __init__(self, transform: Any, results: dict) -> None:
        self.transform = transform
        self.crop = tuple(results.get('crop_quadruple', WHOLE))
        self.size = _size(results)
        self.flipped = bool(results.get('flip', False))
        self.state = None if isinstance(transform, _CROPS_AND_SIZES) else get_random_state()

    def follow(self, results: dict, view: ViewFrames) -> None:
        """Repeat the call on a view.

        Crops and flips are noted in the view's geometry. Anything else runs on the view's own frames, cropped and
        flipped as the student's were but not resized, from the random state the student's call started from.

        Args:
            results: The student's results after the call.
            view: The view to change.

        Raises:
            ValueError: If the transform cropped or scaled the student's frames without recording it.
        """
        crop = tuple(results.get('crop_quadruple', WHOLE))
        moved = crop != self.crop
        if moved:
            view.geometry.crop(relative_crop(self.crop, crop))
        flipped = self._flipped(results)
        if flipped:
            view.geometry.flip(results.get('flip_direction', 'horizontal'))
        if self.state is None or moved or flipped:
            return
        if _size(results) != self.size:
            raise WrongValueError(
                f'DistillViews: {type(self.transform).__name__} changed the size of the frames from {self.size} to '
                f"{_size(results)} without recording it in 'crop_quadruple', so views cannot follow it; use "
                "MMAction2's own crops and Resize"
            )
        view.frames = view.geometry.apply(view.frames, None, 'bilinear')
        with random_state_restored():
            set_random_state(self.state)
            self._call(results, view)

    def _flipped(self, results: dict) -> bool:
        flip = bool(results.get('flip', False))
        return flip if isinstance(self.transform, Flip) else flip and not self.flipped

    def _call(self, results: dict, view: ViewFrames) -> None:
        if isinstance(self.transform, RandomErasing):
            view.frames = _erase(self.transform, view.frames, self.size)
            return
        mine = {key: value for key, value in results.items() if key not in ('imgs', 'lazy')}
        mine.update(imgs=view.frames, img_shape=view.frames[0].shape[:2])
        view.frames = list(self.transform(mine)['imgs'])


def augment(transforms: Sequence[Any], results: dict, views: Iterable[ViewFrames]) -> dict | None:
    """Run transforms on a sample and repeat each on its views.

    Args:
        transforms: Transforms of decoded frames.
        results: The sample, with frames in ``imgs``.
        views: The views, which are changed.

    Returns:
        The sample, or None when a transform gave up on it.
    """
    views = list(views)
    for transform in transforms:
        replay = TransformReplay(transform, results)
        results = transform(results)
        if results is None:
            return None
        if not _is_of_one_view(transform):
            for frames in views:
                replay.follow(results, frames)
    return results


def _is_of_one_view(transform: Any) -> bool:
    """Return whether a transform is a matter of its own pipeline: it derives a modality, or corrupts the frames."""
    return getattr(transform, 'derives_modality', False) or getattr(transform, 'of_one_view', False)


def _size(results: dict) -> tuple[int, int]:
    return tuple(results['imgs'][0].shape[:2])


def _erase(transform: RandomErasing, frames: list[np.ndarray], size: tuple[int, int]) -> list[np.ndarray]:
    """Erase the patch that is drawn for frames of ``size`` (H, W), scaled to these frames.

    The patch cannot be drawn for the view's own size: the same numbers would give another place.
    """
    if transform.random_disable():
        return frames
    top, left, height, width = transform.random_patch(*size)
    scale_y, scale_x = (mine / theirs for mine, theirs in zip(frames[0].shape[:2], size, strict=True))
    rows = round(top * scale_y), round((top + height) * scale_y)
    columns = round(left * scale_x), round((left + width) * scale_x)
    return transform._fill_pixels(frames, rows[0], columns[0], rows[1] - rows[0], columns[1] - columns[0])
