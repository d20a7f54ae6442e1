"""Exported files by name."""

from pathlib import Path

from mmkd_video.export.exported_model import ExportedModel
from mmkd_video.export.onnxruntime_model import OnnxRuntimeModel
from mmkd_video.export.openvino_model import OpenVINOModel

BACKENDS: dict[str, type[ExportedModel]] = {'onnxruntime': OnnxRuntimeModel, 'openvino': OpenVINOModel}
BACKEND_OF = {'.onnx': 'onnxruntime', '.xml': 'openvino'}


def load_exported(
    path: str | Path,
    backend: str | None = None,
    threads: int | None = None,
    precision: str | None = None,
    batch: int | None = None,
) -> ExportedModel:
    """Open an exported file in its runtime.

    Args:
        path: ``.onnx``, or ``.xml`` with its ``.bin`` beside it.
        backend: ``'onnxruntime'`` or ``'openvino'``; by default ONNX Runtime for ``.onnx``, OpenVINO for ``.xml``.
        threads: See :class:`ExportedModel`, as the others.
        precision: ``'f32'``, ``'bf16'`` or ``'int8'``.
        batch: Fixes the batch size.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The backend is unknown, or the file or an argument is not for it.
        MissingExtraError: The runtime is not installed.
    """
    backend = backend or BACKEND_OF.get(Path(path).suffix)
    if backend not in BACKENDS:
        if backend is None:
            raise ValueError(f'got {str(path)!r}; expected a file that ends in {" or ".join(BACKEND_OF)}')
        raise ValueError(f'backend: got {backend!r}, expected one of {", ".join(BACKENDS)}')
    return BACKENDS[backend](path, threads=threads, precision=precision, batch=batch)
