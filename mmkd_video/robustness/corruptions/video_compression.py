"""A codec that has too few bits."""

import cv2
import numpy as np

from mmkd_video.core.checked import checked
from mmkd_video.core.mistakes import WorkFailedError
from mmkd_video.core.registry import TRANSFORMS
from mmkd_video.robustness.corruptions.corruption import KEYS, Corruption

QUALITY = (40, 25, 15, 7, 1)  # of 100, as the encoder counts it
DURATION = 40  # milliseconds of a frame, which the encoder asks for


@TRANSFORMS.register_module()
@checked(**KEYS)
class VideoCompression(Corruption):
    """The clip is encoded with AV1 and decoded again: blocks, smear, and errors that go on from frame to frame.

    OpenCV's encoder (libaom, in an image sequence of AVIF) is given quality 40, 25, 15, 7 or 1 of 100. It sees the
    sampled frames as a video of their own, so frames far apart cost it more bits than neighbours would. Colour is kept
    at half the resolution, as nearly everywhere.

    Raises:
        RuntimeError: This OpenCV cannot write or read such files, which versions from 4.12 with AVIF can.
    """

    def corrupt(self, frames: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
        """See :meth:`Corruption.corrupt`."""
        # of a single frame OpenCV makes a picture, which it does not read as a sequence
        given = frames if len(frames) > 1 else frames * 2
        try:
            clip = cv2.Animation()
            clip.frames = [np.ascontiguousarray(frame[..., ::-1]) for frame in given]
            clip.durations = [DURATION] * len(given)
            options = [cv2.IMWRITE_AVIF_QUALITY, self.level(QUALITY), cv2.IMWRITE_AVIF_SPEED, 9]
            written, content = cv2.imencodeanimation('.avif', clip, options)
            read, found = cv2.imdecodeanimation(content) if written else (False, None)
        except (AttributeError, cv2.error) as error:
            raise _no_codec(str(error).splitlines()[0]) from error
        if not read or len(found.frames) != len(given):
            raise _no_codec('what it wrote does not read')
        return [np.ascontiguousarray(frame[..., 2::-1]) for frame in found.frames[: len(frames)]]


def _no_codec(reason: str) -> WorkFailedError:
    return WorkFailedError(
        f'VideoCompression: OpenCV {cv2.__version__} cannot encode AV1 ({reason}); expected opencv-python 4.12 or '
        'later with AVIF; leave VideoCompression out, or install such'
    )
