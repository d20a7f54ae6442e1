"""Engines by the runtime of a model."""

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.export import ExportedModel, export_backends
from mmkd_video.serving.frame_engine import FrameEngine
from mmkd_video.serving.inference_engine import InferenceEngine
from mmkd_video.serving.openvino_engine import OpenVINOEngine
from mmkd_video.serving.threads_engine import ThreadsEngine

ENGINES: dict[str, type[InferenceEngine]] = {'openvino': OpenVINOEngine}
"""Engines made for one runtime; all others run in threads."""


def build_engine(model: ExportedModel, requests: int = 2) -> InferenceEngine:
    """Return the engine for a model.

    Args:
        model: Model from ``load_exported``, best with ``batch=1``.
        requests: Clips at once.

    Raises:
        ValueError: Its runtime is not registered, or ``requests`` is below 1.
    """
    known = export_backends()
    if model.backend not in known:
        raise WrongValueError(f'backend: got {model.backend!r}, expected one of {", ".join(known)}')
    if model.metadata.streams:
        return FrameEngine(model, requests)
    return ENGINES.get(model.backend, ThreadsEngine)(model, requests)
