"""A model with states, which sees frames in their order."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.export import ExportedModel, FrameStream
from mmkd_video.serving.inference_engine import InferenceEngine


class FrameEngine(InferenceEngine):
    """A file that takes one frame at a time, in a thread of its own: each frame needs the states of the one before.

    Args:
        model: Model with states, in any runtime.
        requests: Frames that may wait for the model.
    """

    def __init__(self, model: ExportedModel, requests: int = 2) -> None:
        super().__init__(model, requests)
        self._free = threading.Semaphore(requests)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix=model.backend)
        self._streams: dict[int, tuple[FrameStream, int]] = {}

    def begin(self) -> None:
        """Begin another video: states are forgotten. Frames on their way are still those of the video before."""
        self._worker.submit(self._streams.clear)

    def submit(self, clip: np.ndarray, chain: int = 0, segment: int = 0) -> Callable[[], np.ndarray]:
        """Start on a frame; wait while the results of ``requests`` earlier ones were not asked for.

        Args:
            clip: ``(C, H, W)``, the next frame of its chain.
            chain: Number of the chain whose states it goes on.
            segment: Number of interruptions before it; after each, states begin anew.

        Returns:
            See :meth:`InferenceEngine.submit`.
        """
        metadata = self.model.metadata
        if clip.shape != metadata.frame_shape or clip.dtype != np.dtype(metadata.dtype):
            raise WrongValueError(
                f'{self.model.path} takes a frame {metadata.frame_shape} of {metadata.dtype} at a time, got '
                f'{clip.shape} of {clip.dtype}'
            )
        self._free.acquire()
        try:
            future = self._worker.submit(self._run, clip, chain, segment)
        except BaseException:
            self._free.release()
            raise

        def collect() -> np.ndarray:
            try:
                return future.result()
            finally:
                self._free.release()

        return collect

    def close(self) -> None:
        """See :meth:`InferenceEngine.close`."""
        self._worker.shutdown(wait=False)

    def _run(self, frame: np.ndarray, chain: int, segment: int) -> np.ndarray:
        stream, before = self._streams.get(chain) or (self.model.begin(), segment)
        if segment != before:
            stream.reset()
        self._streams[chain] = stream, segment
        return stream(frame)
