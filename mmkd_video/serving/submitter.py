"""Windows on their way through the model."""

import contextlib
import queue
import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from mmkd_video.serving.frame_preparer import FramePreparer
from mmkd_video.serving.inference_engine import InferenceEngine
from mmkd_video.serving.sliding_window import Window


class Submitter:
    """Hand windows to an engine, and give their results out in the same order.

    For the reader it is a :class:`WindowQueue` that drops nothing: whoever puts a window in waits until the engine has
    room for it. The frames of a window that the engine has are not kept.

    Args:
        engine: Engine of the model.
        preparer: Preparer that lays windows out.
    """

    dropped = 0

    def __init__(self, engine: InferenceEngine, preparer: FramePreparer) -> None:
        self.engine, self.preparer = engine, preparer
        self._results: queue.SimpleQueue = queue.SimpleQueue()
        self._aborted = False
        self._deciding = threading.Lock()  # whether a result is collected by who gets it or by who put it

    def put(self, window: Window) -> None:
        """Start on a window; wait while the engine has no room. After :meth:`abort`, it is forgotten."""
        if self._aborted:
            return
        place = () if window.chain is None else (window.chain, window.segment)
        result = self.engine.submit(self.preparer.assemble(window.frames), *place)
        with self._deciding:
            if not self._aborted:
                self._results.put((replace(window, frames=()), result))
                return
        _give_back(result)

    def get(self) -> tuple[Window, Callable[[], np.ndarray]] | None:
        """Return the next window, without frames, and what waits for its ``(K,)`` scores; None after the last."""
        return self._results.get()

    def close(self) -> None:
        """Say that no window follows."""
        self._results.put(None)

    def abort(self) -> None:
        """Close, and give the engine back what it works on, without a wait for who puts windows in."""
        with self._deciding:
            self._aborted = True
        with contextlib.suppress(queue.Empty):
            while True:
                item = self._results.get_nowait()
                if item is not None:
                    _give_back(item[1])
        self.close()


def _give_back(result: Callable[[], np.ndarray]) -> None:
    with contextlib.suppress(Exception):  # nobody is there to hear it
        result()
