"""Quantization: recognizers in int8; takes an ``nn.Module`` or an OpenVINO model and knows nothing of distillation."""

from mmkd_video.quantization.counting import ConvolutionCount, count_convolutions
from mmkd_video.quantization.ptq import fold_constants, quantizable_layers, quantize_openvino
from mmkd_video.quantization.sensitivity import QuantizationResult, quantize_within, rank_layers

__all__ = [
    'ConvolutionCount',
    'QuantizationResult',
    'count_convolutions',
    'fold_constants',
    'quantizable_layers',
    'quantize_openvino',
    'quantize_within',
    'rank_layers',
]
