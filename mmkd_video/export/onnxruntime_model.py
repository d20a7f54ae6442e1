"""ONNX files, and ONNX Runtime."""

from pathlib import Path

import numpy as np
from torch import nn

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.optional_packages import import_extra
from mmkd_video.core.registry import EXPORT_BACKENDS
from mmkd_video.export.exported_model import ExportedModel
from mmkd_video.export.frame_stream import FRAME, NEXT, FrameStream
from mmkd_video.export.metadata import PREFIX, ExportMetadata
from mmkd_video.export.onnx_export import BATCH, INPUT, OUTPUT, export_onnx, export_onnx_stream
from mmkd_video.export.streaming_recognizer import StreamingRecognizer
from mmkd_video.export.unreadable import unreadable


@EXPORT_BACKENDS.register_module()
class OnnxRuntimeModel(ExportedModel):
    """An ONNX file in ONNX Runtime, on the CPU; see :class:`ExportedModel`.

    ``session`` is its ``onnxruntime.InferenceSession``.
    """

    backend = 'onnxruntime'
    format = 'onnx'
    title = 'ONNX Runtime'
    written = ('.onnx',)
    suffixes = ('.onnx',)
    refusals = {
        'bf16': 'ONNX Runtime computes no bf16 on a CPU',
        'int8': 'ONNX Runtime gains nothing from int8 where convolutions are 3-D',
    }
    packages = {'onnx': 'onnx', 'onnxscript': 'onnx', 'onnxruntime': 'onnx'}
    concurrent = True

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
        """See :func:`export_onnx`."""
        return export_onnx(model, path, clips, metadata, dynamic_clips, force=force)

    @classmethod
    def export_stream(
        cls, model: StreamingRecognizer, path: str | Path, metadata: ExportMetadata, force: bool = False
    ) -> Path:
        """See :func:`export_onnx_stream`."""
        return export_onnx_stream(model, path, metadata, force)

    @classmethod
    def load_libraries(cls) -> None:
        """See :meth:`ExportedModel.load_libraries`."""
        import_extra('onnxruntime', 'onnx')

    def _open(self) -> dict[str, str]:
        runtime = import_extra('onnxruntime', 'onnx')
        options = runtime.SessionOptions()
        options.log_severity_level = 3  # errors
        if self.threads is not None:
            options.intra_op_num_threads = self.threads
        if self.batch is not None:
            options.add_free_dimension_override_by_name(BATCH, self.batch)  # no effect where the file fixes it
        try:
            self.session = runtime.InferenceSession(str(self.path), options, providers=['CPUExecutionProvider'])
        except Exception as error:  # its types are not public
            raise unreadable(self.files(self.path), self.title, error) from error
        properties = self.session.get_modelmeta().custom_metadata_map
        start = f'{PREFIX}.'
        return {name.removeprefix(start): text for name, text in properties.items() if name.startswith(start)}

    def _compile(self) -> None:
        if self.precision == 'bf16':
            raise WrongValueError(
                f"{self.path}: ONNX Runtime computes no bf16 on a CPU; use backend='openvino', which reads ONNX files "
                "too, or precision='f32'"
            )
        self._expect_states({each.name: each.shape for each in self.session.get_inputs()[1:]})

    def begin(self) -> FrameStream:
        """See :meth:`ExportedModel.begin`."""
        return _Frames(self)

    def _infer(self, clips: np.ndarray) -> np.ndarray:
        return self.session.run([OUTPUT], {INPUT: clips})[0]


class _Frames(FrameStream):
    """One video in a session: what it gave is what it is given at the next frame."""

    def __init__(self, model: OnnxRuntimeModel) -> None:
        self._session = model.session
        self._shapes = {each['name']: (1, *each['shape']) for each in model.metadata.states}
        self._outputs = [OUTPUT, *(f'{NEXT}{name}' for name in self._shapes)]
        self.reset()

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        found, *states = self._session.run(self._outputs, {FRAME: np.ascontiguousarray(frame)[None], **self._states})
        self._states = dict(zip(self._shapes, states, strict=True))
        return found[0]

    def reset(self) -> None:
        self._states = {name: np.zeros(shape, np.float32) for name, shape in self._shapes.items()}
