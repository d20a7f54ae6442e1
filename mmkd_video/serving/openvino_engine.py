"""Asynchronous requests of OpenVINO."""

import queue
from collections.abc import Callable
from typing import Any

import numpy as np

from mmkd_video.export import OpenVINOModel
from mmkd_video.serving.inference_engine import InferenceEngine


class OpenVINOEngine(InferenceEngine):
    """Infer requests of a compiled model, each used again when its result was collected.

    ``AsyncInferQueue`` is not used: it gives results out of order and keeps the error of a request until all are waited
    for. See https://docs.openvino.ai/2026/openvino-workflow/running-inference.html.

    Args:
        model: Model in OpenVINO.
        requests: Clips at once.
    """

    def __init__(self, model: OpenVINOModel, requests: int = 2) -> None:
        super().__init__(model, requests)
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(requests):
            self._idle.put(model.compiled.create_infer_request())

    def submit(self, clip: np.ndarray) -> Callable[[], np.ndarray]:
        """See :meth:`InferenceEngine.submit`."""
        self.model.check(clip[None])
        request = self._idle.get()
        try:
            tensor = request.get_input_tensor()
            if tuple(tensor.shape) != (1, *clip.shape):  # of a file with dynamic sizes
                tensor.shape = (1, *clip.shape)
            tensor.data[0] = clip
            request.start_async()  # to hand the input over here would take five times as long
        except BaseException:
            self._idle.put(request)
            raise

        def collect() -> np.ndarray:
            try:
                request.wait()
                return request.get_output_tensor(0).data[0].copy()
            finally:
                self._idle.put(request)

        return collect

    def close(self) -> None:
        """See :meth:`InferenceEngine.close`."""
