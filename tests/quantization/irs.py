"""OpenVINO models made by hand: a depthwise-separable Conv3d network, and clips for it."""

import numpy as np
import openvino as ov
from openvino import opset13 as ops

CHANNELS, CLASSES, CLIP = 8, 4, (1, 3, 4, 12, 12)


def separable(seed=0, dead=True, outlier=False):
    """Return a float model: Conv3d, ReLU, depthwise Conv3d, ReLU, Conv3d, ReLU, mean, softmax.

    Its weights lie behind a reshape, as after reading ONNX.

    Args:
        seed: Of the weights.
        dead: Whether one channel before the depthwise layer is always 0.
        outlier: Whether the last layer gets values of which one, that it does not use, is a thousand times larger.
    """
    rng = np.random.default_rng(seed)

    def conv(data, shape, name, kind=ops.convolution, edit=lambda weights: weights):
        weights = edit(rng.normal(size=shape) / np.sqrt(np.prod(shape[-4:]))).astype(np.float32)
        grouped = (CHANNELS, 1, *shape[1:]) if kind is ops.group_convolution else shape
        weights = ops.reshape(ops.constant(weights), ops.constant(np.array(grouped)), special_zero=False)
        ones, pads = [1, 1, 1], [shape[-1] // 2] * 3
        return kind(data, weights, ones, pads, pads, ones, name=name)

    def bias(data, values):
        return ops.add(data, ops.constant(np.asarray(values, np.float32).reshape(1, -1, 1, 1, 1)))

    clips = ops.parameter(ov.PartialShape([-1, *CLIP]), np.uint8, name='clips')
    frames = ops.squeeze(ops.convert(clips, 'f32'), ops.constant(np.array([1])))
    frames = ops.divide(ops.subtract(frames, ops.constant(np.float32(64))), ops.constant(np.float32(64)))
    frames = conv(frames, (CHANNELS, 3, 1, 1, 1), 'first')
    frames = ops.relu(bias(frames, [-1e3 if dead and i == 2 else 0.1 * i for i in range(CHANNELS)]))
    frames = conv(frames, (CHANNELS, 1, 3, 3, 3), 'depthwise', ops.group_convolution)
    frames = ops.relu(bias(frames, [5e3 if outlier and i == 0 else 0 for i in range(CHANNELS)]))
    seen = np.array([0.0 if outlier and i == 0 else 8.0 for i in range(CHANNELS)]).reshape(1, -1, 1, 1, 1)
    frames = conv(frames, (CLASSES, CHANNELS, 1, 1, 1), 'last', edit=lambda weights: weights * seen)
    scores = ops.reduce_mean(frames, ops.constant(np.array([2, 3, 4])), keep_dims=False)
    return ov.Model([ops.softmax(scores, 1)], [clips], 'separable')


def clips(count=8, seed=0):
    """Return clips of noise of different colour, uint8."""
    rng = np.random.default_rng(seed)
    return [(rng.integers(0, 60, CLIP) + rng.integers(0, 190, (1, 3, 1, 1, 1))).astype(np.uint8) for _ in range(count)]
