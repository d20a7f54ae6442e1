"""A video with what the model said about it."""

import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from mmkd_video.core.files.temporary import TemporaryFile, sync_folder
from mmkd_video.core.mistakes import UnwrittenFileError, WrongValueError
from mmkd_video.serving.caption import draw_caption
from mmkd_video.serving.prediction import Prediction

DEFAULT_FPS = 25.0
LEGIBLE_SIDE = 160  # pixels of the shorter side; smaller pictures are enlarged by a whole factor
WAITING_BYTES = 512 * 2**20


class AnnotatedVideo:
    """Write the pictures of a stream with the label of the latest window that holds them.

    Small pictures are enlarged, so that the label can be read. Pictures wait in memory until their window is scored.
    One that is of no window bears the label before it; so does one that waited until there were too many. The file is
    written beside ``path`` and takes its place when it is closed, if it can be read and holds every picture.

    Args:
        path: Path that ends in ``.mp4``.
        classes: All names.
        fps: Pictures a second of the video; 25 where it is 0.
        count: Classes to name.
        waiting_bytes: Bytes of the pictures that may wait.

    Raises:
        ValueError: The name ends otherwise.
    """

    def __init__(
        self,
        path: str | Path,
        classes: tuple[str, ...],
        fps: float = 0.0,
        count: int = 1,
        waiting_bytes: int = WAITING_BYTES,
    ) -> None:
        self.path, self.classes, self.fps, self.count = Path(path), classes, fps or DEFAULT_FPS, count
        if self.path.suffix != '.mp4':
            raise WrongValueError(f'annotate: got {str(path)!r}, expected a name that ends in .mp4')
        self._file: TemporaryFile | None = None
        self._waiting: deque[tuple[int, np.ndarray]] = deque()
        self._waiting_bytes, self._most_bytes = 0, waiting_bytes
        self._lock, self._drawing = threading.Lock(), threading.Lock()
        self._closed = False
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self._written = 0
        self._lines: list[str] = []

    def watch(self, number: int, image: np.ndarray) -> None:
        """Take a picture; from the reader's thread.

        Args:
            number: Number of the picture.
            image: ``(H, W, 3)`` uint8, BGR.
        """
        with self._lock:
            if self._closed:
                return
            self._waiting.append((number, image))
            self._waiting_bytes += image.nbytes
            full = self._waiting_bytes > self._most_bytes
        if full:
            self._write(lambda _: self._waiting_bytes > self._most_bytes)

    def label(self, prediction: Prediction) -> None:
        """Write the pictures up to the end of a window.

        Args:
            prediction: Prediction of that window.
        """
        self._lines = [f'{name} {score:.0%}' for name, score in prediction.top(self.classes, self.count)]
        self._write(lambda number: number <= prediction.last)

    def close(self) -> None:
        """Write what is left and put the file in its place.

        Raises:
            OSError: It could not be written, or not all of it; it is then removed.
        """
        self._write(lambda _: True)
        with self._drawing:
            self._closed = True
            if self._writer is not None:
                self._writer.release()
                self._writer = None
                self._place()

    def _place(self) -> None:
        try:
            found = _pictures_in(self._file.path)  # OpenCV is silent about a full disk
            if found != self._written:
                raise UnwrittenFileError(
                    f'annotate: {self.path}: only {found} of {self._written} pictures could be written; '
                    'is the disk full?'
                )
            self._file.commit()
            sync_folder(self.path.parent)
        finally:
            self._file.discard()

    def _write(self, due: Callable[[int], bool]) -> None:
        """Write the pictures that wait longest, while ``due`` says so of their numbers; from either thread."""
        with self._drawing:
            while not self._closed:
                with self._lock:
                    if not self._waiting or not due(self._waiting[0][0]):
                        return
                    _, image = self._waiting.popleft()
                    self._waiting_bytes -= image.nbytes
                self._draw(image)

    def _draw(self, image: np.ndarray) -> None:
        if self._writer is None:
            self._open(image)
        smaller = image.shape[0] * image.shape[1] < self._size[0] * self._size[1]
        if image.shape[1::-1] != self._size:
            image = cv2.resize(image, self._size, interpolation=cv2.INTER_CUBIC if smaller else cv2.INTER_AREA)
        image = image.copy()
        draw_caption(image, self._lines)
        self._writer.write(image)
        self._written += 1

    def _open(self, image: np.ndarray) -> None:
        height, width = image.shape[:2]
        factor = -(-LEGIBLE_SIDE // min(height, width))
        self._size = width * factor, height * factor
        self.path.parent.mkdir(parents=True, exist_ok=True)
        code = cv2.VideoWriter_fourcc(*'mp4v')
        self._file = TemporaryFile(self.path, ending='.mp4')
        self._writer = cv2.VideoWriter(str(self._file.path), code, self.fps, self._size)
        if not self._writer.isOpened():
            self._file.discard()
            raise UnwrittenFileError(f'annotate: OpenCV cannot write {self.path}')


def _pictures_in(path: Path) -> int:
    """Return how many pictures a video says it holds; 0 where its first or its last one cannot be read."""
    capture = cv2.VideoCapture(str(path))
    try:
        count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
        for number in {0, count - 1} if count > 0 else ():
            capture.set(cv2.CAP_PROP_POS_FRAMES, number)
            if not capture.read()[0]:
                return 0
        return max(count, 0)
    finally:
        capture.release()
