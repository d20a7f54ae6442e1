"""The convolutions that really run in int8."""

from dataclasses import dataclass
from typing import Any

INTEGERS = ('u8', 'i8')


@dataclass(frozen=True)
class ConvolutionCount:
    """Convolutions of a compiled model.

    Args:
        total: All of them.
        in_float: Names of those that are computed in float.
    """

    total: int
    in_float: tuple[str, ...]

    @property
    def quantized(self) -> int:
        """How many are computed in int8."""
        return self.total - len(self.in_float)

    def __str__(self) -> str:
        return f'{self.quantized} of {self.total} convolutions run in int8'


def count_convolutions(compiled: Any) -> ConvolutionCount:
    """Count convolutions in the graph that the runtime executes.

    Quantizers in a file prove little: the runtime ignores those that it has no integer kernel for. So a convolution
    counts as quantized only if both data and weights arrive in 8 bits.

    Args:
        compiled: An ``openvino.CompiledModel``, on the CPU.
    """
    total, in_float = 0, []
    for node in compiled.get_runtime_model().get_ordered_ops():
        info = {key: str(getattr(value, 'value', value)) for key, value in node.get_rt_info().items()}
        if info.get('layerType') not in ('Convolution', 'Deconvolution'):
            continue
        total += 1
        kinds = [node.input(port).get_element_type().get_type_name() for port in range(2)]
        if not set(kinds) <= set(INTEGERS):
            in_float.append(info['originalLayersNames'].split(',')[0])
    return ConvolutionCount(total, tuple(in_float))
