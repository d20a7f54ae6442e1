"""A runtime in worker threads."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from mmkd_video.export import ExportedModel
from mmkd_video.serving.inference_engine import InferenceEngine


class ThreadsEngine(InferenceEngine):
    """A model that threads run: in as many as clips at once where the runtime is made for that, else in one.

    Args:
        model: Model of any runtime that gives the interpreter free while it computes.
        requests: Clips at once, each in a thread of its own.
    """

    def __init__(self, model: ExportedModel, requests: int = 2) -> None:
        super().__init__(model, requests)
        self._free = threading.Semaphore(requests)
        self._workers = ThreadPoolExecutor(requests if model.concurrent else 1, thread_name_prefix=model.backend)

    def submit(self, clip: np.ndarray) -> Callable[[], np.ndarray]:
        """See :meth:`InferenceEngine.submit`."""
        self._free.acquire()
        try:
            future = self._workers.submit(self.model, clip[None])
        except BaseException:
            self._free.release()
            raise

        def collect() -> np.ndarray:
            try:
                return future.result()[0]
            finally:
                self._free.release()

        return collect

    def close(self) -> None:
        """See :meth:`InferenceEngine.close`."""
        self._workers.shutdown(wait=False)
