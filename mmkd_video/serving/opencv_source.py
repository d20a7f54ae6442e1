"""Files, cameras and network streams through OpenCV: the fastest sequential reader that was measured."""

import time
from pathlib import Path

import cv2
import numpy as np

from mmkd_video.core.mistakes import MissingFileError, WrongValueError
from mmkd_video.serving.video_source import SourceLostError, VideoSource

OPEN_TIMEOUT, READ_TIMEOUT = 10_000, 10_000  # milliseconds; a network stream that hangs is a lost one
FILE_URL = 'file://'


class OpenCVSource(VideoSource):
    """A video that ``cv2.VideoCapture`` reads.

    Args:
        name: A file, the number or device of a camera (``'0'``, ``'/dev/video0'``), or an address such as
            ``'rtsp://...'``.
        threads: Number of the decoder's threads; FFmpeg's choice by default. Each of FFmpeg's holds a picture
            back.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: ``threads`` is below 1.
    """

    def __init__(self, name: str | Path, threads: int | None = None) -> None:
        self.name = str(name).removeprefix(FILE_URL)
        if threads is not None and threads < 1:
            raise WrongValueError(f'decoder threads: got {threads}, expected at least 1')
        self.threads = threads
        self.remote = '://' in self.name
        self.camera = self.name.isdecimal() or self.name.startswith('/dev/')
        self.live = self.remote or self.camera  # until it is opened: a file may lie behind an address
        if not self.live and not Path(self.name).is_file():
            raise MissingFileError(f'there is no file {self.name}; expected a video, a folder, a camera or an address')
        self._capture: cv2.VideoCapture | None = None
        self._began = 0.0

    def open(self) -> None:
        """See :meth:`VideoSource.open`."""
        self.close()
        capture = self._open_capture()
        if not capture.isOpened():
            capture.release()
            if self.live:
                raise SourceLostError(f'{self.name} cannot be reached')
            raise WrongValueError(f'{self.name} is no video that OpenCV can read')
        self._capture = capture
        self._began = self._began or time.monotonic()
        if self.name.startswith(('http://', 'https://')):
            self.live = self._property(cv2.CAP_PROP_FRAME_COUNT) == 0

    def _open_capture(self) -> cv2.VideoCapture:
        if self.camera:
            return cv2.VideoCapture(int(self.name) if self.name.isdecimal() else self.name)
        options = []
        if self.remote:
            options += [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_TIMEOUT, cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_TIMEOUT]
        if self.threads is not None:
            options += [cv2.CAP_PROP_N_THREADS, self.threads]
        return cv2.VideoCapture(self.name, cv2.CAP_FFMPEG, options)

    def grab(self) -> bool:
        """See :meth:`VideoSource.grab`."""
        return self._capture is not None and self._capture.grab()

    def retrieve(self) -> np.ndarray | None:
        """See :meth:`VideoSource.retrieve`."""
        done, image = self._capture.retrieve()
        return image if done and image is not None and image.size else None

    def position(self) -> float:
        """See :meth:`VideoSource.position`; for a live source, since it was first opened."""
        if self.live:
            return time.monotonic() - self._began
        return self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000

    def close(self) -> None:
        """See :meth:`VideoSource.close`."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    @property
    def fps(self) -> float:
        """See :attr:`VideoSource.fps`."""
        return self._property(cv2.CAP_PROP_FPS)

    @property
    def frame_count(self) -> int:
        """See :attr:`VideoSource.frame_count`."""
        return 0 if self.live else int(self._property(cv2.CAP_PROP_FRAME_COUNT))

    def _property(self, which: int) -> float:
        value = 0.0 if self._capture is None else self._capture.get(which)
        return value if 0 < value < 1e9 else 0.0  # unknown is 0, -1, NaN or a huge number, by container
