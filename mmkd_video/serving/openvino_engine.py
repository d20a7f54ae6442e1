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
        model: In OpenVINO.
        requests: Clips at once.
    """

    def __init__(self, model: OpenVINOModel, requests: int = 2) -> None:
        super().__init__(model, requests)
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(requests):
            self._idle.put(model.compiled.create_infer_request())

    def submit(self, clip: np.ndarray) -> Callable[[], np.ndarray]:
        """See :meth:`InferenceEngine.submit`."""
        batch = np.ascontiguousarray(clip[None])
        self.model.check(batch)
        request = self._idle.get()
        try:
            request.start_async([batch], share_inputs=True)
        except BaseException:
            self._idle.put(request)
            raise

        def collect(batch: np.ndarray = batch) -> np.ndarray:  # holds the input, which the request reads in place
            try:
                request.wait()
                return request.get_output_tensor(0).data[0].copy()
            finally:
                self._idle.put(request)

        return collect

    def close(self) -> None:
        """See :meth:`InferenceEngine.close`."""
