"""A clip as a small moving picture that a page can hold."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

FRAMES, SIDE = 24, 176  # at most
LARGEST = 600_000  # bytes of a moving picture
LONGEST = 100_000  # frames of a video that is looked at
QUALITY = 55
SLOWEST, FASTEST = 400, 40  # milliseconds that a frame stays


@dataclass(frozen=True)
class MovingClip:
    """A clip.

    Args:
        moving: Animated WebP.
        still: Its middle frame, for whoever wants nothing to move.
        width: Pixels.
        height: Pixels.
        frames: Number of frames that are shown.
    """

    moving: bytes
    still: bytes
    width: int
    height: int
    frames: int

    @property
    def moving_address(self) -> str:
        """The animation as an address that needs no other file."""
        return _address(self.moving)

    @property
    def still_address(self) -> str:
        """The still as an address that needs no other file."""
        return _address(self.still)

    @property
    def size(self) -> int:
        """Bytes of both in the page."""
        return len(self.moving_address) + len(self.still_address)


def moving_clip(path: Path) -> MovingClip | None:
    """Return a video as a moving picture, its frames spread over its whole length; None where it cannot be read.

    Args:
        path: Path of the video; nothing but a file is opened.
    """
    if not path.is_file():
        return None
    frames, milliseconds = _frames(path)
    if not frames:
        return None
    while True:
        moving = _webp(frames, milliseconds)
        if len(moving) <= LARGEST or len(frames) < 3:
            break
        frames, milliseconds = frames[::2], 2 * milliseconds
    if len(moving) > LARGEST:
        return None
    height, width = frames[0].shape[:2]
    still = _webp([frames[len(frames) // 2]], milliseconds)
    return MovingClip(moving, still, width, height, len(frames))


def _frames(path: Path) -> tuple[list[np.ndarray], int]:
    """Return frames in RGB, and how many milliseconds each stays."""
    video = cv2.VideoCapture(str(path))
    try:
        total, rate = video.get(cv2.CAP_PROP_FRAME_COUNT), video.get(cv2.CAP_PROP_FPS)
        rate = rate if 1 <= rate <= 240 else 25.0
        total = int(total) if 1 <= total <= LONGEST else LONGEST
        step = max(1, -(-total // FRAMES))
        found = []
        for index in range(total):
            if not video.grab() or len(found) == FRAMES:
                break
            if index % step == 0:
                read, frame = video.retrieve()
                if not read:
                    break
                found.append(_small(frame))
    except cv2.error:
        return [], 0
    finally:
        video.release()
    return found, int(min(max(1000 * step / rate, FASTEST), SLOWEST))


def _small(frame: np.ndarray) -> np.ndarray:
    factor = min(1.0, SIDE / max(frame.shape[:2]))
    if factor < 1:
        height, width = (max(1, round(factor * side)) for side in frame.shape[:2])
        frame = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)


def _webp(frames: Sequence[np.ndarray], milliseconds: int) -> bytes:
    from PIL import Image

    first, *others = (Image.fromarray(frame) for frame in frames)
    written = io.BytesIO()
    moving = dict(save_all=True, append_images=others, duration=milliseconds, loop=0) if others else {}
    first.save(written, format='WEBP', quality=QUALITY, method=4, **moving)
    return written.getvalue()


def _address(content: bytes) -> str:
    return f'data:image/webp;base64,{base64.b64encode(content).decode()}'
