"""Engines by the runtime of a model."""

from mmkd_video.export import ExportedModel
from mmkd_video.serving.inference_engine import InferenceEngine
from mmkd_video.serving.onnxruntime_engine import OnnxRuntimeEngine
from mmkd_video.serving.openvino_engine import OpenVINOEngine

ENGINES: dict[str, type[InferenceEngine]] = {'onnxruntime': OnnxRuntimeEngine, 'openvino': OpenVINOEngine}


def build_engine(model: ExportedModel, requests: int = 2) -> InferenceEngine:
    """Return the engine for a model.

    Args:
        model: Model from ``load_exported``, best with ``batch=1``.
        requests: Clips at once.

    Raises:
        ValueError: There is none for its runtime, or ``requests`` is below 1.
    """
    if model.backend not in ENGINES:
        raise ValueError(f'backend: got {model.backend!r}, expected one of {", ".join(ENGINES)}')
    return ENGINES[model.backend](model, requests)
