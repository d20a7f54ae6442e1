"""Quantization after training, on the exported model."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmkd_video.core.mistakes import WorkFailedError, WrongValueError
from mmkd_video.core.optional_packages import import_extra
from mmkd_video.quantization.depthwise import remove_zero_points
from mmkd_video.quantization.nncf_library import import_nncf, preset_of

LAYERS = ('Convolution', 'GroupConvolution', 'MatMul')


def quantize_openvino(
    model: Any, clips: Sequence[np.ndarray], preset: str = 'mixed', float_layers: Sequence[str] = ()
) -> Any:
    """Quantize an OpenVINO model to int8 with NNCF, 2-D, 3-D and depthwise convolutions alike.

    Constants are folded first: weights of depthwise convolutions that come from ONNX lie behind a reshape, where NNCF
    would quantize them without effect. The gates of squeeze-and-excitation (X3D) stay in float: NNCF leaves them out
    because they cost little and lose much.

    Source: post-training quantization of NNCF (https://github.com/openvinotoolkit/nncf).

    Args:
        model: An ``openvino.Model`` in float; it is not changed.
        clips: Clips to calibrate on, each ``(M, ...)`` as the model takes it; NNCF shows a progress bar over them.
        preset: ``'mixed'`` or ``'performance'``.
        float_layers: Names of layers that are not quantized, see :func:`quantizable_layers`.

    Returns:
        The quantized ``openvino.Model``.

    Raises:
        MissingExtraError: NNCF or OpenVINO is not installed.
        ValueError: There are no clips, or the preset or a layer is not known.
        RuntimeError: NNCF cannot quantize this model.
    """
    nncf, preset = import_nncf(), preset_of(preset)
    if not len(clips):
        raise WrongValueError('calibration: got no clips, expected at least one; the data set is empty')
    folded = fold_constants(model)
    unknown = sorted(set(float_layers) - set(quantizable_layers(folded)))
    if unknown:
        raise WrongValueError(f'float_layers: the model has no layers {unknown}; see quantizable_layers')
    try:
        quantized = nncf.quantize(
            folded,
            nncf.Dataset(clips, lambda clip: {0: clip[None]}),
            preset=preset,
            subset_size=len(clips),
            ignored_scope=nncf.IgnoredScope(names=list(float_layers)) if float_layers else None,
        )
    except nncf.errors.UnsupportedModelError as error:
        raise WorkFailedError(f'NNCF {nncf.__version__} cannot quantize this model: {error}') from error
    remove_zero_points(quantized)
    return quantized


def fold_constants(model: Any) -> Any:
    """Return a copy in which constants are folded and activations are single nodes, as OpenVINO's converter leaves it.

    Args:
        model: An ``openvino.Model``.
    """
    transformations = import_extra('openvino._offline_transformations', 'quant')  # what openvino.tools.ovc calls
    folded = model.clone()
    transformations.apply_moc_transformations(folded, cf=True)
    return folded


def quantizable_layers(model: Any) -> tuple[str, ...]:
    """Return the names of the layers with weights, in the order of execution.

    Args:
        model: An ``openvino.Model``, after :func:`fold_constants`.
    """
    return tuple(
        node.get_friendly_name()
        for node in model.get_ordered_ops()
        if node.get_type_name() in LAYERS and node.input_value(1).get_node().get_type_name() == 'Constant'
    )
