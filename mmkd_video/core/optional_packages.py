"""Optional packages: imported when they are needed, named with the command that installs them when they are missing."""

import importlib
import importlib.util
from types import ModuleType

from mmkd_video.core.mistakes import Mistake

INSTALL = "pip install 'mmkd_video[{extra}]' (in a clone: pip install -e '.[{extra}]')"


class MissingExtraError(Mistake, ImportError):
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


def expect_extra(module: str, extra: str) -> None:
    """Check that an optional package is installed, without importing it.

    Args:
        module: Name of the module, as in :func:`import_extra`.
        extra: Name of the extra, as there.

    Raises:
        MissingExtraError: It is not installed.
    """
    if importlib.util.find_spec(module) is None:
        raise MissingExtraError(f'{module} is not installed; run {INSTALL.format(extra=extra)}')
