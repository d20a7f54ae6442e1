"""timm and torchvision: imported only where a config names one of their models."""

import importlib
from importlib import metadata
from types import ModuleType

from mmkd_video.core.mistakes import first_line
from mmkd_video.core.optional_packages import MissingExtraError


def torchvision_for(torch_version: str) -> str:
    """Return the version of torchvision that is built for a version of torch: torch 2.14 goes with torchvision 0.29.

    Args:
        torch_version: Version of torch, such as ``'2.14.1+cpu'``.
    """
    return f'0.{int(torch_version.split(".")[1]) + 15}'


def import_vision(module: str, package: str | None = None) -> ModuleType:
    """Import timm, torchvision, or a module of theirs.

    Args:
        module: Its import name.
        package: The package that pip installs; the first part of ``module`` by default.

    Raises:
        MissingExtraError: It is not installed, or the installed torchvision is not the one for this torch. The message
            says which versions go together.
    """
    try:
        return importlib.import_module(module)
    except Exception as error:  # a torchvision for another torch raises RuntimeError or OSError
        package = package or module.partition('.')[0]
        torch = metadata.version('torch').partition('+')[0]
        fitting = torchvision_for(torch)
        wanted = f"'torchvision=={fitting}.*'" + (f' {package}' if package != 'torchvision' else '')
        raise MissingExtraError(
            f'{module} does not import ({first_line(error)}); run pip install {wanted}: torchvision {fitting} is the '
            f'one for torch {torch}, from the same index as torch'
        ) from error
