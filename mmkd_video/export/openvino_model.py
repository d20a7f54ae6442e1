"""OpenVINO IR, and OpenVINO."""

from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.optional_packages import import_extra
from mmkd_video.core.registry import EXPORT_BACKENDS
from mmkd_video.export.exported_model import ExportedModel
from mmkd_video.export.frame_stream import FrameStream
from mmkd_video.export.metadata import PREFIX, ExportMetadata
from mmkd_video.export.openvino_export import (
    SUFFIXES,
    export_openvino,
    export_openvino_stream,
    fix_batch,
    keep_states,
    states_of,
)
from mmkd_video.export.openvino_int8 import OpenVINOInt8
from mmkd_video.export.streaming_recognizer import StreamingRecognizer
from mmkd_video.export.unreadable import unreadable


@EXPORT_BACKENDS.register_module()
class OpenVINOModel(ExportedModel):
    """An OpenVINO IR, or an ONNX file, in OpenVINO on the CPU; see :class:`ExportedModel`.

    OpenVINO would choose bf16 by itself on processors that have it. Here ``'f32'`` means float32; for ``'int8'`` the
    layers that are not quantized are left to OpenVINO's choice.

    ``model`` is its ``openvino.Model``, ``compiled`` its ``openvino.CompiledModel``, for asynchronous requests.
    """

    backend = 'openvino'
    format = 'openvino'
    title = 'OpenVINO'
    written = SUFFIXES
    suffixes = ('.xml', '.onnx')
    precisions = ('f32', 'bf16', 'int8')
    int8_maker = OpenVINOInt8()
    packages = {'onnx': 'onnx', 'onnxscript': 'onnx', 'openvino': 'openvino'}

    @classmethod
    def export(
        cls,
        model: nn.Module,
        path: str | Path,
        clips: np.ndarray,
        metadata: ExportMetadata | None = None,
        dynamic_clips: bool = False,
        force: bool = False,
    ) -> Path:
        """See :func:`export_openvino`."""
        return export_openvino(model, path, clips, metadata, dynamic_clips, force)

    @classmethod
    def export_stream(
        cls, model: StreamingRecognizer, path: str | Path, metadata: ExportMetadata, force: bool = False
    ) -> Path:
        """See :func:`export_openvino_stream`."""
        return export_openvino_stream(model, path, metadata, force)

    @classmethod
    def reason_against(cls, precision: str) -> str | None:
        """See :meth:`ExportedModel.reason_against`."""
        if precision != 'bf16':
            return None
        able = import_extra('openvino', 'openvino').Core().get_property('CPU', 'OPTIMIZATION_CAPABILITIES')
        return None if 'BF16' in able else 'this processor has no bf16 instructions'

    @classmethod
    def load_libraries(cls) -> None:
        """See :meth:`ExportedModel.load_libraries`."""
        import_extra('openvino', 'openvino').Core()

    def _open(self) -> dict[str, str]:
        openvino = import_extra('openvino', 'openvino')
        self._core = openvino.Core()
        try:
            self.model = self._core.read_model(self.path)
        except RuntimeError as error:
            raise unreadable(self.files(self.path), self.title, error) from error
        if self.path.suffix == '.onnx':
            return self._properties('framework', f'{PREFIX}.')
        return self._properties(PREFIX, '')

    def _properties(self, section: str, start: str) -> dict[str, str]:
        info = self.model.get_rt_info()
        found = _plain(info[section]) if section in info else {}
        if not isinstance(found, dict):  # somebody else's, or damaged
            return {}
        return {name.removeprefix(start): str(_plain(text)) for name, text in found.items() if name.startswith(start)}

    def _compile(self) -> None:
        # Pinned to a core, it would wait there for a decoder, or for another model, while other cores are idle.
        options: dict[str, object] = {'PERFORMANCE_HINT': 'LATENCY', 'ENABLE_CPU_PINNING': False}
        if self.threads is not None:
            options['INFERENCE_NUM_THREADS'] = self.threads
        if self.precision != 'int8':
            options['INFERENCE_PRECISION_HINT'] = self.precision
        if self.precision == 'bf16' and 'BF16' not in self._core.get_property('CPU', 'OPTIMIZATION_CAPABILITIES'):
            raise WrongValueError(f"{self.path}: this processor has no bf16 instructions; run it with precision='f32'")
        self._expect_states(states_of(self.model))
        if self.metadata.streams and not self.model.get_variables():  # of an ONNX file
            keep_states(self.model, self.metadata)
        if self.batch is not None and self.metadata.batch is None:
            fix_batch(self.model, self.batch)
        self.compiled = self._core.compile_model(self.model, 'CPU', options)
        self._request = self.compiled.create_infer_request()

    def _infer(self, clips: np.ndarray) -> np.ndarray:
        return self._request.infer([np.ascontiguousarray(clips)], share_inputs=True)[0]  # outputs are copied

    def begin(self) -> FrameStream:
        """See :meth:`ExportedModel.begin`."""
        return _Frames(self.compiled.create_infer_request())


class _Frames(FrameStream):
    """One video in an infer request, which keeps the states."""

    def __init__(self, request: Any) -> None:
        self._request = request
        self.reset()

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        return self._request.infer([np.ascontiguousarray(frame)[None]], share_inputs=True)[0][0].copy()

    def reset(self) -> None:
        self._request.reset_state()


def _plain(value: Any) -> Any:
    return getattr(value, 'value', value)  # OpenVINO wraps what was set, but not what was read from a file
