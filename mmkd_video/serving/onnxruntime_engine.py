"""ONNX Runtime in worker threads."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from mmkd_video.export import OnnxRuntimeModel
from mmkd_video.serving.inference_engine import InferenceEngine


class OnnxRuntimeEngine(InferenceEngine):
    """A session that several threads run: sessions are made for that, and give the interpreter free while they compute.

    Args:
        model: Model in ONNX Runtime.
        requests: Clips at once, each in a thread of its own.
    """

    def __init__(self, model: OnnxRuntimeModel, requests: int = 2) -> None:
        super().__init__(model, requests)
        self._free = threading.Semaphore(requests)
        self._workers = ThreadPoolExecutor(requests, thread_name_prefix='onnxruntime')

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
