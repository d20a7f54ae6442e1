"""PyAV behind decord's interface."""

import bisect
import io
from collections.abc import Iterable
from typing import Any

import numpy as np

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.optional_packages import import_extra
from mmkd_video.datasets.decoders.frames import Frames, IndexedReader


class PyAVReader(IndexedReader):
    """Read a video with FFmpeg through PyAV, by exact frame indices.

    The packets tell where each frame is shown and from where decoding can begin; of files that do not say, all frames
    are decoded.

    Args:
        content: The file.
        threads: Threads that decode.

    Raises:
        ImportError: PyAV is not installed.
        Exception: As PyAV raises for what it cannot read.
    """

    def __init__(self, content: bytes, threads: int = 1) -> None:
        av = import_extra('av', 'pyav')
        self._open = lambda: av.open(io.BytesIO(content))
        self._container = self._open()
        if not self._container.streams.video:
            raise WrongValueError('holds no video')
        self._stream = self._container.streams.video[0]
        self._stream.thread_count = threads
        self._stream.thread_type = 'SLICE' if threads == 1 else 'AUTO'
        self._frames: list[np.ndarray] | None = None
        rate = self._stream.average_rate or self._stream.guessed_rate
        self._rate = float(rate) if rate else 0.0
        packets = [packet for packet in self._container.demux(self._stream) if packet.size and not packet.is_discard]
        self._times = sorted(packet.pts for packet in packets if packet.pts is not None)
        self._keys = sorted(packet.pts for packet in packets if packet.is_keyframe and packet.pts is not None)
        if len(set(self._times)) < len(packets) or not self._keys:
            self._frames = self._decode_all()
        if not len(self):
            raise WrongValueError('holds no frames')

    def __len__(self) -> int:
        return len(self._times if self._frames is None else self._frames)

    def get_avg_fps(self) -> float:
        """Return frames a second."""
        return self._rate

    def get_batch(self, indices: Iterable[int]) -> Frames:
        """Return frames in the order of ``indices``.

        Raises:
            IndexError: There is no such frame, or it cannot be decoded.
        """
        wanted = [int(index) for index in indices]
        for index in wanted:
            if not 0 <= index < len(self):
                raise IndexError(f'frame {index} of {len(self)}')
        if self._frames is not None:
            return Frames(np.stack([self._frames[index] for index in wanted]))
        found = self._decode(sorted(set(wanted)))
        if found is None:
            self._frames = self._decode_all()
            return self.get_batch(wanted)
        return Frames(np.stack([found[index] for index in wanted]))

    def _decode(self, indices: list[int]) -> dict[int, np.ndarray] | None:
        """Decode frames from the last key frame before each; None where one is not at its time."""
        found: dict[int, np.ndarray] = {}
        frames, at = iter(()), None
        for index in indices:
            time = self._times[index]
            key = self._keys[max(bisect.bisect_right(self._keys, time) - 1, 0)]
            if at is None or key > at:
                self._container.seek(key, stream=self._stream, backward=True)
                frames = self._container.decode(self._stream)
            for frame in frames:
                at = frame.pts
                if at is not None and at >= time:
                    break
            if at != time:
                return None
            found[index] = _picture(frame)
        return found

    def _decode_all(self) -> list[np.ndarray]:
        """Decode all frames in order; the last one stands for those that the file counts and does not have."""
        self._container.close()
        self._container = self._open()
        frames = [_picture(frame) for frame in self._container.decode(self._container.streams.video[0])]
        return frames + frames[-1:] * (len(self._times) - len(frames))


def _picture(frame: Any) -> np.ndarray:
    """Return a frame ``(H, W, 3)`` as it is to be shown, upright."""
    picture = frame.to_ndarray(format='rgb24')
    turns = round(getattr(frame, 'rotation', 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(picture, turns)) if turns else picture
