"""Single frames of a stream, for models that keep states."""

from collections import deque

import numpy as np

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.export import ExportMetadata
from mmkd_video.serving.sliding_window import SlidingWindow, Window

MOST_BYTES = 2**31  # of the states of all chains
STATE_BYTES = 4


class FrameByFrame:
    """The frames that a model with states is given, one at a time; in the place of a :class:`SlidingWindow`.

    Its frames are ``interval`` pictures apart, as they were in training. Where scores are wanted more often, several
    chains of frames run side by side, each with states of its own: at hop 1 every picture is computed, once. Where they
    are wanted less often, all frames are computed, and scores in between are silent.

    Args:
        metadata: Metadata of the model.
        interval: Pictures from one frame to the next of a chain.
        hop: Pictures from one prediction to the next: a part of ``interval``, or a multiple.
        path: Path of the model's file, for messages.

    Attributes:
        chains: Number of chains.
        offsets: Places of a clip's frames after its first picture: what the model was trained on.

    Raises:
        ValueError: ``hop`` is neither, or there would be too many states.
    """

    def __init__(self, metadata: ExportMetadata, interval: int, hop: int, path: object = 'the model') -> None:
        if hop < 1 or max(hop, interval) % min(hop, interval):
            raise WrongValueError(
                f'hop: got {hop}; {path} sees a frame every {interval} pictures; expected a part of {interval} '
                'without rest, such as 1, or a multiple of it'
            )
        self.hop, self.interval, self.step = hop, interval, min(hop, interval)
        self.chains = interval // self.step
        numbers = sum(int(np.prod(each['shape'])) for each in metadata.states)
        if self.chains * numbers * STATE_BYTES > MOST_BYTES:
            raise WrongValueError(
                f'hop: got {hop}, for which {path} would keep {self.chains} times its states, more than {MOST_BYTES} '
                f'bytes; expected a larger one, such as {interval}'
            )
        self.offsets = [index * interval for index in range(metadata.frames)]
        self.count = self.segment = 0
        self._begin()

    @property
    def span(self) -> int:
        """Pictures from the first to the last of a clip as the model was trained on, both counted."""
        return self.offsets[-1] + 1

    @property
    def wanted(self) -> bool:
        """Whether the next picture has to be prepared."""
        return (self.count - self._base) % self.step == 0

    def push(self, frame: np.ndarray | None, time: float, captured: float) -> Window | None:
        """Take the next picture.

        Args:
            frame: The prepared picture; None where it was not wanted.
            time: Time at which it is shown, in seconds.
            captured: Time at which it was there, on the monotonic clock.

        Returns:
            The window of this one frame, if it was wanted. It says how far back a clip would reach.
        """
        wanted, inside = self.wanted, self.count - self._base
        self._times.append(time)
        self.count += 1
        if not wanted or frame is None:
            return None
        return Window(
            frames=(frame,),
            first=self.count - len(self._times),
            last=self.count - 1,
            start=self._times[0],
            end=time,
            captured=captured,
            segment=self.segment,
            chain=inside // self.step % self.chains,
            silent=inside % self.hop != 0,
        )

    def interrupt(self) -> None:
        """Begin anew: states do not reach over the gap. The numbers of pictures go on."""
        self.segment += 1
        self._begin()

    def finish(self) -> Window | None:
        """Return None: every frame had its scores."""
        return None

    def _begin(self) -> None:
        self._base = self.count
        self._times: deque[float] = deque(maxlen=self.span)


def window_of(
    metadata: ExportMetadata, interval: int, hop: int, path: object = 'the model'
) -> SlidingWindow | FrameByFrame:
    """Return what takes a model's input from a stream.

    Args:
        metadata: Metadata of the model.
        interval: Pictures between two frames.
        hop: Pictures between two predictions.
        path: Path of the model's file, for messages.

    Raises:
        ValueError: A number is not possible.
    """
    if metadata.streams:
        return FrameByFrame(metadata, interval, hop, path)
    repeat_last = any(step.get('out_of_bound_opt') == 'repeat_last' for step in metadata.pipeline)
    return SlidingWindow(metadata.frames, interval, hop, repeat_last)
