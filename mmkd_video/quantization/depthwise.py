"""Quantization ranges with which OpenVINO can run a depthwise convolution in int8."""

from typing import Any

import numpy as np

from mmkd_video.core.optional_packages import import_extra

LEVELS = 256
TINY = 1e-3  # NNCF's range for a channel that was constant


def remove_zero_points(model: Any) -> int:
    """Remove the zero points of the inputs of depthwise convolutions, in place.

    NNCF gives each channel of such an input a range of its own. With a zero point in any of them OpenVINO computes the
    layer in float, or cannot compile it where it prefers bfloat16. Two things cause zero points. A channel that was 0
    in every calibration clip gets a tiny range on both sides of 0 although the others, after a ReLU, begin at 0; it
    then begins at 0 too. Where no activation comes before the layer, ranges are not symmetric; they are widened.

    Args:
        model: A quantized ``openvino.Model``.

    Returns:
        How many inputs had zero points.
    """
    changed = 0
    for node in model.get_ordered_ops():
        quantizer = node.input_value(0).get_node() if node.get_type_name() == 'GroupConvolution' else None
        if quantizer is None or quantizer.get_type_name() != 'FakeQuantize':
            continue
        low, high = (_constant(quantizer, port) for port in (1, 2))
        negative = low < 0
        if not negative.any():
            continue
        if not negative.all() and (low[negative] >= -TINY).all():
            wanted = np.zeros_like(low), high
        else:
            half = LEVELS / 2
            top = np.maximum(-low, high * half / (half - 1))
            wanted = -top, top * (half - 1) / half
        if not np.allclose(wanted, (low, high), rtol=1e-6, atol=0):
            _set_range(quantizer, *wanted)
            changed += 1
    return changed


def _constant(node: Any, port: int) -> np.ndarray:
    return np.array(node.input_value(port).get_node().data)


def _set_range(quantizer: Any, low: np.ndarray, high: np.ndarray) -> None:
    operators = import_extra('openvino.opset13', 'quant')
    for port, values in enumerate((low, high, low, high), start=1):
        quantizer.input(port).replace_source_output(operators.constant(values.astype(np.float32)).output(0))
