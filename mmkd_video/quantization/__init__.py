"""Quantization: recognizers in int8; takes an ``nn.Module`` or an OpenVINO model and knows nothing of distillation."""

from mmkd_video.quantization.compression import Quantization
from mmkd_video.quantization.counting import ConvolutionCount, count_convolutions
from mmkd_video.quantization.operators import choose_operators
from mmkd_video.quantization.ptq import fold_constants, quantizable_layers, quantize_openvino
from mmkd_video.quantization.qat import (
    QUANTIZATION_KEY,
    has_quantizers,
    insert_quantizers,
    load_quantizers,
    quantizer_parameters,
    quantizer_state,
    quantizer_tensors,
)
from mmkd_video.quantization.qat_export import convert_quantized
from mmkd_video.quantization.sensitivity import DropTooLargeError, QuantizationResult, quantize_within, rank_layers

__all__ = [
    'QUANTIZATION_KEY',
    'ConvolutionCount',
    'DropTooLargeError',
    'Quantization',
    'QuantizationResult',
    'choose_operators',
    'convert_quantized',
    'count_convolutions',
    'fold_constants',
    'has_quantizers',
    'insert_quantizers',
    'load_quantizers',
    'quantizable_layers',
    'quantize_openvino',
    'quantize_within',
    'quantizer_parameters',
    'quantizer_state',
    'quantizer_tensors',
    'rank_layers',
]
