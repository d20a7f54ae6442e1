"""Optional packages: imported when they are needed, named with the command that installs them when they are missing."""

import importlib
from types import ModuleType

INSTALL = "pip install 'mmkd_video[{extra}]' (in a clone: pip install -e '.[{extra}]')"


class MissingExtraError(ImportError):
    """An optional package is not installed; the message says which command installs it."""


def import_extra(module: str, extra: str) -> ModuleType:
    """Import an optional package.

    Args:
        module: Its import name, such as ``'onnxruntime'``.
        extra: The extra of mmkd_video that brings it, such as ``'onnx'``.

    Raises:
        MissingExtraError: It is not installed, or does not import.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(f'{module} does not import ({error}); run {INSTALL.format(extra=extra)}') from error
