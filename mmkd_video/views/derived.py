"""Modalities that are computed from RGB frames: optical flow, differences of frames, contours."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mmkd_video.core.checked import Number, OneOf, Whole, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import TRANSFORMS

CENTRE = 128
PRESETS = {
    'ultrafast': cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    'fast': cv2.DISOPTICAL_FLOW_PRESET_FAST,
    'medium': cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}
SMALLEST = 16  # pixels; DIS has patches of 8 and a pyramid


class DerivedModality(BaseTransform):
    """Base of transforms that turn RGB frames into another modality, frame by frame or clip by clip.

    Such a transform stands after all crops, resizing and flips, directly before ``FormatShape``: it then agrees with
    the frames in geometry and time whatever was drawn, and nothing has to know how to flip it. In a teacher's pipeline
    ``DistillViews`` finds it and applies it to the teacher's frames.

    Required keys are ``imgs`` (uint8 frames of shape (H, W, 3)) and, for several clips, ``clip_len``; ``imgs`` is
    changed: as many frames of shape (H, W, C).
    """

    derives_modality = True
    channels = 1
    """Channels C that a frame has afterwards: ``in_channels`` of the model's backbone."""

    def transform(self, results: dict) -> dict:
        """Compute the modality of every clip.

        Args:
            results: Sample with decoded frames.

        Raises:
            ValueError: The frames are no RGB frames of 8 bits.
        """
        frames = list(results['imgs'])
        for frame in frames[:1]:
            if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
                raise WrongValueError(
                    f'{type(self).__name__}: got frames of shape {frame.shape} and {frame.dtype}; expected RGB frames '
                    '(H, W, 3) of uint8: put it before FormatShape, once'
                )
        length = results.get('clip_len') or len(frames)
        length = length if length > 1 else len(frames)  # frames by segment are one clip
        clips = [frames[start : start + length] for start in range(0, len(frames), length)]
        results['imgs'] = [np.ascontiguousarray(made) for clip in clips for made in self.make(clip)]
        return results

    def make(self, clip: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return as many frames (H, W, C) of uint8 as a clip has.

        Args:
            clip: RGB frames of one clip, in order.
        """
        raise NotImplementedError(f'{type(self).__name__} must say in make(clip) what it makes of RGB frames')


@TRANSFORMS.register_module()
@checked(bound=Number(0, above=True), preset=OneOf(*PRESETS))
class RGBToFlow(DerivedModality):
    """Optical flow from each frame to the next, by dense inverse search (DIS); the last one is repeated.

    Horizontal and vertical displacement in pixels, bounded and scaled to 8 bits as flow is kept in files: 128 is no
    motion, 0 and 255 are ``-bound`` and ``bound`` (about). The model has ``in_channels=2``, the data preprocessor
    ``mean=[128, 128]``.
    Source: Kroeger et al., Fast Optical Flow using Dense Inverse Search, ECCV 2016, in OpenCV.

    Args:
        bound: Displacement in pixels of the frames as they are then, above which motion is cut off.
        preset: Setting of DIS, from quick to thorough: ``'ultrafast'``, ``'fast'`` or ``'medium'``.

    Raises:
        ValueError: A frame has less than 16 pixels on a side.
    """

    channels = 2

    def __init__(self, bound: float = 8.0, preset: str = 'fast') -> None:
        self.bound, self.preset = bound, preset
        self._search: cv2.DISOpticalFlow | None = None

    def __getstate__(self) -> dict:
        return dict(self.__dict__, _search=None)  # OpenCV's object cannot be sent to a worker

    def make(self, clip: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the flow (H, W, 2) of every frame.

        Args:
            clip: RGB frames of one clip, in order.
        """
        height, width = clip[0].shape[:2]
        if min(height, width) < SMALLEST:
            raise WrongValueError(
                f'RGBToFlow: got frames of {width} x {height} pixels; expected at least {SMALLEST} on each side'
            )
        if self._search is None:
            self._search = cv2.DISOpticalFlow_create(PRESETS[self.preset])
        grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in clip]
        flows = [self._search.calc(here, there, None) for here, there in zip(grey, grey[1:], strict=False)]
        flows = flows or [np.zeros((height, width, 2), np.float32)]
        scaled = [_to_bytes(flow * (CENTRE - 1) / self.bound) for flow in flows]
        return scaled if len(scaled) == len(clip) else [*scaled, scaled[-1].copy()]


@TRANSFORMS.register_module()
@checked()
class RGBToDifference(DerivedModality):
    """Half the difference of each frame to the next, around 128; the last one is repeated.

    Source: Wang et al., Temporal Segment Networks, ECCV 2016, which stacks differences as a modality of its own.
    """

    channels = 3

    def make(self, clip: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the difference (H, W, 3) of every frame to the next.

        Args:
            clip: RGB frames of one clip, in order.
        """
        wide = [frame.astype(np.float32) for frame in clip]
        made = [_to_bytes((there - here) / 2) for here, there in zip(wide, wide[1:], strict=False)]
        made = made or [np.full_like(clip[0], CENTRE)]
        return made if len(made) == len(clip) else [*made, made[-1].copy()]


@TRANSFORMS.register_module()
@checked(low=Whole(0, 255), high=Whole(1, 255))
class RGBToContour(DerivedModality):
    """The edges of each frame (Canny): 255 on a contour, 0 elsewhere.

    Args:
        low: Gradient above which an edge goes on.
        high: Gradient above which an edge begins, at least ``low``.

    Raises:
        ValueError: ``high`` is below ``low``.
    """

    channels = 1

    def __init__(self, low: int = 60, high: int = 120) -> None:
        if high < low:
            raise WrongValueError(f'RGBToContour.high: got {high}; expected at least low={low}')
        self.low, self.high = low, high

    def make(self, clip: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the contours (H, W, 1) of every frame.

        Args:
            clip: RGB frames of one clip, in order.
        """
        return [cv2.Canny(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), self.low, self.high)[..., None] for frame in clip]


def derive(transforms: Sequence[Callable[[dict], dict]], frames: list[np.ndarray], clip_len: int) -> list[np.ndarray]:
    """Return what transforms make of frames.

    Args:
        transforms: Transforms that derive a modality, in order; none leaves the frames as they are.
        frames: Frames of all clips of one sample.
        clip_len: Frames of one clip.
    """
    for transform in transforms:
        frames = transform(dict(imgs=frames, clip_len=clip_len))['imgs']
    return frames


def _to_bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values + CENTRE), 0, 255).astype(np.uint8)
