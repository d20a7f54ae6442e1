"""Frames at even distances over most of a video."""

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform

from mmkd_video.core.checked import ListOf, Number, Whole, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import TRANSFORMS


@TRANSFORMS.register_module()
@checked(clip_len=Whole(1), span=ListOf(Number(0, 1, above=True), length=2))
class SpanSample(BaseTransform):
    """Take frames at even distances over a random part of a video; over all of it in a test.

    The distance of neighbouring frames is the same within a clip, so that what changes from one to the next is motion;
    ``UniformSample`` draws every frame by itself. Where the video is shorter than the clip, frames come twice.

    Required keys are ``total_frames`` and ``start_index``; added are ``frame_inds``, ``clip_len``, ``num_clips`` and
    ``frame_interval`` (None).

    Args:
        clip_len: Frames of the clip.
        span: Smallest and largest part of the video, above 0 and at most 1.
        test_mode: The whole video, nothing random.

    Raises:
        ValueError: ``span`` is out of its range.
    """

    def __init__(self, clip_len: int, span: Sequence[float] = (0.8, 1.0), test_mode: bool = False) -> None:
        if span[0] > span[1]:
            raise WrongValueError(f'SpanSample.span: got {span!r}; expected the smaller part first')
        self.clip_len, self.span, self.test_mode = clip_len, tuple(span), test_mode

    def transform(self, results: dict) -> dict:
        """Choose the frames."""
        last = results['total_frames'] - 1
        part, start = (1.0, 0.5) if self.test_mode else (np.random.uniform(*self.span), np.random.uniform())
        first = start * (1 - part) * last
        chosen = np.linspace(first, first + part * last, self.clip_len)
        results['frame_inds'] = np.floor(chosen + 0.5).astype(np.int32) + results['start_index']
        results.update(clip_len=self.clip_len, num_clips=1, frame_interval=None)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(clip_len={self.clip_len}, span={self.span}, test_mode={self.test_mode})'
