"""The same moment in another video: another camera, or a crop that was tracked beforehand."""

import os
from collections.abc import Callable

import numpy as np

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.views.transform_replay import ViewFrames


class OtherCamera:
    """Read the frames of a moment from a video whose path follows from that of the clip.

    Args:
        name: Name of the view, for messages.
        replace: A part of the clip's path, and what stands in its place here; of several such parts the last counts.
        align: ``'start'``: frames are counted from the first; ``'end'``: from the last.
        shift: Frames that are added to those of the clip.
        opening: Transform that opens a video, such as ``DecordInit``.
        decode: Transform that decodes it.
    """

    def __init__(
        self,
        name: str,
        replace: tuple[str, str],
        align: str,
        shift: int,
        opening: Callable[[dict], dict],
        decode: Callable[[dict], dict],
    ) -> None:
        self.name, self.replace, self.align, self.shift = name, replace, align, shift
        self.opening, self.decode = opening, decode

    def path_of(self, clip: str) -> str:
        """Return the path of the video.

        Args:
            clip: Path of the clip.

        Raises:
            ValueError: The clip's path does not hold what is to be replaced.
        """
        old, new = self.replace
        head, found, tail = clip.rpartition(old)
        if not found:
            raise WrongValueError(
                f'MultiView.views.{self.name}.replace: got {self.replace!r}, but the path of a clip, {clip!r}, does '
                f'not hold {old!r}; expected a part of it, such as a folder with its separators'
            )
        return head + new + tail

    def read(self, clip: str, frames: np.ndarray, total_frames: int) -> ViewFrames | None:
        """Return the frames, or None where there is no such file.

        Frames before the first or behind the last are that one.

        Args:
            clip: Path of the clip.
            frames: Frames of the clip, counted from 0, any shape.
            total_frames: Frames that the clip has.

        Raises:
            ValueError: The clip's path does not hold what is to be replaced.
        """
        path = self.path_of(clip)
        if not os.path.isfile(path):
            return None
        opened = self.opening(dict(filename=path, start_index=0, modality='RGB'))
        there = opened['total_frames']
        offset = self.shift + (there - total_frames if self.align == 'end' else 0)
        wanted = np.clip(np.reshape(frames, -1) + offset, 0, there - 1)
        opened['frame_inds'], where = np.unique(wanted, return_inverse=True)
        decoded = self.decode(opened)['imgs']
        return ViewFrames([decoded[place].copy() for place in where])  # transforms write into frames
