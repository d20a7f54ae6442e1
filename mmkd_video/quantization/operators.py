"""The operators that quantize in training: NNCF's own in C++, or the same in torch."""

import os
import shutil
from types import ModuleType

import torch

from mmkd_video.core.mistakes import WorkFailedError, WrongValueError
from mmkd_video.quantization.nncf_library import import_nncf

KINDS = ('auto', 'compiled', 'torch')
BUILD_SECONDS = '900'


class TorchOperators:
    """NNCF's reference operators without compilation: no compiler is needed, and they run on any device."""

    def __init__(self, reference: ModuleType) -> None:
        self.Quantize_forward = reference.torch_executor.forward
        self.Quantize_backward = reference.torch_executor.backward


def choose_operators(kind: str = 'auto', cuda: bool = False) -> str:
    """Choose the operators that compute fake quantization and its gradient.

    NNCF compiles a C++ extension at the first step, once for each machine (about a minute). Where that fails it would
    compile others by ``torch.compile``, at every start.

    Args:
        kind: ``'compiled'``, ``'torch'`` (slower on the CPU, more memory), or ``'auto'``: compiled where the compilers
            are found, else torch.
        cuda: Whether the model trains on a GPU; then ``nvcc`` is needed too.

    Returns:
        ``'compiled'`` or ``'torch'``.

    Raises:
        ValueError: There is no such kind.
        RuntimeError: ``'compiled'`` without compilers; the message names them.
        MissingExtraError: NNCF is not installed.
    """
    if kind not in KINDS:
        raise WrongValueError(f'operators: got {kind!r}, expected one of {KINDS}')
    import_nncf()
    missing = missing_compilers(cuda)
    if kind == 'compiled' and missing:
        raise WorkFailedError(
            f"operators='compiled' needs {' and '.join(missing)} on the PATH to build NNCF's C++ extension; install "
            "them (apt-get install g++; pip install ninja; nvcc comes with the CUDA toolkit), or set operators='torch'"
        )
    from nncf.torch.quantization import extensions, reference

    chosen = 'torch' if kind == 'torch' or missing else 'compiled'
    device_functions = [extensions.QuantizedFunctionsCPU]
    if torch.cuda.is_available():
        device_functions.append(extensions.QuantizedFunctionsCUDA)
    for functions in device_functions:
        if chosen == 'torch':
            functions._loaded_namespace = TorchOperators(reference)
        elif isinstance(functions._loaded_namespace, TorchOperators):
            functions._loaded_namespace = None
    os.environ.setdefault('NNCF_EXTENSION_LOAD_TIMEOUT', BUILD_SECONDS)  # its own limit is too short for a busy machine
    return chosen


def missing_compilers(cuda: bool = False) -> list[str]:
    """Return the missing programs that building NNCF's extension needs.

    Args:
        cuda: Whether for a GPU.
    """
    compiler = os.environ.get('CXX', 'g++')
    return [name for name in (compiler, 'ninja', *(['nvcc'] if cuda else [])) if shutil.which(name) is None]
