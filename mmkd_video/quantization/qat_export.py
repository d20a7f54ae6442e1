"""A recognizer with quantizers as an OpenVINO model."""

import warnings
from typing import Any

import numpy as np
import torch
from torch import nn

from mmkd_video.core.mistakes import WorkFailedError
from mmkd_video.core.optional_packages import import_extra
from mmkd_video.quantization.depthwise import remove_zero_points
from mmkd_video.quantization.nncf_library import import_nncf
from mmkd_video.quantization.operators import choose_operators


def convert_quantized(model: nn.Module, clips: np.ndarray, names: tuple[str, str] = ('clips', 'probabilities')) -> Any:
    """Convert a deployable recognizer to OpenVINO with the quantizers that it was trained with.

    Args:
        model: Model that takes raw clips and returns probabilities, in eval mode.
        clips: ``(N, M, ...)`` of the shape and type that the file is to take; the batch becomes dynamic.
        names: Names of the input and of the output.

    Returns:
        The quantized ``openvino.Model``.

    Raises:
        MissingExtraError: NNCF or OpenVINO is not installed.
        RuntimeError: OpenVINO cannot convert this model.
    """
    openvino = import_extra('openvino', 'quant')
    import_nncf()
    choose_operators('torch')  # the trace runs the model once; nothing is to be compiled for it
    example = torch.from_numpy(np.ascontiguousarray(np.concatenate([clips, clips])[:2]))  # a batch of 1 would be fixed
    shape = openvino.PartialShape([-1, *clips.shape[1:]])
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter('ignore')
            traced = torch.jit.trace(model, example, strict=False, check_trace=False)
            converted = openvino.convert_model(
                traced, example_input=example, input=[(names[0], shape, openvino.Type(clips.dtype))]
            )
    except Exception as error:  # torch and OpenVINO raise a dozen types here
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise WorkFailedError(
            f'OpenVINO {openvino.__version__} cannot convert the quantized model: {reason}'
        ) from error
    converted.input(0).get_tensor().set_names({names[0]})
    converted.output(0).get_tensor().set_names({names[1]})
    remove_zero_points(converted)
    return converted
