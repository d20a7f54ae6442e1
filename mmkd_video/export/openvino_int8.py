"""OpenVINO models in int8, which NNCF makes."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from mmkd_video.export.int8_maker import Int8Maker
from mmkd_video.export.metadata import ExportMetadata
from mmkd_video.export.openvino_export import save_openvino
from mmkd_video.quantization import (
    ConvolutionCount,
    QuantizationResult,
    convert_quantized,
    count_convolutions,
    quantize_within,
)
from mmkd_video.quantization.nncf_library import import_nncf
from mmkd_video.quantization.sensitivity import classify_in_int8


class OpenVINOInt8(Int8Maker):
    """See :class:`Int8Maker`; a graph is an ``openvino.Model``."""

    packages = {'nncf': 'quant'}

    def load_libraries(self) -> None:
        """See :meth:`Int8Maker.load_libraries`."""
        import_nncf()

    def calibrate(
        self,
        exported: Any,
        calibration: Sequence[np.ndarray],
        validation: Sequence[np.ndarray],
        score: Callable[[np.ndarray], float],
        max_drop: float,
        preset: str,
    ) -> QuantizationResult:
        """See :func:`quantize_within`."""
        return quantize_within(exported.model, calibration, validation, score, max_drop, preset)

    def convert(self, model: nn.Module, clips: np.ndarray) -> Any:
        """See :func:`convert_quantized`."""
        return convert_quantized(model, clips)

    def classify(self, graph: Any, clips: Sequence[np.ndarray]) -> np.ndarray:
        """See :func:`classify_in_int8`."""
        return classify_in_int8(graph, clips)

    def write(self, graph: Any, path: Path, metadata: ExportMetadata, force: bool = False) -> None:
        """See :func:`save_openvino`."""
        save_openvino(graph, path, metadata, force)

    def count_convolutions(self, exported: Any) -> ConvolutionCount:
        """See :func:`count_convolutions`."""
        return count_convolutions(exported.compiled)
