"""ONNX files, and ONNX Runtime."""

from pathlib import Path

import numpy as np
from torch import nn

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.optional_packages import import_extra
from mmkd_video.core.registry import EXPORT_BACKENDS
from mmkd_video.export.exported_model import ExportedModel
from mmkd_video.export.metadata import PREFIX, ExportMetadata
from mmkd_video.export.onnx_export import BATCH, INPUT, OUTPUT, export_onnx
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

    def _infer(self, clips: np.ndarray) -> np.ndarray:
        return self.session.run([OUTPUT], {INPUT: clips})[0]
