"""Windows over a stream that share their frames."""

from dataclasses import dataclass

import numpy as np

from mmkd_video.core.mistakes import WrongValueError


@dataclass(frozen=True)
class Window:
    """What a model sees at once.

    Args:
        frames: Prepared frames in the order of time; windows that overlap hold the same arrays.
        first: Number of its first picture in the stream, from 0.
        last: Number of its last.
        start: Time at which the first is shown, in seconds.
        end: Time at which the last is shown.
        captured: Time at which the last was there, on the monotonic clock.
        segment: Number of times that the stream was interrupted before.
        chain: Number of the row of frames that it goes on, where a model keeps states; None elsewhere.
        silent: Whether nobody asked for its scores: a model with states has to see all frames.
    """

    frames: tuple[np.ndarray, ...]
    first: int
    last: int
    start: float
    end: float
    captured: float
    segment: int = 0
    chain: int | None = None
    silent: bool = False


class SlidingWindow:
    """A ring of prepared frames from which windows are taken.

    Window k of a segment holds the pictures ``k * hop + i * interval``, i from 0 to ``frames - 1``. A picture is
    prepared if at least one window needs it; until the first window is whole, every picture is, because a video that is
    shorter than a window is repeated as MMAction2's ``SampleFrames`` does.

    Args:
        frames: Number of frames of a window.
        interval: Pictures from one frame of a window to the next.
        hop: Pictures from one window to the next.
        repeat_last: Whether to fill a video that is too short with its last frame, instead of beginning again.

    Raises:
        ValueError: A number is below 1.
    """

    def __init__(self, frames: int, interval: int, hop: int, repeat_last: bool = False) -> None:
        for name, value in (('frames', frames), ('interval', interval), ('hop', hop)):
            if value < 1:
                raise WrongValueError(f'{name}: got {value}, expected at least 1')
        self.offsets = [index * interval for index in range(frames)]
        self.hop, self.repeat_last = hop, repeat_last
        self.count, self.segment = 0, 0
        self._needed = {offset % hop for offset in self.offsets}
        self._begin()

    @property
    def span(self) -> int:
        """Pictures from the first to the last of a window, both counted."""
        return self.offsets[-1] + 1

    @property
    def wanted(self) -> bool:
        """Whether the next picture has to be prepared."""
        inside = self.count - self._base
        return inside < self.span or inside % self.hop in self._needed

    def push(self, frame: np.ndarray | None, time: float, captured: float) -> Window | None:
        """Take the next picture.

        Args:
            frame: The prepared picture; None where it was not wanted.
            time: Time at which it is shown, in seconds.
            captured: Time at which it was there, on the monotonic clock.

        Returns:
            The window that it completes, if it does.
        """
        if frame is not None:
            self._ring[self.count] = (frame, time)
        self._last = (time, captured)
        self.count += 1
        if self.count < self._start + self.span:
            return None
        window = self._window_of([self._start + offset for offset in self.offsets])
        self._start += self.hop
        for number in [number for number in self._ring if number < self._start]:
            del self._ring[number]
        return window

    def interrupt(self) -> None:
        """Begin anew: no window reaches over the gap. The numbers of pictures go on."""
        self.segment += 1
        self._begin()

    def finish(self) -> Window | None:
        """Return the one window of a stream that was shorter than a window; None for any other."""
        length = self.count - self._base
        if self._start > self._base or not length or self.segment:
            return None
        if self.repeat_last:
            last = max(offset for offset in self.offsets if offset < length)
            places = [offset if offset < length else last for offset in self.offsets]
        else:
            places = [offset % length for offset in self.offsets]
        return self._window_of([self._base + place for place in places])

    def _begin(self) -> None:
        self._ring: dict[int, tuple[np.ndarray, float]] = {}
        self._base = self._start = self.count
        self._last = (0.0, 0.0)

    def _window_of(self, numbers: list[int]) -> Window:
        time, captured = self._last
        return Window(
            frames=tuple(self._ring[number][0] for number in numbers),
            first=self._start,
            last=self.count - 1,
            start=self._ring[self._start][1],
            end=time,
            captured=captured,
            segment=self.segment,
        )
